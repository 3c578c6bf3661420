// Gradient of a linear layer with respect to its input.
//   dx_i = Σ_o W_oi dy_o          W [out_features, in_features]
// for `images` images from first_image on, counted over all tasks; the weights are those of task
// image / images_per_task. accumulate = 1: adds to what is there, the second product of a tangent.
// One invocation owns one input feature of one image.
// Launch: images · in_features invocations. Workgroup memory: none. Loop bound: out_features.
// Bindings: d_output [images, out_features]; parameters (flat); d_input [images, in_features].

#import shared/grid.wgsl

struct Params {
    first_image: u32,
    images: u32,
    in_features: u32,
    out_features: u32,
    images_per_task: u32,
    parameter_stride: u32,
    weight_offset: u32,
    accumulate: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> d_output: array<f32>;
@group(0) @binding(2) var<storage, read> parameters: array<f32>;
@group(0) @binding(3) var<storage, read_write> d_input: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = flat_invocation(workgroup, workgroups, local);
    if index >= params.images * params.in_features {
        return;
    }
    let number = index / params.in_features;
    let feature = index - number * params.in_features;
    let image = params.first_image + number;
    var weight = params.weight_offset
        + image / params.images_per_task * params.parameter_stride + feature;
    let outputs = image * params.out_features;
    var sum = 0.0;
    for (var o = 0u; o < params.out_features; o += 1u) {
        sum += parameters[weight] * d_output[outputs + o];
        weight += params.in_features;
    }
    let at = image * params.in_features + feature;
    if params.accumulate != 0u {
        sum += d_input[at];
    }
    d_input[at] = sum;
}
