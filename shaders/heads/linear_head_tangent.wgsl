// How the residuals of a linear classifier change along a direction v, for the active tasks.
//   u_w = Σ_i V_wi x_i + v_b        tangent = (diag(p) − ppᵀ) u        p_w = residual_w + [w = y]
// With s = u − u_y and m = Σ_{w≠y} p_w s_w it is tangent_w = p_w (s_w − m), which keeps its digits
// where p_y is close to one.
// One invocation owns one image of one active task; workgroups do not straddle tasks.
// Launch: active tasks · ⌈support / 64⌉ workgroups. Workgroup memory: none.
// Loop bound: ⌈ways / 4⌉ · (dimension + 4) + 2 · ways.
// Bindings: active_tasks [1 + tasks]; embeddings [tasks, support, dimension]; labels [tasks,
// support]; residuals [tasks, support, ways]; weights (the direction) [tasks, stride]
// (shared/linear_head.wgsl); products [tasks, support, ways], the tangents.

#import shared/linear_head.wgsl

struct Params {
    support: u32,
    ways: u32,
    dimension: u32,
    stride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> active_tasks: array<u32>;
@group(0) @binding(2) var<storage, read> embeddings: array<f32>;
@group(0) @binding(3) var<storage, read> labels: array<u32>;
@group(0) @binding(4) var<storage, read> residuals: array<f32>;
@group(0) @binding(5) var<storage, read> weights: array<f32>;
@group(0) @binding(6) var<storage, read_write> products: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let index = flat_workgroup(workgroup, workgroups);
    let groups = (params.support + WORKGROUP_INVOCATIONS - 1u) / WORKGROUP_INVOCATIONS;
    let slot = index / groups;
    let position = (index - slot * groups) * WORKGROUP_INVOCATIONS + local;
    if slot >= active_tasks[0] || position >= params.support {
        return;
    }
    let task = active_tasks[1u + slot];
    let image = task * params.support + position;
    let row = image * params.ways;
    write_products(image * params.dimension, task * params.stride, row);
    let label = row + labels[image];
    let end = row + params.ways;
    let reference = products[label];
    var mean = 0.0;
    for (var at = row; at < end; at += 1u) {
        // The label's own term is zero, whatever its probability.
        mean += select(residuals[at], 0.0, at == label) * (products[at] - reference);
    }
    for (var at = row; at < end; at += 1u) {
        let p = residuals[at] + select(0.0, 1.0, at == label);
        products[at] = p * ((products[at] - reference) - mean);
    }
}
