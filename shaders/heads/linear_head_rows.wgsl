// Rows dL/dE of the support embeddings under a linear head.
//   row_n = keep · row_n + scale · Σ_w (residual_nw V_w + factor · tangent_nw W_w)
// The rows of a task whose state is not zero become zero.
//   implicit:  −(1/N) [(P − Y) vᵀ + P' wᵀ]        (Yang et al. 2025, the hypergradient's last term)
// One invocation owns one element of one row.
// Launch: tasks · support · dimension invocations. Workgroup memory: none. Loop bound: ways.
// Bindings: states [tasks]; residuals, tangents [tasks, support, ways]; direction (V), weights (W)
// [tasks, stride] (weight [ways, dimension] first); rows [tasks, support, dimension].

#import shared/grid.wgsl

struct Params {
    tasks: u32,
    support: u32,
    ways: u32,
    dimension: u32,
    stride: u32,
    keep: f32,
    scale: f32,
    factor: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> states: array<u32>;
@group(0) @binding(2) var<storage, read> residuals: array<f32>;
@group(0) @binding(3) var<storage, read> tangents: array<f32>;
@group(0) @binding(4) var<storage, read> direction: array<f32>;
@group(0) @binding(5) var<storage, read> weights: array<f32>;
@group(0) @binding(6) var<storage, read_write> rows: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let index = flat_invocation(workgroup, workgroups, local);
    if index >= params.tasks * params.support * params.dimension {
        return;
    }
    let image = index / params.dimension;
    let task = image / params.support;
    if states[task] != 0u {
        rows[index] = 0.0;
        return;
    }
    var at = task * params.stride + (index - image * params.dimension);
    var first = 0.0;
    var second = 0.0;
    for (var way = 0u; way < params.ways; way += 1u) {
        first += residuals[image * params.ways + way] * direction[at];
        second += tangents[image * params.ways + way] * weights[at];
        at += params.dimension;
    }
    var row = params.scale * (first + params.factor * second);
    if params.keep != 0.0 {
        row += params.keep * rows[index];
    }
    rows[index] = row;
}
