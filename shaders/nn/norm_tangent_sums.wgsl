// The two sums through which the tangent of a normalisation couples pixels, per segment of pixels.
//   S0 = Σ ẋ        S1 = Σ ẋ · x̂        x̂ = (x − mean) · rstd
// Added up over a row of the statistics (norm_combine_backward without weights) and divided by its
// count they are the tangent of the mean and, times −rstd², that of rstd.
// One invocation owns one (image, channel, segment) of `segment_pixels` pixels; the last segment
// of a channel may be shorter.
// Launch: images · channels · segments invocations. Workgroup memory: none.
// Loop bound: segment_pixels / 4 + 3.
// Bindings: input, input_dot [images, channels, pixels]; statistics [rows, 2];
// sums [images, channels, segments, 2].

#import shared/grid.wgsl

struct Params {
    images: u32,
    channels: u32,
    pixels: u32,
    groups: u32,
    images_per_set: u32,
    segment_pixels: u32,
    segments: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read> input_dot: array<f32>;
@group(0) @binding(3) var<storage, read> statistics: array<f32>;
@group(0) @binding(4) var<storage, read_write> sums: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = flat_invocation(workgroup, workgroups, local);
    if index >= params.images * params.channels * params.segments {
        return;
    }
    let plane = index / params.segments;
    let image = plane / params.channels;
    let channel = plane - image * params.channels;
    let row = image / params.images_per_set * params.groups
        + channel / (params.channels / params.groups);
    let mean = statistics[2u * row];
    let rstd = statistics[2u * row + 1u];

    let first_pixel = (index - plane * params.segments) * params.segment_pixels;
    let count = min(params.segment_pixels, params.pixels - first_pixel);
    let start = plane * params.pixels + first_pixel;
    let end = start + count;
    let end_of_fours = start + (count & ~3u);
    // Four running sums: shorter chains round less, and the loads of a step are independent.
    var sum = vec4<f32>(0.0);
    var product_sum = vec4<f32>(0.0);
    var at = start;
    for (; at < end_of_fours; at += 4u) {
        let x = vec4<f32>(input[at], input[at + 1u], input[at + 2u], input[at + 3u]);
        let x_dot = vec4<f32>(input_dot[at], input_dot[at + 1u], input_dot[at + 2u], input_dot[at + 3u]);
        sum += x_dot;
        product_sum += x_dot * (x - mean);
    }
    for (; at < end; at += 1u) {
        sum.x += input_dot[at];
        product_sum.x += input_dot[at] * (input[at] - mean);
    }
    sums[2u * index] = (sum.x + sum.y) + (sum.z + sum.w);
    sums[2u * index + 1u] = ((product_sum.x + product_sum.y) + (product_sum.z + product_sum.w)) * rstd;
}
