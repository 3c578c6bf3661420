// Gradient of a depthwise convolution of stride 2 with 3×3 kernels with respect to its input.
//   dx[i,c,y,x] = Σ_{u,v} w[c,u,v] · dy[i, c, (y + padding − u) / 2, (x + padding − v) / 2]
// over the u, v for which the divisions leave no rest and the pixel lies inside the output.
// One invocation owns a strip of 8 columns and 2·`pairs` rows of one channel: counted with the
// padding, its first column and row are even, so that which taps meet which pixel is known to the
// compiler. It walks down, loading each row of the gradient once and adding it to the rows that it
// belongs to.
// Launch: images · channels · ⌈(in_height + padding) / (2 · pairs)⌉ · ⌈(in_width + padding) / 8⌉
// invocations. Loop bound: pairs. Workgroup memory: none.
// Bindings: d_output [images, channels, out_height, out_width]; parameters (flat);
// d_input [images, channels, in_height, in_width].

#import shared/grid.wgsl
#import shared/strip.wgsl

struct Params {
    images: u32,
    channels: u32,
    in_height: u32,
    in_width: u32,
    out_height: u32,
    out_width: u32,
    padding: u32,
    // Of rows in a strip.
    pairs: u32,
    images_per_task: u32,
    parameter_stride: u32,
    weight_offset: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> d_output: array<f32>;
@group(0) @binding(2) var<storage, read> parameters: array<f32>;
@group(0) @binding(3) var<storage, read_write> d_input: array<f32>;

fn load(y: i32, plane: i32, at: Columns) -> Row {
    let height = i32(params.out_height);
    let mask = select(0.0, 1.0, y >= 0 && y < height);
    let start = plane + clamp(y, 0, height - 1) * i32(params.out_width);
    let i = at.first + start;
    let j = at.second + start;
    return Row(
        vec4<f32>(d_output[i.x], d_output[i.y], d_output[i.z], d_output[i.w]) * (at.first_mask * mask),
        vec4<f32>(d_output[j.x], d_output[j.y], d_output[j.z], d_output[j.w]) * (at.second_mask * mask),
        vec4<f32>(0.0),
    );
}

// Columns before the first wrap to numbers that are too large.
fn put(y: i32, x: u32, plane: u32, sum: Strip) {
    let width = select(0u, params.in_width, y >= 0 && y < i32(params.in_height));
    let at = plane + u32(y) * params.in_width + x;
    if x < width { d_input[at] = sum.left.x; }
    if x + 1u < width { d_input[at + 1u] = sum.right.x; }
    if x + 2u < width { d_input[at + 2u] = sum.left.y; }
    if x + 3u < width { d_input[at + 3u] = sum.right.y; }
    if x + 4u < width { d_input[at + 4u] = sum.left.z; }
    if x + 5u < width { d_input[at + 5u] = sum.right.z; }
    if x + 6u < width { d_input[at + 6u] = sum.left.w; }
    if x + 7u < width { d_input[at + 7u] = sum.right.w; }
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = flat_invocation(workgroup, workgroups, local);
    let all_pairs = (params.in_height + params.padding + 1u) / 2u;
    let strips_x = (params.in_width + params.padding + 7u) / 8u;
    let strips_y = (all_pairs + params.pairs - 1u) / params.pairs;
    let plane = index / (strips_x * strips_y);
    if plane >= params.images * params.channels {
        return;
    }
    let strip = index - plane * strips_x * strips_y;
    let strip_y = strip / strips_x;
    let strip_x = strip - strip_y * strips_x;
    let image = plane / params.channels;
    let channel = plane - image * params.channels;

    let w = image / params.images_per_task * params.parameter_stride + params.weight_offset + 9u * channel;
    let w0 = vec3<f32>(parameters[w], parameters[w + 1u], parameters[w + 2u]);
    let w1 = vec3<f32>(parameters[w + 3u], parameters[w + 4u], parameters[w + 5u]);
    let w2 = vec3<f32>(parameters[w + 6u], parameters[w + 7u], parameters[w + 8u]);
    let at = strip_columns(i32(4u * strip_x) - 2, i32(params.out_width));
    let from_plane = i32(plane * params.out_height * params.out_width);
    let to_plane = plane * params.in_height * params.in_width;
    let x = 8u * strip_x - params.padding;
    var pair = i32(strip_y * params.pairs);
    let end = min(pair + i32(params.pairs), i32(all_pairs));
    var row: Row;
    // What the next even row of the input has so far.
    row = load(pair - 1, from_plane, at);
    var next = three_taps_apart(w2, row, Strip());
    loop {
        row = load(pair, from_plane, at);
        let y = 2 * pair - i32(params.padding);
        put(y, x, to_plane, three_taps_apart(w0, row, next));
        put(y + 1, x, to_plane, three_taps_apart(w1, row, Strip()));
        next = three_taps_apart(w2, row, Strip());
        pair += 1;
        if pair >= end {
            break;
        }
    }
}
