// Residuals of a linear classifier on the support.
//   l_w = Σ_i W_wi x_i + b_w        residual_w = softmax(l)_w − [w = y]
// residual_y is taken as minus the sum of the other probabilities, which keeps its digits.
// One invocation owns one image.
// Launch: tasks · support invocations. Workgroup memory: none.
// Loop bound: ⌈ways / 4⌉ · (dimension + 4) + 3 · ways.
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

    let image = flat_invocation(workgroup, workgroups, local);
    if image >= params.tasks * params.support {
        return;
    }
    let row = image * params.ways;
    write_products(image * params.dimension, image / params.support * params.stride, row);
    let label = row + labels[image];
    let end = row + params.ways;
    var largest = products[row];
    for (var at = row; at < end; at += 1u) {
        largest = max(largest, products[at]);
    }
    var others = 0.0;
    for (var at = row; at < end; at += 1u) {
        others += select(exp(products[at] - largest), 0.0, at == label);
    }
    let total = others + exp(products[label] - largest);
    for (var at = row; at < end; at += 1u) {
        products[at] = select(exp(products[at] - largest), -others, at == label) / total;
    }
}
