// The diagonal of the Hessian of a linear classifier's support loss, for Jacobi preconditioning.
//   diagonal_wi = (1/N) Σ_n p_nw (1 − p_nw) x_ni² + ridge        X = [E 1]
// One invocation owns one element of one task; p_nw = residual_nw + [w = y_n], and 1 − p_y is
// −residual_y, which keeps its digits.
// Launch: tasks · ways · (dimension + 1) invocations. Workgroup memory: none. Loop bound: support.
// Bindings: embeddings [tasks, support, dimension]; labels [tasks, support]; residuals [tasks,
// support, ways]; diagonal [tasks, stride] (weight [ways, dimension], then bias [ways]).

#import shared/grid.wgsl

struct Params {
    tasks: u32,
    support: u32,
    ways: u32,
    dimension: u32,
    stride: u32,
    ridge: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> embeddings: array<f32>;
@group(0) @binding(2) var<storage, read> labels: array<u32>;
@group(0) @binding(3) var<storage, read> residuals: array<f32>;
@group(0) @binding(4) var<storage, read_write> diagonal: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let index = flat_invocation(workgroup, workgroups, local);
    let elements = params.ways * (params.dimension + 1u);
    if index >= params.tasks * elements {
        return;
    }
    let task = index / elements;
    let element = index - task * elements;
    let is_bias = element >= params.ways * params.dimension;
    var way = element / params.dimension;
    if is_bias {
        way = element - params.ways * params.dimension;
    }
    let feature = element - way * params.dimension;
    var sum = 0.0;
    for (var n = 0u; n < params.support; n += 1u) {
        let image = task * params.support + n;
        var x = 1.0;
        if !is_bias {
            x = embeddings[image * params.dimension + feature];
        }
        let residual = residuals[image * params.ways + way];
        let is_label = labels[image] == way;
        let spread = select(residual * (1.0 - residual), (1.0 + residual) * -residual, is_label);
        sum += spread * x * x;
    }
    diagonal[task * params.stride + element] = sum / f32(params.support) + params.ridge;
}
