// A linear layer.
//   y_o = Σ_i W_oi x_i + b_o          W [out_features, in_features]
// for `images` images from first_image on, counted over all tasks; the weights and biases are those
// of task image / images_per_task. bias_offset = NONE: no bias. accumulate = 1: adds to what is
// there, the second product of a tangent.
// One invocation owns one output feature of one image.
// Launch: images · out_features invocations. Workgroup memory: none. Loop bound: in_features.
// Bindings: input [images, in_features]; parameters (flat); output [images, out_features].

#import shared/grid.wgsl

struct Params {
    first_image: u32,
    images: u32,
    in_features: u32,
    out_features: u32,
    images_per_task: u32,
    parameter_stride: u32,
    weight_offset: u32,
    bias_offset: u32,
    accumulate: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read> parameters: array<f32>;
@group(0) @binding(3) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = flat_invocation(workgroup, workgroups, local);
    if index >= params.images * params.out_features {
        return;
    }
    let number = index / params.out_features;
    let feature = index - number * params.out_features;
    let image = params.first_image + number;
    let task_offset = image / params.images_per_task * params.parameter_stride;
    let weights = params.weight_offset + task_offset + feature * params.in_features;
    let inputs = image * params.in_features;
    var sum = 0.0;
    for (var i = 0u; i < params.in_features; i += 1u) {
        sum += parameters[weights + i] * input[inputs + i];
    }
    if params.bias_offset != NONE {
        sum += parameters[params.bias_offset + task_offset + feature];
    }
    let at = image * params.out_features + feature;
    if params.accumulate != 0u {
        sum += output[at];
    }
    output[at] = sum;
}
