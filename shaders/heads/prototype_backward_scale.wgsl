// Gradient of the loss with respect to the scale s of the cosine metric.
//   ds += Σ g l / s        over the queries and ways of a task; s is not zero
// With gradient_stride = 0 the tasks share one gradient and their sums are added up.
// One workgroup owns one task, or all of them; invocation k adds the terms k, k + 64, …
// Launch: 64 · (gradient_stride = 0 ? 1 : tasks) invocations. Workgroup memory: 512 bytes.
// Loop bound: tasks that share a gradient · (queries · ways / 64 + 2) + 64.
// Bindings: parameters (flat); logits, d_logits [tasks, queries, ways]; gradient (flat, added to).

#import shared/grid.wgsl
#import shared/reduce.wgsl

struct Params {
    tasks: u32,
    queries: u32,
    ways: u32,
    scale_offset: u32,
    parameter_stride: u32,
    gradient_stride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> parameters: array<f32>;
@group(0) @binding(2) var<storage, read> logits: array<f32>;
@group(0) @binding(3) var<storage, read> d_logits: array<f32>;
@group(0) @binding(4) var<storage, read_write> gradient: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let owned = flat_workgroup(workgroup, workgroups);
    let separate = params.gradient_stride != 0u;
    if owned >= select(1u, params.tasks, separate) {
        return;
    }
    let first_task = select(0u, owned, separate);
    let end_task = select(params.tasks, owned + 1u, separate);
    let terms = params.queries * params.ways;
    var part = 0.0;
    for (var task = first_task; task < end_task; task += 1u) {
        var sum = 0.0;
        let end = (task + 1u) * terms;
        for (var at = task * terms + local; at < end; at += WORKGROUP_INVOCATIONS) {
            sum += d_logits[at] * logits[at];
        }
        part += sum / parameters[params.scale_offset + task * params.parameter_stride];
    }
    let total = workgroup_sum(local, vec2<f32>(part, 0.0));
    if local == 0u {
        gradient[params.scale_offset + owned * params.gradient_stride] += total.x;
    }
}
