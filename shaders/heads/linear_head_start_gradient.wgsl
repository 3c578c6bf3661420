// Gradient of a linear head's learned start, summed over the tasks whose state is zero.
//   gradient += Σ_t (first_factor · first_t + second_factor · second_t)
// One invocation owns one element of the start.
// Launch: ways · (dimension + 1) invocations. Workgroup memory: none. Loop bound: tasks.
// Bindings: states [tasks]; first, second [tasks, stride] (weight [ways, dimension], then bias
// [ways]); gradient (flat, added to).

#import shared/grid.wgsl

struct Params {
    tasks: u32,
    ways: u32,
    dimension: u32,
    stride: u32,
    weight_offset: u32,
    bias_offset: u32,
    first_factor: f32,
    second_factor: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> states: array<u32>;
@group(0) @binding(2) var<storage, read> first: array<f32>;
@group(0) @binding(3) var<storage, read> second: array<f32>;
@group(0) @binding(4) var<storage, read_write> gradient: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let element = flat_invocation(workgroup, workgroups, local);
    let biases = params.ways * params.dimension;
    if element >= biases + params.ways {
        return;
    }
    var sum = 0.0;
    for (var task = 0u; task < params.tasks; task += 1u) {
        if states[task] == 0u {
            let at = task * params.stride + element;
            sum += params.first_factor * first[at] + params.second_factor * second[at];
        }
    }
    if element < biases {
        gradient[params.weight_offset + element] += sum;
    } else {
        gradient[params.bias_offset + element - biases] += sum;
    }
}
