// Mean over the pixels of each channel.
//   y = Σ x / pixels
// One invocation owns one (image, channel).
// Launch: images · channels invocations. Workgroup memory: none. Loop bound: pixels / 4 + 3.
// Bindings: input [images, channels, pixels]; output [images, channels]
// from element output_offset.

#import shared/grid.wgsl

struct Params {
    images: u32,
    channels: u32,
    pixels: u32,
    output_offset: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let plane = flat_invocation(workgroup, workgroups, local);
    if plane >= params.images * params.channels {
        return;
    }
    var at = plane * params.pixels;
    let end = at + params.pixels;
    let end_of_fours = at + (params.pixels & ~3u);
    // Four running sums: shorter chains round less, and the loads of a step are independent.
    var sum = vec4<f32>(0.0);
    for (; at < end_of_fours; at += 4u) {
        sum += vec4<f32>(input[at], input[at + 1u], input[at + 2u], input[at + 3u]);
    }
    for (; at < end; at += 1u) {
        sum.x += input[at];
    }
    output[params.output_offset + plane] = ((sum.x + sum.y) + (sum.z + sum.w)) / f32(params.pixels);
}
