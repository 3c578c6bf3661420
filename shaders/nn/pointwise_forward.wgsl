// 1×1 convolution, for 32 output channels at a time, on packed weights.
//   y[i,o,p] = b[o] + Σ_n w[o,n] · x[i,n,p]
// The same kernel is the backward pass to the input, on the transposed packing.
// One launch owns the output channels first_output … first_output+31 and a slab of up to 512 input
// channels, for `images` images from first_image on, which share their weights. Later slabs, and
// the second product of a tangent, accumulate. An invocation owns 32 channels × four neighbouring
// pixels.
// Weights come as a uniform, packed [512 inputs][32 outputs] (pointwise_pack): a broadcast from
// there is far cheaper than a storage load, on processors as on GPUs.
// Launch: images · ⌈pixels / 4⌉ invocations. Loop bound: slab_inputs. Workgroup memory: none.
// Bindings: input [images, in_channels, pixels]; weights (uniform); parameters (the bias);
// output [images, out_channels, pixels].

#import shared/block_of_outputs.wgsl
#import shared/grid.wgsl

struct Params {
    first_image: u32,
    images: u32,
    in_channels: u32,
    out_channels: u32,
    pixels: u32,
    first_input: u32,
    slab_inputs: u32,
    first_output: u32,
    // NONE: no bias.
    bias_offset: u32,
    // 1: adds to what is there.
    accumulate: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<uniform> weights: array<vec4<f32>, 4096>;
@group(0) @binding(3) var<storage, read> parameters: array<f32>;
@group(0) @binding(4) var<storage, read_write> output: array<f32>;

fn put(channel: u32, first: u32, columns: u32, bias: u32, sum: vec4<f32>) {
    if params.first_output + channel >= params.out_channels {
        return;
    }
    let at = first + channel * params.pixels;
    let last = columns - 1u;
    var value = sum;
    if params.accumulate != 0u {
        value += vec4<f32>(
            output[at], output[at + min(1u, last)], output[at + min(2u, last)], output[at + min(3u, last)],
        );
    }
    if params.bias_offset != NONE {
        value += parameters[bias + channel];
    }
    output[at] = value.x;
    if columns > 1u { output[at + 1u] = value.y; }
    if columns > 2u { output[at + 2u] = value.z; }
    if columns > 3u { output[at + 3u] = value.w; }
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = flat_invocation(workgroup, workgroups, local);
    let quads = (params.pixels + 3u) / 4u;
    let number = index / quads;
    if number >= params.images {
        return;
    }
    let image = params.first_image + number;
    let pixel = 4u * (index - number * quads);
    let columns = params.pixels - pixel;
    let last = columns - 1u;
    let steps = vec4<u32>(0u, min(1u, last), min(2u, last), min(3u, last));

    var sums = Sums();
    var at = steps + (image * params.in_channels + params.first_input) * params.pixels + pixel;
    // From an address on, not from zero: a loop over parameters alone would be compiled anew for
    // each of their values.
    let end = at.x + params.slab_inputs * params.pixels;
    var weight = 0u;
    while at.x < end {
        let x = vec4<f32>(input[at.x], input[at.y], input[at.z], input[at.w]);
        four(weights[weight], x, 0u, &sums);
        four(weights[weight + 1u], x, 4u, &sums);
        four(weights[weight + 2u], x, 8u, &sums);
        four(weights[weight + 3u], x, 12u, &sums);
        four(weights[weight + 4u], x, 16u, &sums);
        four(weights[weight + 5u], x, 20u, &sums);
        four(weights[weight + 6u], x, 24u, &sums);
        four(weights[weight + 7u], x, 28u, &sums);
        weight += 8u;
        at += vec4<u32>(params.pixels);
    }

    let first = (image * params.out_channels + params.first_output) * params.pixels + pixel;
    let bias = params.bias_offset + params.first_output;
    put(0u, first, columns, bias, sums[0]);
    put(1u, first, columns, bias, sums[1]);
    put(2u, first, columns, bias, sums[2]);
    put(3u, first, columns, bias, sums[3]);
    put(4u, first, columns, bias, sums[4]);
    put(5u, first, columns, bias, sums[5]);
    put(6u, first, columns, bias, sums[6]);
    put(7u, first, columns, bias, sums[7]);
    put(8u, first, columns, bias, sums[8]);
    put(9u, first, columns, bias, sums[9]);
    put(10u, first, columns, bias, sums[10]);
    put(11u, first, columns, bias, sums[11]);
    put(12u, first, columns, bias, sums[12]);
    put(13u, first, columns, bias, sums[13]);
    put(14u, first, columns, bias, sums[14]);
    put(15u, first, columns, bias, sums[15]);
    put(16u, first, columns, bias, sums[16]);
    put(17u, first, columns, bias, sums[17]);
    put(18u, first, columns, bias, sums[18]);
    put(19u, first, columns, bias, sums[19]);
    put(20u, first, columns, bias, sums[20]);
    put(21u, first, columns, bias, sums[21]);
    put(22u, first, columns, bias, sums[22]);
    put(23u, first, columns, bias, sums[23]);
    put(24u, first, columns, bias, sums[24]);
    put(25u, first, columns, bias, sums[25]);
    put(26u, first, columns, bias, sums[26]);
    put(27u, first, columns, bias, sums[27]);
    put(28u, first, columns, bias, sums[28]);
    put(29u, first, columns, bias, sums[29]);
    put(30u, first, columns, bias, sums[30]);
    put(31u, first, columns, bias, sums[31]);
}
