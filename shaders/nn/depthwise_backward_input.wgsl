// Gradient of a depthwise convolution with respect to its input.
//   dx[i,c,y,x] = Σ_{u,v} w[c,u,v] · dy[i, c, (y + padding − u) / stride, (x + padding − v) / stride]
// over the u, v for which the divisions leave no rest and the pixel lies inside the output.
// One invocation owns one pixel of one channel of the input.
// Launch: images · channels · in_height · in_width invocations. Loop bound: kernel².
// Workgroup memory: none.
// Bindings: d_output [images, channels, out_height, out_width]; parameters (flat);
// d_input [images, channels, in_height, in_width], added to where `accumulate` is 1.

#import shared/grid.wgsl

struct Params {
    images: u32,
    channels: u32,
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
    let row = index / params.in_width;
    let plane = row / params.in_height;
    if plane >= params.images * params.channels {
        return;
    }
    let image = plane / params.channels;
    let channel = plane - image * params.channels;
    // See depthwise_forward for why the bound is disguised.
    let kernel = params.kernel + local / WORKGROUP_INVOCATIONS;
    let y = row - plane * params.in_height + params.padding;
    let x = index - row * params.in_width + params.padding;
    let weights = image / params.images_per_task * params.parameter_stride + params.weight_offset
        + channel * params.kernel * params.kernel;
    let first = plane * params.out_height * params.out_width;
    var sum = 0.0;
    for (var u = 0u; u < min(kernel, y + 1u); u += 1u) {
        let out_y = (y - u) / params.stride;
        if out_y * params.stride != y - u || out_y >= params.out_height {
            continue;
        }
        for (var v = 0u; v < min(kernel, x + 1u); v += 1u) {
            let out_x = (x - v) / params.stride;
            if out_x * params.stride == x - v && out_x < params.out_width {
                let value = d_output[first + out_y * params.out_width + out_x];
                sum = fma(parameters[weights + u * kernel + v], value, sum);
            }
        }
    }
    if params.accumulate != 0u {
        sum += d_input[index];
    }
    d_input[index] = sum;
}
