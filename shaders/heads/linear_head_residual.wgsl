// Residuals of a linear classifier on the support.
//   l_w = Σ_i W_wi x_i + b_w        residual_w = softmax(l)_w − [w = y]
// residual_y is taken as minus the sum of the other probabilities, which keeps its digits.
// One workgroup owns one image: invocation k the features k, k + 64, …, then the ways k, k + 64, …
// Launch: tasks · support · 64 invocations. Workgroup memory: 1,040 bytes.
// Loop bound: ⌈ways / 4⌉ · (dimension / 64 + 66) + 2 · ways + ways / 64 + 1.
// Bindings: embeddings [tasks, support, dimension]; labels [tasks, support]; weights [tasks,
// stride] (shared/linear_head.wgsl); products [tasks, support, ways], the residuals.

#import shared/linear_head.wgsl

struct Params {
    tasks: u32,
    support: u32,
    ways: u32,
    dimension: u32,
    stride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> embeddings: array<f32>;
@group(0) @binding(2) var<storage, read> labels: array<u32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(4) var<storage, read_write> products: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let image = flat_workgroup(workgroup, workgroups);
    if image >= params.tasks * params.support {
        return;
    }
    let row = image * params.ways;
    write_products(local, image * params.dimension, image / params.support * params.stride, row);
    let label = labels[image];
    var largest = products[row];
    for (var way = 1u; way < params.ways; way += 1u) {
        largest = max(largest, products[row + way]);
    }
    var others = 0.0;
    for (var way = 0u; way < params.ways; way += 1u) {
        others += select(exp(products[row + way] - largest), 0.0, way == label);
    }
    let total = others + exp(products[row + label] - largest);
    // Everyone has read the products before anyone replaces them.
    storageBarrier();
    for (var way = local; way < params.ways; way += WORKGROUP_INVOCATIONS) {
        products[row + way] = select(exp(products[row + way] - largest), -others, way == label) / total;
    }
}
