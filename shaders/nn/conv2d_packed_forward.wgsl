// Convolution of any kernel size, stride and zero padding, for 32 output channels at a time, on packed
// weights.
//   y[i,o,r,c] = b[o] + Σ_{n,u,v} w[o,n,u,v] · x[i,n, r·stride+u−padding, c·stride+v−padding]
// The terms of the sum are numbered (n·k + u)·k + v, as the weights lie. One launch owns the output
// channels first_output … first_output+31 and a slab of up to 512 terms, for `images` images from
// first_image on, which share their weights. Later slabs, and the second product of a tangent,
// accumulate. An invocation owns 32 channels × four neighbouring pixels of a row.
// Weights come as a uniform, packed [512 terms][32 outputs] (pointwise_pack): a broadcast from there
// is far cheaper than a storage load, on processors as on GPUs.
// Launch: images · out_height · ⌈out_width / 4⌉ invocations. Loop bound: slab_terms. Workgroup memory:
// none.
// Bindings: input [images, in_channels, in_height, in_width]; weights (uniform); parameters (the
// bias); output [images, out_channels, out_height, out_width].

#import shared/block_of_outputs.wgsl
#import shared/grid.wgsl

struct Params {
    first_image: u32,
    images: u32,
    in_channels: u32,
    out_channels: u32,
    in_height: u32,
    in_width: u32,
    out_height: u32,
    out_width: u32,
    kernel: u32,
    stride: u32,
    padding: u32,
    first_term: u32,
    slab_terms: u32,
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
    let at = first + channel * params.out_height * params.out_width;
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
    let quads = (params.out_width + 3u) / 4u;
    let row = index / quads;
    let number = row / params.out_height;
    if number >= params.images {
        return;
    }
    let image = params.first_image + number;
    let out_y = row - number * params.out_height;
    let out_x = 4u * (index - row * quads);
    let columns = params.out_width - out_x;

    let last_x = i32(params.in_width) - 1;
    let in_height = i32(params.in_height);
    let kernel = i32(params.kernel);
    let area = in_height * i32(params.in_width);
    let y = i32(out_y * params.stride) - i32(params.padding);
    let x = vec4<i32>(vec4<u32>(out_x, out_x + 1u, out_x + 2u, out_x + 3u) * params.stride)
        - vec4<i32>(i32(params.padding));
    // Where the first term stands: channel n, row u and column v of the kernel.
    let taps = params.kernel * params.kernel;
    let n = params.first_term / taps;
    let tap = params.first_term - n * taps;
    var u = i32(tap / params.kernel);
    var v = i32(tap % params.kernel);
    var plane = i32(image * params.in_channels + n) * area;

    var sums = Sums();
    var weight = 0u;
    // Never known to the compiler before the launch: see pointwise_forward.
    let end = 8u * (params.slab_terms + local / WORKGROUP_INVOCATIONS);
    loop {
        let in_y = y + u;
        let in_x = x + vec4<i32>(v);
        let is_row = in_y >= 0 && in_y < in_height;
        let is_inside = (in_x >= vec4<i32>(0)) & (in_x <= vec4<i32>(last_x)) & vec4<bool>(is_row);
        let at = clamp(in_x, vec4<i32>(0), vec4<i32>(last_x))
            + vec4<i32>(plane + clamp(in_y, 0, in_height - 1) * i32(params.in_width));
        let values = vec4<f32>(input[at.x], input[at.y], input[at.z], input[at.w]);
        let x = select(vec4<f32>(0.0), values, is_inside);
        four(weights[weight], x, 0u, &sums);
        four(weights[weight + 1u], x, 4u, &sums);
        four(weights[weight + 2u], x, 8u, &sums);
        four(weights[weight + 3u], x, 12u, &sums);
        four(weights[weight + 4u], x, 16u, &sums);
        four(weights[weight + 5u], x, 20u, &sums);
        four(weights[weight + 6u], x, 24u, &sums);
        four(weights[weight + 7u], x, 28u, &sums);
        weight += 8u;
        if weight >= end {
            break;
        }
        // The next column, row or channel.
        v += 1;
        let is_row_over = v == kernel;
        v = select(v, 0, is_row_over);
        u += select(0, 1, is_row_over);
        let is_channel_over = u == kernel;
        u = select(u, 0, is_channel_over);
        plane += select(0, area, is_channel_over);
    }

    let pixel = out_y * params.out_width + out_x;
    let first = (image * params.out_channels + params.first_output) * params.out_height * params.out_width + pixel;
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
