// How the residuals of a linear classifier change along a direction v, for the active tasks.
//   u_w = Σ_i V_wi x_i + v_b        tangent = (diag(p) − ppᵀ) u        p_w = residual_w + [w = y]
// With s = u − u_y and m = Σ_{w≠y} p_w s_w it is tangent_w = p_w (s_w − m), which keeps its digits
// where p_y is close to one.
// One workgroup owns one image of one active task: invocation k the features k, k + 64, …, then
// the ways k, k + 64, …
// Launch: active tasks · support workgroups. Workgroup memory: 1,040 bytes.
// Loop bound: ⌈ways / 4⌉ · (dimension / 64 + 66) + ways + ways / 64 + 1.
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
    let slot = index / params.support;
    if slot >= active_tasks[0] {
        return;
    }
    let task = active_tasks[1u + slot];
    let image = task * params.support + (index - slot * params.support);
    let row = image * params.ways;
    write_products(local, image * params.dimension, task * params.stride, row);
    let label = labels[image];
    let reference = products[row + label];
    var mean = 0.0;
    for (var way = 0u; way < params.ways; way += 1u) {
        // The label's own term is zero, whatever its probability.
        mean += select(residuals[row + way], 0.0, way == label) * (products[row + way] - reference);
    }
    // Everyone has read the products before anyone replaces them.
    storageBarrier();
    for (var way = local; way < params.ways; way += WORKGROUP_INVOCATIONS) {
        let p = residuals[row + way] + select(0.0, 1.0, way == label);
        products[row + way] = p * ((products[row + way] - reference) - mean);
    }
}
