// Backward pass of a norm with frozen statistics and its activation, without pooling: the gradient
// with respect to the input, and the two sums from which norm_backward_weight takes those of γ and β.
//   dx = γ_c · rstd · dŷ        S0 = Σ dŷ        S1 = Σ dŷ · x̂        x̂ = (x − mean) · rstd
// where dŷ is d_output where the activation passes its value on, zero elsewhere. (mean, rstd) is row
// `channel` of the statistics; γ and β are those of task image / images_per_task.
// One invocation owns a segment of `segment_pixels` neighbouring pixels of one channel, the last of a
// channel fewer: input and gradient are loaded once for all three results.
// Launch: images · channels · segments invocations. Loop bound: segment_pixels / 4. Workgroup memory:
// none.
// Bindings: input [images, channels, pixels]; statistics [channels, 2]; parameters (flat); d_output
// [images, channels, pixels] from element d_output_offset; sums [images, channels, segments, 2];
// d_input [images, channels, pixels].

#import shared/activation.wgsl
#import shared/grid.wgsl

struct Params {
    images: u32,
    channels: u32,
    pixels: u32,
    segment_pixels: u32,
    segments: u32,
    floor: f32,
    ceiling: f32,
    d_output_offset: u32,
    images_per_task: u32,
    parameter_stride: u32,
    weight_offset: u32,
    bias_offset: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read> statistics: array<f32>;
@group(0) @binding(3) var<storage, read> parameters: array<f32>;
@group(0) @binding(4) var<storage, read> d_output: array<f32>;
@group(0) @binding(5) var<storage, read_write> sums: array<f32>;
@group(0) @binding(6) var<storage, read_write> d_input: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = flat_invocation(workgroup, workgroups, local);
    let plane = index / params.segments;
    if plane >= params.images * params.channels {
        return;
    }
    let image = plane / params.channels;
    let channel = plane - image * params.channels;
    let of_task = image / params.images_per_task * params.parameter_stride + channel;
    let mean = statistics[2u * channel];
    let rstd = statistics[2u * channel + 1u];
    let slope = parameters[params.weight_offset + of_task] * rstd;
    let shift = parameters[params.bias_offset + of_task];

    var at = plane * params.pixels + (index - plane * params.segments) * params.segment_pixels;
    let end = min(at + params.segment_pixels, (plane + 1u) * params.pixels);
    var sum = vec4<f32>(0.0);
    var product_sum = vec4<f32>(0.0);
    loop {
        let left = end - at;
        // Pixels past the last repeat it; they are neither summed nor stored.
        let steps = min(vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(left - 1u));
        let i = steps + at;
        let j = i + params.d_output_offset;
        let centred = vec4<f32>(input[i.x], input[i.y], input[i.z], input[i.w]) - mean;
        let d = vec4<f32>(d_output[j.x], d_output[j.y], d_output[j.z], d_output[j.w]);
        let z = centred * slope + shift;
        let is_open = !(z <= vec4<f32>(params.floor)) & !(z >= vec4<f32>(params.ceiling));
        let is_inside = vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(left);
        let dy = select(vec4<f32>(0.0), d, is_open & is_inside);
        sum += dy;
        product_sum = fma(dy, centred, product_sum);
        let dx = slope * dy;
        d_input[at] = dx.x;
        if left > 1u { d_input[at + 1u] = dx.y; }
        if left > 2u { d_input[at + 2u] = dx.z; }
        if left > 3u { d_input[at + 3u] = dx.w; }
        at += 4u;
        if at >= end {
            break;
        }
    }
    sums[2u * index] = (sum.x + sum.y) + (sum.z + sum.w);
    sums[2u * index + 1u] = ((product_sum.x + product_sum.y) + (product_sum.z + product_sum.w)) * rstd;
}
