#import shared/grid.wgsl

// Adds the partial sums of a convolution's weight and bias gradient to the gradient.
//   gradient[t, weight + k] += Σ_s partials[t, s, k]   for k below `weights`; the bias follows
// `added` is weights + biases, or the weights alone.
// An invocation owns one weight or bias of one task. Workgroup memory: none.
// Bindings: partials [tasks, splits, weights + biases] r, gradient (flat, per task) rw.

struct Params {
    tasks: u32,
    splits_per_task: u32,
    weights: u32,
    biases: u32,
    added: u32,
    weight_offset: u32,
    bias_offset: u32,
    gradient_stride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> partials: array<f32>;
@group(0) @binding(2) var<storage, read_write> gradient: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = flat_workgroup(workgroup, count) * 64u + lane;
    let length = params.weights + params.biases;
    let k = index % params.added;
    let task = index / params.added;
    if task >= params.tasks { return; }
    var sum = 0.0;
    var at = task * params.splits_per_task * length + k;
    for (var s = 0u; s < params.splits_per_task; s++) {
        sum += partials[at];
        at += length;
    }
    let offset = select(params.bias_offset + k - params.weights, params.weight_offset + k, k < params.weights);
    gradient[task * params.gradient_stride + offset] += sum;
}
