// Mean and sum of squared deviations of each segment of an image's channel.
//   mean = Σ x / n        M2 = Σ (x − mean)²        over the n pixels of the segment
// Two passes over the segment, the second of which also corrects the mean for the rounding of
// the first: no E[x²] − E[x]², which cancels.
// One invocation owns one (image, channel, segment). A segment has `segment_pixels` pixels, the
// last one of a channel may be shorter.
// Launch: images · channels · segments invocations. Workgroup memory: none.
// Loop bound: segment_pixels / 2 + 6.
// Bindings: input [images, channels, pixels]; moments [images, channels, segments, 2].

#import shared/grid.wgsl

struct Params {
    images: u32,
    channels: u32,
    pixels: u32,
    segment_pixels: u32,
    segments: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read_write> moments: array<f32>;

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
    let first_pixel = (index - plane * params.segments) * params.segment_pixels;
    let count = min(params.segment_pixels, params.pixels - first_pixel);
    let start = plane * params.pixels + first_pixel;
    let end = start + count;
    let end_of_fours = start + (count & ~3u);

    // Four running sums: shorter chains round less, and the loads of a step are independent.
    var sum = vec4<f32>(0.0);
    var at = start;
    for (; at < end_of_fours; at += 4u) {
        sum += vec4<f32>(input[at], input[at + 1u], input[at + 2u], input[at + 3u]);
    }
    for (; at < end; at += 1u) {
        sum.x += input[at];
    }
    let divisor = f32(count);
    let mean = ((sum.x + sum.y) + (sum.z + sum.w)) / divisor;

    var deviation = vec4<f32>(0.0);
    var square = vec4<f32>(0.0);
    at = start;
    for (; at < end_of_fours; at += 4u) {
        let d = vec4<f32>(input[at], input[at + 1u], input[at + 2u], input[at + 3u]) - mean;
        deviation += d;
        square += d * d;
    }
    for (; at < end; at += 1u) {
        let d = input[at] - mean;
        deviation.x += d;
        square.x += d * d;
    }
    let residue = (deviation.x + deviation.y) + (deviation.z + deviation.w);
    let squares = (square.x + square.y) + (square.z + square.w);
    moments[2u * index] = mean + residue / divisor;
    moments[2u * index + 1u] = max(squares - residue * residue / divisor, 0.0);
}
