// Partial sums of the gradient of a depthwise convolution with respect to its weights.
//   p[s,c,u,v] = Σ_{i in split s, r, q} dy[i,c,r,q] · x[i, c, stride·r + u − padding, stride·q + v − padding]
// Split s holds images_per_split images of task s / splits_per_task, the last of a task fewer.
// conv2d_reduce_partials adds them up.
// One invocation owns one weight of one split.
// Launch: splits · channels · kernel² invocations. Loop bound: images_per_split · out_height ·
// out_width. Workgroup memory: none.
// Bindings: input [images, channels, in_height, in_width]; d_output [images, channels, out_height,
// out_width]; partials [splits, channels, kernel, kernel].

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
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = flat_invocation(workgroup, workgroups, local);
    let taps = params.kernel * params.kernel;
    let split = index / (params.channels * taps);
    if split >= params.splits {
        return;
    }
    let channel = index / taps - split * params.channels;
    let tap = index % taps;
    let dy = i32(tap / params.kernel) - i32(params.padding);
    let dx = i32(tap % params.kernel) - i32(params.padding);
    let task = split / params.splits_per_task;
    let first = task * params.images_per_task + split % params.splits_per_task * params.images_per_split;
    let end = min(first + params.images_per_split, min((task + 1u) * params.images_per_task, params.images));
    // See depthwise_forward for why the bounds are disguised.
    let zero = local / WORKGROUP_INVOCATIONS;
    var sum = 0.0;
    for (var image = first; image < end; image += 1u) {
        let plane = image * params.channels + channel;
        var at = plane * params.out_height * params.out_width;
        for (var r = zero; r < params.out_height; r += 1u) {
            let y = i32(r * params.stride) + dy;
            let start = i32(plane * params.in_height * params.in_width) + y * i32(params.in_width);
            let is_row = y >= 0 && y < i32(params.in_height);
            for (var q = zero; q < params.out_width; q += 1u) {
                let x = i32(q * params.stride) + dx;
                if is_row && x >= 0 && x < i32(params.in_width) {
                    sum = fma(d_output[at], input[start + x], sum);
                }
                at += 1u;
            }
        }
    }
    partials[index] = sum;
}
