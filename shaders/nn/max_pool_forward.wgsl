// Max-pooling whose windows may overlap; with the tangent of x as values, also its tangent.
//   y[r,s] = values at the first largest x[stride·r + u − padding, stride·s + v − padding], u, v < kernel
// over the pixels inside the image; every window has at least one. values = x: the largest itself.
// One invocation owns one cell of the output.
// Launch: images · channels · out_height · out_width invocations. Loop bound: kernel².
// Workgroup memory: none.
// Bindings: input, values [images · channels, in_height, in_width];
// output [images · channels, out_height, out_width].

#import shared/grid.wgsl

struct Params {
    planes: u32,
    in_height: u32,
    in_width: u32,
    out_height: u32,
    out_width: u32,
    kernel: u32,
    stride: u32,
    padding: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read> values: array<f32>;
@group(0) @binding(3) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = flat_invocation(workgroup, workgroups, local);
    let row = index / params.out_width;
    let plane = row / params.out_height;
    if plane >= params.planes {
        return;
    }
    // The window in padded coordinates, and the part of it inside the image.
    let window_y = (row - plane * params.out_height) * params.stride;
    let window_x = (index - row * params.out_width) * params.stride;
    let top = max(window_y, params.padding) - params.padding;
    let left = max(window_x, params.padding) - params.padding;
    let bottom = min(window_y + params.kernel - params.padding, params.in_height);
    let right = min(window_x + params.kernel - params.padding, params.in_width);
    let first = plane * params.in_height * params.in_width;
    var pixel = first + top * params.in_width + left;
    var best = input[pixel];
    for (var y = top; y < bottom; y += 1u) {
        for (var x = left; x < right; x += 1u) {
            let at = first + y * params.in_width + x;
            if input[at] > best {
                best = input[at];
                pixel = at;
            }
        }
    }
    output[index] = values[pixel];
}
