// Products of small dense matrices with vectors, one for each task, plus an addend: the lower level
// of quadratic bilevel tasks.
//   y_ti = Σ_j matrix_ij x_j + scale · z_i      matrix, x, z: those numbered matrix_of[t],
//                                               vector_of[t] and addend_of[t]
// One invocation owns one element of one task.
// Launch: tasks · rows invocations. Workgroup memory: none. Loop bound: columns.
// Bindings: matrices [numbers, matrix_stride], of which element (i, j) lies at
// i · row_stride + j · column_stride (so that a transposed product is a matter of strides);
// matrix_of, vector_of, addend_of [tasks]; vectors [numbers, vector_stride];
// addends [numbers, addend_stride]; product [tasks, stride].

#import shared/grid.wgsl

struct Params {
    tasks: u32,
    rows: u32,
    columns: u32,
    matrix_stride: u32,
    row_stride: u32,
    column_stride: u32,
    vector_stride: u32,
    addend_stride: u32,
    stride: u32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> matrices: array<f32>;
@group(0) @binding(2) var<storage, read> matrix_of: array<u32>;
@group(0) @binding(3) var<storage, read> vectors: array<f32>;
@group(0) @binding(4) var<storage, read> vector_of: array<u32>;
@group(0) @binding(5) var<storage, read> addends: array<f32>;
@group(0) @binding(6) var<storage, read> addend_of: array<u32>;
@group(0) @binding(7) var<storage, read_write> product: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = flat_invocation(workgroup, workgroups, local);
    if index >= params.tasks * params.rows {
        return;
    }
    let task = index / params.rows;
    let row = index - task * params.rows;
    var element = matrix_of[task] * params.matrix_stride + row * params.row_stride;
    let vector = vector_of[task] * params.vector_stride;
    let end = vector + params.columns;
    var sum = 0.0;
    for (var at = vector; at < end; at += 1u) {
        sum += matrices[element] * vectors[at];
        element += params.column_stride;
    }
    let addend = addends[addend_of[task] * params.addend_stride + row];
    product[task * params.stride + row] = sum + params.scale * addend;
}
