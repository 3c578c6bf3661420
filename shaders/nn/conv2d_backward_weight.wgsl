#import shared/grid.wgsl

// Partial sums of the weight and bias gradient of a convolution: the baseline kernel.
//   partials[s, o, n, u, v] = Σ_{i in split s, r, c} dy[i,o,r,c] · x[i,n,r·stride+u−padding,c·stride+v−padding]
//   partials[s, bias o]     = Σ_{i in split s, r, c} dy[i,o,r,c]
// conv2d_reduce_partials adds the splits to the gradient. Splits never straddle tasks.
// An invocation owns one weight or bias of one split; the host keeps images_per_split · pixels
// below 65,535. Workgroup memory: none.
// Bindings: input [I,N,H,W] r, d_output [I,O,Ho,Wo] r, partials [S, O·N·k² + O] rw.

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
    splits: u32,
    images_per_split: u32,
    splits_per_task: u32,
    images_per_task: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read> d_output: array<f32>;
@group(0) @binding(3) var<storage, read_write> partials: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = flat_workgroup(workgroup, count) * 64u + lane;
    let taps = params.kernel * params.kernel;
    let weights = params.out_channels * params.in_channels * taps;
    let length = weights + params.out_channels;
    let k = index % length;
    let split = index / length;
    if split >= params.splits { return; }

    let is_bias = k >= weights;
    let o = select(k / (params.in_channels * taps), k - weights, is_bias);
    let n = select((k / taps) % params.in_channels, 0u, is_bias);
    let dy = i32((k % taps) / params.kernel) - i32(params.padding);
    let dx = i32(k % params.kernel) - i32(params.padding);
    let task = split / params.splits_per_task;
    let first = task * params.images_per_task + split % params.splits_per_task * params.images_per_split;
    let last = min(first + params.images_per_split, min((task + 1u) * params.images_per_task, params.images));
    var sum = 0.0;
    for (var i = first; i < last; i++) {
        let plane = (i * params.in_channels + n) * params.in_height * params.in_width;
        var at = (i * params.out_channels + o) * params.out_height * params.out_width;
        for (var r = 0u; r < params.out_height; r++) {
            let y = i32(r * params.stride) + dy;
            for (var c = 0u; c < params.out_width; c++) {
                let x = i32(c * params.stride) + dx;
                let inside = y >= 0 && y < i32(params.in_height) && x >= 0 && x < i32(params.in_width);
                if is_bias {
                    sum += d_output[at];
                } else if inside {
                    sum = fma(d_output[at], input[plane + u32(y) * params.in_width + u32(x)], sum);
                }
                at += 1u;
            }
        }
    }
    partials[index] = sum;
}
