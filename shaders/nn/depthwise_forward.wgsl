// Convolution of each channel by itself.
//   y[i,c,r,s] = Σ_{u,v} w[c,u,v] · x[i, c, stride·r + u − padding, stride·s + v − padding]
// with zeros outside the image; w is that of task i / images_per_task. accumulate = 1: added to what is
// there.
// One invocation owns four neighbouring pixels of one row of the output.
// Launch: images · channels · out_height · ⌈out_width / 4⌉ invocations. Loop bound: kernel².
// Workgroup memory: none.
// Bindings: input [images, channels, in_height, in_width]; parameters (flat);
// output [images, channels, out_height, out_width].

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
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read> parameters: array<f32>;
@group(0) @binding(3) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = flat_invocation(workgroup, workgroups, local);
    let quads = (params.out_width + 3u) / 4u;
    let row = index / quads;
    let plane = row / params.out_height;
    if plane >= params.images * params.channels {
        return;
    }
    let image = plane / params.channels;
    let channel = plane - image * params.channels;
    let out_x = 4u * (index - row * quads);
    let out_y = row - plane * params.out_height;

    // Never known to the compiler before the launch: a loop over parameters alone would be compiled
    // anew for each of their values.
    let kernel = params.kernel + local / WORKGROUP_INVOCATIONS;
    let last_x = i32(params.in_width) - 1;
    let y = i32(out_y * params.stride) - i32(params.padding);
    let x = vec4<i32>(vec4<u32>(out_x, out_x + 1u, out_x + 2u, out_x + 3u) * params.stride)
        - vec4<i32>(i32(params.padding));
    var weight = image / params.images_per_task * params.parameter_stride + params.weight_offset
        + channel * params.kernel * params.kernel;
    let first = i32(plane * params.in_height * params.in_width);
    var sum = vec4<f32>(0.0);
    for (var u = 0u; u < kernel; u += 1u) {
        let in_y = y + i32(u);
        if in_y < 0 || in_y >= i32(params.in_height) {
            weight += kernel;
            continue;
        }
        let start = first + in_y * i32(params.in_width);
        for (var v = 0u; v < kernel; v += 1u) {
            let column = x + vec4<i32>(i32(v));
            let inside = (column >= vec4<i32>(0)) & (column <= vec4<i32>(last_x));
            let at = vec4<i32>(start) + clamp(column, vec4<i32>(0), vec4<i32>(last_x));
            let values = vec4<f32>(input[at.x], input[at.y], input[at.z], input[at.w]);
            sum = fma(vec4<f32>(parameters[weight]), select(vec4<f32>(0.0), values, inside), sum);
            weight += 1u;
        }
    }

    let to = row * params.out_width + out_x;
    let columns = params.out_width - out_x;
    if params.accumulate != 0u {
        let at = to + min(vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(columns - 1u));
        sum += vec4<f32>(output[at.x], output[at.y], output[at.z], output[at.w]);
    }
    output[to] = sum.x;
    if columns > 1u {
        output[to + 1u] = sum.y;
    }
    if columns > 2u {
        output[to + 2u] = sum.z;
    }
    if columns > 3u {
        output[to + 3u] = sum.w;
    }
}
