// Gradient of max-pooling: each cell's goes to the first pixel, in reading order, that is largest in
// its window.
//   dx[y,x] = Σ dy[r,s] over the windows (r, s) whose first largest pixel is (y, x)
// One invocation owns one pixel and looks through the windows that it is in: nothing is kept of
// the forward pass but its input, and no two invocations add to one number.
// Launch: images · channels · in_height · in_width invocations.
// Loop bound: ⌈kernel / stride⌉² windows of kernel² pixels. Workgroup memory: none.
// Bindings: input [images · channels, in_height, in_width];
// d_output [images · channels, out_height, out_width]; d_input, of the shape of input.

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
@group(0) @binding(2) var<storage, read> d_output: array<f32>;
@group(0) @binding(3) var<storage, read_write> d_input: array<f32>;

// The first largest pixel of a window whose corner in padded coordinates is (window_y, window_x).
fn first_largest(first: u32, window_y: u32, window_x: u32) -> u32 {
    let top = max(window_y, params.padding) - params.padding;
    let left = max(window_x, params.padding) - params.padding;
    let bottom = min(window_y + params.kernel - params.padding, params.in_height);
    let right = min(window_x + params.kernel - params.padding, params.in_width);
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
    return pixel;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = flat_invocation(workgroup, workgroups, local);
    let row = index / params.in_width;
    let plane = row / params.in_height;
    if plane >= params.planes {
        return;
    }
    let y = row - plane * params.in_height + params.padding;
    let x = index - row * params.in_width + params.padding;
    let first = plane * params.in_height * params.in_width;
    let cells = plane * params.out_height * params.out_width;
    // Windows begin at multiples of the stride; the first that reach the pixel, and those behind.
    let above = max(y + 1u, params.kernel) - params.kernel;
    let before = max(x + 1u, params.kernel) - params.kernel;
    let first_column = (before + params.stride - 1u) / params.stride;
    let end_row = min(y / params.stride + 1u, params.out_height);
    let end_column = min(x / params.stride + 1u, params.out_width);
    var sum = 0.0;
    for (var r = (above + params.stride - 1u) / params.stride; r < end_row; r += 1u) {
        for (var s = first_column; s < end_column; s += 1u) {
            if first_largest(first, r * params.stride, s * params.stride) == index {
                sum += d_output[cells + r * params.out_width + s];
            }
        }
    }
    d_input[index] = sum;
}
