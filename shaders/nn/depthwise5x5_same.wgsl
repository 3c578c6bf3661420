// Convolution of each channel by itself with 5×5 kernels, stride 1, and as many zeros around the
// image that its size stays.
//   y[i,c,r,s] = Σ_{u,v} w[c,u,v] · x[i, c, r + u − 2, s + v − 2]
// With `flip` the kernels are turned by half a turn: the backward pass to the input.
// One invocation owns a tile of 4×4 pixels of one channel: each value of the input is loaded once for
// all of them. Sums and weights are spelled out with constant indices, so that they stay in registers.
// Launch: images · channels · ⌈height / 4⌉ · ⌈width / 4⌉ invocations. Loops: none. Workgroup memory:
// none.
// Bindings: input [images, channels, height, width]; parameters (flat); output like the input, added
// to where `accumulate` is 1.

#import shared/grid.wgsl

struct Params {
    images: u32,
    channels: u32,
    height: u32,
    width: u32,
    images_per_task: u32,
    parameter_stride: u32,
    weight_offset: u32,
    flip: u32,
    accumulate: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read> parameters: array<f32>;
@group(0) @binding(3) var<storage, read_write> output: array<f32>;

// The columns of a tile's inputs: clamped, with zero for those outside the image.
struct Columns {
    inner: vec4<i32>,
    rest: vec4<i32>,
    inner_mask: vec4<f32>,
    rest_mask: vec4<f32>,
}

struct Row {
    inner: vec4<f32>,
    rest: vec4<f32>,
}

fn load(y: i32, plane: i32, at: Columns) -> Row {
    let height = i32(params.height);
    let mask = select(0.0, 1.0, y >= 0 && y < height);
    let start = plane + clamp(y, 0, height - 1) * i32(params.width);
    let i = at.inner + start;
    let j = at.rest + start;
    let inner = vec4<f32>(input[i.x], input[i.y], input[i.z], input[i.w]);
    let rest = vec4<f32>(input[j.x], input[j.y], input[j.z], input[j.w]);
    return Row(inner * (at.inner_mask * mask), rest * (at.rest_mask * mask));
}

// One row of a kernel on one row of the input.
fn taps(w0: f32, w1: f32, w2: f32, w3: f32, w4: f32, row: Row, sum: vec4<f32>) -> vec4<f32> {
    let inner = row.inner;
    let rest = row.rest;
    var s = fma(vec4<f32>(w0), inner, sum);
    s = fma(vec4<f32>(w1), vec4<f32>(inner.yzw, rest.x), s);
    s = fma(vec4<f32>(w2), vec4<f32>(inner.zw, rest.xy), s);
    s = fma(vec4<f32>(w3), vec4<f32>(inner.w, rest.xyz), s);
    s = fma(vec4<f32>(w4), rest, s);
    return s;
}

fn put(at: u32, columns: u32, sum: vec4<f32>) {
    var value = sum;
    if params.accumulate != 0u {
        let last = columns - 1u;
        value += vec4<f32>(
            output[at], output[at + min(1u, last)], output[at + min(2u, last)], output[at + min(3u, last)],
        );
    }
    output[at] = value.x;
    if columns > 1u { output[at + 1u] = value.y; }
    if columns > 2u { output[at + 2u] = value.z; }
    if columns > 3u { output[at + 3u] = value.w; }
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = flat_invocation(workgroup, workgroups, local);
    let tiles_x = (params.width + 3u) / 4u;
    let tiles_y = (params.height + 3u) / 4u;
    let plane = index / (tiles_x * tiles_y);
    if plane >= params.images * params.channels {
        return;
    }
    let tile = index - plane * tiles_x * tiles_y;
    let tile_y = tile / tiles_x;
    let tile_x = tile - tile_y * tiles_x;
    let image = plane / params.channels;
    let channel = plane - image * params.channels;

    let weights = image / params.images_per_task * params.parameter_stride + params.weight_offset + 25u * channel;
    let is_flipped = params.flip != 0u;
    let first = i32(weights + select(0u, 24u, is_flipped));
    let step = select(1, -1, is_flipped);
    let w0 = parameters[first];
    let w1 = parameters[first + step];
    let w2 = parameters[first + 2 * step];
    let w3 = parameters[first + 3 * step];
    let w4 = parameters[first + 4 * step];
    let w5 = parameters[first + 5 * step];
    let w6 = parameters[first + 6 * step];
    let w7 = parameters[first + 7 * step];
    let w8 = parameters[first + 8 * step];
    let w9 = parameters[first + 9 * step];
    let w10 = parameters[first + 10 * step];
    let w11 = parameters[first + 11 * step];
    let w12 = parameters[first + 12 * step];
    let w13 = parameters[first + 13 * step];
    let w14 = parameters[first + 14 * step];
    let w15 = parameters[first + 15 * step];
    let w16 = parameters[first + 16 * step];
    let w17 = parameters[first + 17 * step];
    let w18 = parameters[first + 18 * step];
    let w19 = parameters[first + 19 * step];
    let w20 = parameters[first + 20 * step];
    let w21 = parameters[first + 21 * step];
    let w22 = parameters[first + 22 * step];
    let w23 = parameters[first + 23 * step];
    let w24 = parameters[first + 24 * step];

    let width = i32(params.width);
    let x = i32(4u * tile_x) - 2;
    let xs = vec4<i32>(x, x + 1, x + 2, x + 3);
    let xr = vec4<i32>(x + 4, x + 5, x + 6, x + 7);
    let at = Columns(
        clamp(xs, vec4<i32>(0), vec4<i32>(width - 1)),
        clamp(xr, vec4<i32>(0), vec4<i32>(width - 1)),
        select(vec4<f32>(0.0), vec4<f32>(1.0), (xs >= vec4<i32>(0)) & (xs < vec4<i32>(width))),
        select(vec4<f32>(0.0), vec4<f32>(1.0), (xr >= vec4<i32>(0)) & (xr < vec4<i32>(width))),
    );
    let y = i32(4u * tile_y) - 2;
    let from_plane = i32(plane * params.height * params.width);
    var row: Row;
    var s0 = vec4<f32>(0.0);
    var s1 = vec4<f32>(0.0);
    var s2 = vec4<f32>(0.0);
    var s3 = vec4<f32>(0.0);
    row = load(y, from_plane, at);
    s0 = taps(w0, w1, w2, w3, w4, row, s0);
    row = load(y + 1, from_plane, at);
    s0 = taps(w5, w6, w7, w8, w9, row, s0);
    s1 = taps(w0, w1, w2, w3, w4, row, s1);
    row = load(y + 2, from_plane, at);
    s0 = taps(w10, w11, w12, w13, w14, row, s0);
    s1 = taps(w5, w6, w7, w8, w9, row, s1);
    s2 = taps(w0, w1, w2, w3, w4, row, s2);
    row = load(y + 3, from_plane, at);
    s0 = taps(w15, w16, w17, w18, w19, row, s0);
    s1 = taps(w10, w11, w12, w13, w14, row, s1);
    s2 = taps(w5, w6, w7, w8, w9, row, s2);
    s3 = taps(w0, w1, w2, w3, w4, row, s3);
    row = load(y + 4, from_plane, at);
    s0 = taps(w20, w21, w22, w23, w24, row, s0);
    s1 = taps(w15, w16, w17, w18, w19, row, s1);
    s2 = taps(w10, w11, w12, w13, w14, row, s2);
    s3 = taps(w5, w6, w7, w8, w9, row, s3);
    row = load(y + 5, from_plane, at);
    s1 = taps(w20, w21, w22, w23, w24, row, s1);
    s2 = taps(w15, w16, w17, w18, w19, row, s2);
    s3 = taps(w10, w11, w12, w13, w14, row, s3);
    row = load(y + 6, from_plane, at);
    s2 = taps(w20, w21, w22, w23, w24, row, s2);
    s3 = taps(w15, w16, w17, w18, w19, row, s3);
    row = load(y + 7, from_plane, at);
    s3 = taps(w20, w21, w22, w23, w24, row, s3);

    let to = (plane * params.height + 4u * tile_y) * params.width + 4u * tile_x;
    let rows = params.height - 4u * tile_y;
    let columns = params.width - 4u * tile_x;
    put(to, columns, s0);
    if rows > 1u { put(to + params.width, columns, s1); }
    if rows > 2u { put(to + 2u * params.width, columns, s2); }
    if rows > 3u { put(to + 3u * params.width, columns, s3); }
}
