#import shared/grid.wgsl

// Gradient of a convolution with respect to its input: the baseline kernel.
//   dx[i,n,r,c] = Σ_{o,u,v} w[o,n,u,v] · dy[i,o,(r+padding−u)/stride,(c+padding−v)/stride]
//   over the taps for which both divisions are exact and inside.
// An invocation owns one input element. Workgroup memory: none.
// Bindings: d_output [I,O,Ho,Wo] r, parameters (flat, per task) r, d_input [I,N,H,W] rw.

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
    // 1: adds to what is there.
    accumulate: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> d_output: array<f32>;
@group(0) @binding(2) var<storage, read> parameters: array<f32>;
@group(0) @binding(3) var<storage, read_write> d_input: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = flat_workgroup(workgroup, count) * 64u + lane;
    let area = params.in_height * params.in_width;
    let pixel = index % area;
    let n = (index / area) % params.in_channels;
    let image = index / (area * params.in_channels);
    if image >= params.images { return; }

    let base = image / params.images_per_task * params.parameter_stride + params.weight_offset;
    let out_area = params.out_height * params.out_width;
    let taps = params.kernel * params.kernel;
    let y = pixel / params.in_width + params.padding;
    let x = pixel % params.in_width + params.padding;
    var sum = 0.0;
    for (var u = 0u; u < min(params.kernel, y + 1u); u++) {
        let row = (y - u) / params.stride;
        if row * params.stride != y - u || row >= params.out_height { continue; }
        for (var v = 0u; v < min(params.kernel, x + 1u); v++) {
            let column = (x - v) / params.stride;
            if column * params.stride != x - v || column >= params.out_width { continue; }
            var weight = base + n * taps + u * params.kernel + v;
            var at = image * params.out_channels * out_area + row * params.out_width + column;
            for (var o = 0u; o < params.out_channels; o++) {
                sum = fma(parameters[weight], d_output[at], sum);
                weight += params.in_channels * taps;
                at += out_area;
            }
        }
    }
    if params.accumulate != 0u { sum += d_input[index]; }
    d_input[index] = sum;
}
