// Inner products that the matrices of all classes of a task share.
//   A_ij = Σ_k first_ik second_jk
//   of the features, Xᵀ X (size = dimension):  row_stride = 1, column_stride = dimension, terms = support
//   of the support, X Xᵀ (size = support):     row_stride = dimension, column_stride = 1, terms = dimension
// One invocation owns one element of one task.
// Launch: tasks · size · size invocations. Workgroup memory: none. Loop bound: terms.
// Bindings: first, second [tasks, support, dimension]; gram [tasks, stride], of which A is the
// elements from `offset` on.

#import shared/grid.wgsl

struct Params {
    tasks: u32,
    size: u32,
    terms: u32,
    row_stride: u32,
    column_stride: u32,
    stride: u32,
    offset: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> first: array<f32>;
@group(0) @binding(2) var<storage, read> second: array<f32>;
@group(0) @binding(3) var<storage, read_write> gram: array<f32>;

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
    let start = task * params.size * params.terms;
    var a = start + row * params.row_stride;
    var b = start + column * params.row_stride;
    let end = a + params.terms * params.column_stride;
    var sum = 0.0;
    for (; a < end; a += params.column_stride) {
        sum += first[a] * second[b];
        b += params.column_stride;
    }
    gram[task * params.stride + params.offset + element] = sum;
}
