// Convolution of each channel by itself with 3×3 kernels, stride 1, and as many zeros around the
// image that its size stays.
//   y[i,c,r,s] = Σ_{u,v} w[c,u,v] · x[i, c, r + u − 1, s + v − 1]
// With `flip` the kernels are turned by half a turn: the backward pass to the input.
// One invocation owns a strip of 8 columns and `rows` rows of one channel. It walks down, loading
// each row of the input once and adding it to the 3 rows of output that it belongs to. Sums and
// weights are spelled out with constant indices, so that they stay in registers.
// Launch: images · channels · ⌈height / rows⌉ · ⌈width / 8⌉ invocations. Loop bound: rows.
// Workgroup memory: none.
// Bindings: input [images, channels, height, width]; parameters (flat); output like the input.

#import shared/grid.wgsl
#import shared/strip.wgsl

struct Params {
    images: u32,
    channels: u32,
    height: u32,
    width: u32,
    // Rows of a strip.
    rows: u32,
    images_per_task: u32,
    parameter_stride: u32,
    weight_offset: u32,
    flip: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read> parameters: array<f32>;
@group(0) @binding(3) var<storage, read_write> output: array<f32>;

fn load(y: i32, plane: i32, at: Columns) -> Row {
    let height = i32(params.height);
    let mask = select(0.0, 1.0, y >= 0 && y < height);
    let start = plane + clamp(y, 0, height - 1) * i32(params.width);
    let i = at.first + start;
    let j = at.second + start;
    let k = at.third + start;
    return Row(
        vec4<f32>(input[i.x], input[i.y], input[i.z], input[i.w]) * (at.first_mask * mask),
        vec4<f32>(input[j.x], input[j.y], input[j.z], input[j.w]) * (at.second_mask * mask),
        vec4<f32>(input[k.x], input[k.y], input[k.z], input[k.w]) * (at.third_mask * mask),
    );
}

fn put(at: u32, columns: u32, sum: Strip) {
    output[at] = sum.left.x;
    if columns > 1u { output[at + 1u] = sum.left.y; }
    if columns > 2u { output[at + 2u] = sum.left.z; }
    if columns > 3u { output[at + 3u] = sum.left.w; }
    if columns > 4u { output[at + 4u] = sum.right.x; }
    if columns > 5u { output[at + 5u] = sum.right.y; }
    if columns > 6u { output[at + 6u] = sum.right.z; }
    if columns > 7u { output[at + 7u] = sum.right.w; }
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = flat_invocation(workgroup, workgroups, local);
    let strips_x = (params.width + 7u) / 8u;
    let strips_y = (params.height + params.rows - 1u) / params.rows;
    let plane = index / (strips_x * strips_y);
    if plane >= params.images * params.channels {
        return;
    }
    let strip = index - plane * strips_x * strips_y;
    let strip_y = strip / strips_x;
    let first_column = 8u * (strip - strip_y * strips_x);
    let image = plane / params.channels;
    let channel = plane - image * params.channels;

    let weights = image / params.images_per_task * params.parameter_stride + params.weight_offset + 9u * channel;
    let is_flipped = params.flip != 0u;
    let w = i32(weights + select(0u, 8u, is_flipped));
    let step = select(1, -1, is_flipped);
    let w0 = vec3<f32>(parameters[w], parameters[w + step], parameters[w + 2 * step]);
    let w1 = vec3<f32>(parameters[w + 3 * step], parameters[w + 4 * step], parameters[w + 5 * step]);
    let w2 = vec3<f32>(parameters[w + 6 * step], parameters[w + 7 * step], parameters[w + 8 * step]);
    let at = strip_columns(i32(first_column) - 1, i32(params.width));
    let area = params.height * params.width;
    let from_plane = i32(plane * area);
    var y = strip_y * params.rows;
    let end = min(y + params.rows, params.height);
    let columns = params.width - first_column;
    var to = plane * area + y * params.width + first_column;
    var row: Row;
    // What the next row of output, and the one after it, have so far.
    row = load(i32(y) - 1, from_plane, at);
    var next = three_taps(w0, row, Strip());
    row = load(i32(y), from_plane, at);
    next = three_taps(w1, row, next);
    var second = three_taps(w0, row, Strip());
    loop {
        row = load(i32(y) + 1, from_plane, at);
        put(to, columns, three_taps(w2, row, next));
        next = three_taps(w1, row, second);
        second = three_taps(w0, row, Strip());
        to += params.width;
        y += 1u;
        if y >= end {
            break;
        }
    }
}
