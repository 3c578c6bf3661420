// The matrix of ridge regression: inner products of the support, or of the features, plus λI.
//   A_ij = Σ_k x_ik x_jk + [i = j] λ        λ = max(parameters[lambda_offset], 1e-6)
//   E Eᵀ + λI  (size = support):    row_stride = dimension, column_stride = 1, terms = dimension
//   Eᵀ E + λI  (size = dimension):  row_stride = 1, column_stride = dimension, terms = support
// One invocation owns one element of one task.
// Launch: tasks · size · size invocations. Workgroup memory: none. Loop bound: terms.
// Bindings: embeddings [tasks, support, dimension]; parameters (flat); matrix [tasks, size, size].

#import shared/grid.wgsl

// An optimiser may step below zero, where the system would not be positive definite.
const SMALLEST_LAMBDA: f32 = 1e-6;

struct Params {
    tasks: u32,
    size: u32,
    terms: u32,
    row_stride: u32,
    column_stride: u32,
    lambda_offset: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> embeddings: array<f32>;
@group(0) @binding(2) var<storage, read> parameters: array<f32>;
@group(0) @binding(3) var<storage, read_write> matrix: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let index = flat_invocation(workgroup, workgroups, local);
    let elements = params.size * params.size;
    if index >= params.tasks * elements {
        return;
    }
    let task = index / elements;
    let element = index - task * elements;
    let row = element / params.size;
    let column = element - row * params.size;
    let first = task * params.size * params.terms;
    var a = first + row * params.row_stride;
    var b = first + column * params.row_stride;
    var sum = 0.0;
    for (var k = 0u; k < params.terms; k += 1u) {
        sum += embeddings[a] * embeddings[b];
        a += params.column_stride;
        b += params.column_stride;
    }
    if row == column {
        sum += max(parameters[params.lambda_offset], SMALLEST_LAMBDA);
    }
    matrix[index] = sum;
}
