// Normalisation, scale and shift, and activation, without pooling.
//   y = min(max(γ_c (x − mean) · rstd + β_c, floor), ceiling)
// (mean, rstd) is row (image / images_per_set) · groups + channel / (channels / groups) of the
// statistics; γ and β are those of task image / images_per_task.
// One invocation owns a segment of `segment_pixels` neighbouring pixels of one channel, the last of a
// channel fewer: the norm's numbers are loaded once for all of them.
// Launch: images · channels · ⌈pixels / segment_pixels⌉ invocations. Loop bound: segment_pixels / 4.
// Workgroup memory: none.
// Bindings: input [images, channels, pixels]; statistics [rows, 2]; parameters (flat); output
// [images, channels, pixels] from element output_offset.

#import shared/activation.wgsl
#import shared/grid.wgsl

struct Params {
    images: u32,
    channels: u32,
    pixels: u32,
    segment_pixels: u32,
    groups: u32,
    images_per_set: u32,
    floor: f32,
    ceiling: f32,
    output_offset: u32,
    images_per_task: u32,
    parameter_stride: u32,
    weight_offset: u32,
    bias_offset: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read> statistics: array<f32>;
@group(0) @binding(3) var<storage, read> parameters: array<f32>;
@group(0) @binding(4) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = flat_invocation(workgroup, workgroups, local);
    let segments = (params.pixels + params.segment_pixels - 1u) / params.segment_pixels;
    let plane = index / segments;
    if plane >= params.images * params.channels {
        return;
    }
    let image = plane / params.channels;
    let channel = plane - image * params.channels;
    let row = image / params.images_per_set * params.groups + channel / (params.channels / params.groups);
    let of_task = image / params.images_per_task * params.parameter_stride + channel;
    let mean = statistics[2u * row];
    let slope = parameters[params.weight_offset + of_task] * statistics[2u * row + 1u];
    let shift = parameters[params.bias_offset + of_task];

    var at = plane * params.pixels + (index - plane * segments) * params.segment_pixels;
    let end = min(at + params.segment_pixels, (plane + 1u) * params.pixels);
    loop {
        let left = end - at;
        let last = left - 1u;
        let x = vec4<f32>(input[at], input[at + min(1u, last)], input[at + min(2u, last)], input[at + min(3u, last)]);
        let z = (x - mean) * slope + shift;
        let to = params.output_offset + at;
        output[to] = activate(z.x, params.floor, params.ceiling);
        if left > 1u { output[to + 1u] = activate(z.y, params.floor, params.ceiling); }
        if left > 2u { output[to + 2u] = activate(z.z, params.floor, params.ceiling); }
        if left > 3u { output[to + 3u] = activate(z.w, params.floor, params.ceiling); }
        at += 4u;
        if at >= end {
            break;
        }
    }
}
