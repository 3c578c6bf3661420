// Gradient of the mean over the pixels of each channel.
//   dx = dy / pixels        where accumulate: dx += dy / pixels
// One invocation owns one pixel of one channel.
// Launch: images · channels · pixels invocations. Workgroup memory: none.
// Bindings: d_output [images, channels] from element d_output_offset; d_input [images, channels, pixels].

#import shared/grid.wgsl

struct Params {
    images: u32,
    channels: u32,
    pixels: u32,
    d_output_offset: u32,
    accumulate: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> d_output: array<f32>;
@group(0) @binding(2) var<storage, read_write> d_input: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let index = flat_invocation(workgroup, workgroups, local);
    if index >= params.images * params.channels * params.pixels {
        return;
    }
    var value = d_output[params.d_output_offset + index / params.pixels] / f32(params.pixels);
    if params.accumulate != 0u {
        value += d_input[index];
    }
    d_input[index] = value;
}
