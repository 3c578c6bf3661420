// Convolution of each channel by itself with 3×3 kernels and stride 2.
//   y[i,c,r,s] = Σ_{u,v} w[c,u,v] · x[i, c, 2r + u − padding, 2s + v − padding]
// with zeros outside the image.
// One invocation owns a strip of 4 columns and `rows` rows of one channel of the output. It walks
// down, loading each row of the input once and adding it to the rows of output that it belongs to.
// Launch: images · channels · ⌈out_height / rows⌉ · ⌈out_width / 4⌉ invocations. Loop bound: rows.
// Workgroup memory: none.
// Bindings: input [images, channels, in_height, in_width]; parameters (flat); output [images,
// channels, out_height, out_width].

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
    // Of a strip.
    rows: u32,
    images_per_task: u32,
    parameter_stride: u32,
    weight_offset: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read> parameters: array<f32>;
@group(0) @binding(3) var<storage, read_write> output: array<f32>;

fn load(y: i32, plane: i32, at: Columns) -> Row {
    let height = i32(params.in_height);
    let mask = select(0.0, 1.0, y >= 0 && y < height);
    let start = plane + clamp(y, 0, height - 1) * i32(params.in_width);
    let i = at.first + start;
    let j = at.second + start;
    let k = at.third + start;
    return Row(
        vec4<f32>(input[i.x], input[i.y], input[i.z], input[i.w]) * (at.first_mask * mask),
        vec4<f32>(input[j.x], input[j.y], input[j.z], input[j.w]) * (at.second_mask * mask),
        vec4<f32>(input[k.x], input[k.y], input[k.z], input[k.w]) * (at.third_mask * mask),
    );
}

fn put(at: u32, columns: u32, sum: vec4<f32>) {
    output[at] = sum.x;
    if columns > 1u { output[at + 1u] = sum.y; }
    if columns > 2u { output[at + 2u] = sum.z; }
    if columns > 3u { output[at + 3u] = sum.w; }
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = flat_invocation(workgroup, workgroups, local);
    let strips_x = (params.out_width + 3u) / 4u;
    let strips_y = (params.out_height + params.rows - 1u) / params.rows;
    let plane = index / (strips_x * strips_y);
    if plane >= params.images * params.channels {
        return;
    }
    let strip = index - plane * strips_x * strips_y;
    let strip_y = strip / strips_x;
    let first_column = 4u * (strip - strip_y * strips_x);
    let image = plane / params.channels;
    let channel = plane - image * params.channels;

    let w = image / params.images_per_task * params.parameter_stride + params.weight_offset + 9u * channel;
    let w0 = vec3<f32>(parameters[w], parameters[w + 1u], parameters[w + 2u]);
    let w1 = vec3<f32>(parameters[w + 3u], parameters[w + 4u], parameters[w + 5u]);
    let w2 = vec3<f32>(parameters[w + 6u], parameters[w + 7u], parameters[w + 8u]);
    let padding = i32(params.padding);
    let at = strip_columns(i32(2u * first_column) - padding, i32(params.in_width));
    let from_plane = i32(plane * params.in_height * params.in_width);
    let first_row = strip_y * params.rows;
    let rows = min(params.rows, params.out_height - first_row);
    let columns = params.out_width - first_column;
    let first = (plane * params.out_height + first_row) * params.out_width + first_column;
    let end = first + rows * params.out_width;
    var to = first;
    var y = i32(2u * first_row) - padding;
    var row: Row;
    // What the next row of output has so far.
    row = load(y, from_plane, at);
    var next = three_taps_striding(w0, row, vec4<f32>(0.0));
    loop {
        row = load(y + 1, from_plane, at);
        next = three_taps_striding(w1, row, next);
        row = load(y + 2, from_plane, at);
        put(to, columns, three_taps_striding(w2, row, next));
        next = three_taps_striding(w0, row, vec4<f32>(0.0));
        to += params.out_width;
        y += 2;
        if to >= end {
            break;
        }
    }
}
