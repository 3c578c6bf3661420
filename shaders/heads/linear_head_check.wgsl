// Finds the tasks whose inner loop has diverged and takes them out of the step.
//   state = 1 and w = 0 where an element of w is not finite or beyond 1e18, else state = 0, or
//   with keep = 1 what it was
// A weight of that size is far from every solution, and its products with embeddings and weights
// stay within f32, so that what follows is finite for the tasks that are left.
// One workgroup owns one task; invocation k its elements k, k + 64, …
// Launch: tasks · 64 invocations. Workgroup memory: 1,024 bytes. Loop bound: length / 32 + 66.
// Bindings: states [tasks]; weights [tasks, stride].

#import shared/total.wgsl
#import shared/finite.wgsl

const LARGEST_WEIGHT: f32 = 1e18;

struct Params {
    tasks: u32,
    length: u32,
    stride: u32,
    keep: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> states: array<u32>;
@group(0) @binding(2) var<storage, read_write> weights: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let task = flat_workgroup(workgroup, workgroups);
    if task >= params.tasks {
        return;
    }
    let first = task * params.stride;
    var count = 0.0;
    for (var i = local; i < params.length; i += WORKGROUP_INVOCATIONS) {
        let w = weights[first + i];
        if !is_finite(w) || abs(w) > LARGEST_WEIGHT {
            count += 1.0;
        }
    }
    let diverged = workgroup_total(local, vec4<f32>(count, 0.0, 0.0, 0.0)).x > 0.0;
    if diverged {
        for (var i = local; i < params.length; i += WORKGROUP_INVOCATIONS) {
            weights[first + i] = 0.0;
        }
    }
    if local == 0u && (diverged || params.keep == 0u) {
        states[task] = select(0u, 1u, diverged);
    }
}
