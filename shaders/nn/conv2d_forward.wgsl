#import shared/grid.wgsl

// Convolution of any kernel size, stride and zero padding, with bias: the baseline kernel.
//   y[i,o,r,c] = b[o] + Σ_{n,u,v} w[o,n,u,v] · x[i,n, r·stride+u−padding, c·stride+v−padding]
// An invocation owns one output pixel of 4 output channels. Workgroup memory: none.
// Bindings: input [I,N,H,W] r, parameters (flat, per task) r, output [I,O,Ho,Wo] rw.

struct Params {
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
    images_per_task: u32,
    parameter_stride: u32,
    weight_offset: u32,
    // NONE: no bias.
    bias_offset: u32,
    // 1: adds to what is there.
    accumulate: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read> parameters: array<f32>;
@group(0) @binding(3) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = flat_workgroup(workgroup, count) * 64u + lane;
    let out_area = params.out_height * params.out_width;
    let blocks = (params.out_channels + 3u) / 4u;
    let pixel = index % out_area;
    let o = (index / out_area) % blocks * 4u;
    let image = index / (out_area * blocks);
    if image >= params.images { return; }

    let base = image / params.images_per_task * params.parameter_stride;
    let y = i32(pixel / params.out_width * params.stride) - i32(params.padding);
    let x = i32(pixel % params.out_width * params.stride) - i32(params.padding);
    // Channels past the last repeat it; they are not stored.
    let last = params.out_channels - 1u - o;
    let steps = vec4(0u, min(1u, last), min(2u, last), min(3u, last));
    var sum = vec4(0.0);
    if params.bias_offset != NONE {
        let bias = vec4(base + params.bias_offset + o) + steps;
        sum = vec4(parameters[bias.x], parameters[bias.y], parameters[bias.z], parameters[bias.w]);
    }
    let taps = params.kernel * params.kernel;
    let weight_steps = steps * params.in_channels * taps;
    for (var n = 0u; n < params.in_channels; n++) {
        let plane = (image * params.in_channels + n) * params.in_height * params.in_width;
        let weight = base + params.weight_offset + (o * params.in_channels + n) * taps;
        for (var u = 0u; u < params.kernel; u++) {
            let row = y + i32(u);
            if row < 0 || row >= i32(params.in_height) { continue; }
            for (var v = 0u; v < params.kernel; v++) {
                let column = x + i32(v);
                if column < 0 || column >= i32(params.in_width) { continue; }
                let value = input[plane + u32(row) * params.in_width + u32(column)];
                let at = weight_steps + weight + u * params.kernel + v;
                let w = vec4(parameters[at.x], parameters[at.y], parameters[at.z], parameters[at.w]);
                sum = fma(w, vec4(value), sum);
            }
        }
    }
    let at = (image * params.out_channels + o) * out_area + pixel;
    if params.accumulate != 0u {
        let there = vec4(at) + steps * out_area;
        sum += vec4(output[there.x], output[there.y], output[there.z], output[there.w]);
    }
    output[at] = sum.x;
    if last > 0u { output[at + out_area] = sum.y; }
    if last > 1u { output[at + 2u * out_area] = sum.z; }
    if last > 2u { output[at + 3u * out_area] = sum.w; }
}
