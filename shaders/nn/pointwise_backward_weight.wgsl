// Partial sums of the weight and bias gradient of a 1×1 convolution.
//   partials[s, o, n]      = Σ_{i, p in split s} dy[i,o,p] · x[i,n,p]
//   partials[s, bias o]    = Σ_{i, p in split s} dy[i,o,p]
// Split s holds images_per_split images of task s / splits_per_task, or, where an image has `segments`
// above one, `segment_pixels` pixels of one image; the last of a task or image fewer.
// conv2d_reduce_partials adds the splits to the gradient.
// One invocation owns 16 output channels × 8 input channels of one split, in registers.
// Launch: splits · ⌈out_channels / 16⌉ · ⌈in_channels / 8⌉ invocations. Loop bound: images_per_split ·
// segment_pixels, which the host keeps below 65,535. Workgroup memory: none.
// Bindings: input [images, in_channels, pixels]; d_output [images, out_channels, pixels]; partials
// [splits, out_channels · in_channels + out_channels].

#import shared/grid.wgsl

struct Params {
    images: u32,
    in_channels: u32,
    out_channels: u32,
    pixels: u32,
    splits: u32,
    images_per_split: u32,
    // Of an image; above one only where images_per_split is one.
    segments: u32,
    segment_pixels: u32,
    splits_per_task: u32,
    images_per_task: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read> d_output: array<f32>;
@group(0) @binding(3) var<storage, read_write> partials: array<f32>;

// [inputs][16 outputs]
alias Sums = array<vec4<f32>, 32>;

// Sixteen output channels.
struct Outputs {
    a: vec4<f32>,
    b: vec4<f32>,
    c: vec4<f32>,
    d: vec4<f32>,
}

fn one_input(d: Outputs, x: f32, s: u32, sums: ptr<function, Sums>) {
    (*sums)[s] = fma(d.a, vec4<f32>(x), (*sums)[s]);
    (*sums)[s + 1u] = fma(d.b, vec4<f32>(x), (*sums)[s + 1u]);
    (*sums)[s + 2u] = fma(d.c, vec4<f32>(x), (*sums)[s + 2u]);
    (*sums)[s + 3u] = fma(d.d, vec4<f32>(x), (*sums)[s + 3u]);
}

fn four_inputs(d: Outputs, x: vec4<f32>, s: u32, sums: ptr<function, Sums>) {
    one_input(d, x.x, s, sums);
    one_input(d, x.y, s + 4u, sums);
    one_input(d, x.z, s + 8u, sums);
    one_input(d, x.w, s + 12u, sums);
}

// Four channels from `first` on; those past the last repeat it, and are not stored.
fn planes(first: u32, channels: u32) -> vec4<u32> {
    return min(vec4<u32>(first, first + 1u, first + 2u, first + 3u), vec4<u32>(channels - 1u)) * params.pixels;
}

fn load(at: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(d_output[at.x], d_output[at.y], d_output[at.z], d_output[at.w]);
}

fn load_input(at: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(input[at.x], input[at.y], input[at.z], input[at.w]);
}

fn put(at: u32, step: u32, channels: u32, value: vec4<f32>) {
    if channels > 0u { partials[at] = value.x; }
    if channels > 1u { partials[at + step] = value.y; }
    if channels > 2u { partials[at + 2u * step] = value.z; }
    if channels > 3u { partials[at + 3u * step] = value.w; }
}

// Sixteen output channels of one input, or as many biases.
fn put_all(at: u32, step: u32, channels: u32, value: Outputs) {
    put(at, step, channels, value.a);
    put(at + 4u * step, step, max(channels, 4u) - 4u, value.b);
    put(at + 8u * step, step, max(channels, 8u) - 8u, value.c);
    put(at + 12u * step, step, max(channels, 12u) - 12u, value.d);
}

@compute @workgroup_size(32)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = flat_workgroup(workgroup, workgroups) * 32u + local;
    let input_blocks = (params.in_channels + 7u) / 8u;
    let output_blocks = (params.out_channels + 15u) / 16u;
    let n = index % input_blocks * 8u;
    let o = index / input_blocks % output_blocks * 16u;
    let split = index / (input_blocks * output_blocks);
    if split >= params.splits {
        return;
    }
    let task = split / params.splits_per_task;
    let number = split - task * params.splits_per_task;
    let first = task * params.images_per_task + number / params.segments * params.images_per_split;
    let last = min(first + params.images_per_split, min((task + 1u) * params.images_per_task, params.images));
    let segment = number % params.segments * params.segment_pixels;
    let segment_end = min(segment + params.segment_pixels, params.pixels);

    let planes_a = planes(o, params.out_channels);
    let planes_b = planes(o + 4u, params.out_channels);
    let planes_c = planes(o + 8u, params.out_channels);
    let planes_d = planes(o + 12u, params.out_channels);
    let inputs_0 = planes(n, params.in_channels);
    let inputs_1 = planes(n + 4u, params.in_channels);

    var sums = Sums();
    var bias = Outputs();
    for (var i = first; i < last; i += 1u) {
        let from_input = i * params.in_channels * params.pixels;
        let from_output = i * params.out_channels * params.pixels;
        for (var p = segment; p < segment_end; p += 1u) {
            let at = from_output + p;
            let d = Outputs(load(planes_a + at), load(planes_b + at), load(planes_c + at), load(planes_d + at));
            bias.a += d.a;
            bias.b += d.b;
            bias.c += d.c;
            bias.d += d.d;
            four_inputs(d, load_input(inputs_0 + from_input + p), 0u, &sums);
            four_inputs(d, load_input(inputs_1 + from_input + p), 16u, &sums);
        }
    }

    let outputs = params.out_channels - o;
    let inputs = params.in_channels - n;
    let step = params.in_channels;
    let row = split * params.out_channels * (step + 1u);
    let at = row + o * step + n;
    if n == 0u {
        put_all(row + params.out_channels * step + o, 1u, outputs, bias);
    }
    put_all(at, step, outputs, Outputs(sums[0], sums[1], sums[2], sums[3]));
    if inputs > 1u {
        put_all(at + 1u, step, outputs, Outputs(sums[4], sums[5], sums[6], sums[7]));
    }
    if inputs > 2u {
        put_all(at + 2u, step, outputs, Outputs(sums[8], sums[9], sums[10], sums[11]));
    }
    if inputs > 3u {
        put_all(at + 3u, step, outputs, Outputs(sums[12], sums[13], sums[14], sums[15]));
    }
    if inputs > 4u {
        put_all(at + 4u, step, outputs, Outputs(sums[16], sums[17], sums[18], sums[19]));
    }
    if inputs > 5u {
        put_all(at + 5u, step, outputs, Outputs(sums[20], sums[21], sums[22], sums[23]));
    }
    if inputs > 6u {
        put_all(at + 6u, step, outputs, Outputs(sums[24], sums[25], sums[26], sums[27]));
    }
    if inputs > 7u {
        put_all(at + 7u, step, outputs, Outputs(sums[28], sums[29], sums[30], sums[31]));
    }
}
