// Adds what the tasks contribute to the meta-gradient, leaving out those that failed.
//   sum_i += Σ_t [status_{first_task + t} = 0] · factor · (x_ti − anchor · start_i)
// factor 1 and anchor 0 add the vectors themselves; factor −1 and anchor 1 add start − x_t, the
// gradient of Reptile (Nichol et al. 2018). A failed task's vector is not read.
// One invocation owns one element; it adds the tasks in their order.
// Launch: length invocations. Workgroup memory: none. Loop bound: tasks.
// Bindings: vectors x [tasks, length]; start [length]; status [·]; sum [length], added to.

#import shared/grid.wgsl

struct Params {
    tasks: u32,
    length: u32,
    first_task: u32,
    factor: f32,
    anchor: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> vectors: array<f32>;
@group(0) @binding(2) var<storage, read> start: array<f32>;
@group(0) @binding(3) var<storage, read> status: array<f32>;
@group(0) @binding(4) var<storage, read_write> sum: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = flat_invocation(workgroup, workgroups, local);
    if index >= params.length {
        return;
    }
    let anchor = params.anchor * start[index];
    var total = 0.0;
    for (var task = 0u; task < params.tasks; task += 1u) {
        if status[params.first_task + task] == 0.0 {
            total += vectors[task * params.length + index] - anchor;
        }
    }
    sum[index] += params.factor * total;
}
