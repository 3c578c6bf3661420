#import shared/grid.wgsl

// 3×3 convolution, stride 1, padding 1, for 16 output channels at a time, on packed weights.
//   y[i,o,r,c] = b[o] + Σ_{n,u,v} w[o,n,u,v] · x[i,n,r+u−1,c+v−1]
// The same kernel is the backward pass to the input, on the flipped and transposed packing.
// One launch owns the output channels first_output … first_output+15 and a slab of up to 64 input
// channels, for `images` images from first_image on, which share their weights. Later slabs, and
// the second product of a tangent, accumulate. An invocation owns 16 channels × a tile of 2×4
// pixels.
// Weights come as a uniform, packed [64 inputs][9 taps][16 outputs] (conv3x3_pack): a broadcast
// from there is far cheaper than a storage load, on processors as on GPUs.
// Sums are spelled out with constant indices, so that they stay in registers everywhere.
// Workgroup memory: none.
// Bindings: input [I,C,H,W] r, weights (uniform), parameters (the bias) r, output [I,O,H,W] rw.

struct Params {
    first_image: u32,
    images: u32,
    in_channels: u32,
    out_channels: u32,
    height: u32,
    width: u32,
    tiles_x: u32,
    tiles_y: u32,
    first_input: u32,
    slab_inputs: u32,
    first_output: u32,
    // NONE: no bias.
    bias_offset: u32,
    // 1: adds to what is there.
    accumulate: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<uniform> weights: array<vec4<f32>, 2304>;
@group(0) @binding(3) var<storage, read> parameters: array<f32>;
@group(0) @binding(4) var<storage, read_write> output: array<f32>;

alias Sums = array<vec4<f32>, 32>;

// A row of input under one tap of each kernel column: four pixels from the first, second and third.
struct Taps {
    left: vec4<f32>,
    middle: vec4<f32>,
    right: vec4<f32>,
}

fn taps(inner: vec4<f32>, rest: vec2<f32>) -> Taps {
    return Taps(inner, vec4(inner.yzw, rest.x), vec4(inner.zw, rest));
}

// All nine taps of one channel on one row of the tile.
fn nine(sum: vec4<f32>, k: array<f32, 9>, above: Taps, on: Taps, below: Taps) -> vec4<f32> {
    var s = fma(vec4(k[0]), above.left, sum);
    s = fma(vec4(k[1]), above.middle, s);
    s = fma(vec4(k[2]), above.right, s);
    s = fma(vec4(k[3]), on.left, s);
    s = fma(vec4(k[4]), on.middle, s);
    s = fma(vec4(k[5]), on.right, s);
    s = fma(vec4(k[6]), below.left, s);
    s = fma(vec4(k[7]), below.middle, s);
    return fma(vec4(k[8]), below.right, s);
}

// Four channels, of which each is finished before the next begins: so few sums in use at a time stay
// in the registers of a processor, too.
fn accumulate(at: u32, a: Taps, b: Taps, c: Taps, d: Taps, s: u32, sums: ptr<function, Sums>) {
    let w0 = weights[at];
    let w1 = weights[at + 4u];
    let w2 = weights[at + 8u];
    let w3 = weights[at + 12u];
    let w4 = weights[at + 16u];
    let w5 = weights[at + 20u];
    let w6 = weights[at + 24u];
    let w7 = weights[at + 28u];
    let w8 = weights[at + 32u];
    let x = array<f32, 9>(w0.x, w1.x, w2.x, w3.x, w4.x, w5.x, w6.x, w7.x, w8.x);
    (*sums)[s] = nine((*sums)[s], x, a, b, c);
    (*sums)[s + 1u] = nine((*sums)[s + 1u], x, b, c, d);
    let y = array<f32, 9>(w0.y, w1.y, w2.y, w3.y, w4.y, w5.y, w6.y, w7.y, w8.y);
    (*sums)[s + 2u] = nine((*sums)[s + 2u], y, a, b, c);
    (*sums)[s + 3u] = nine((*sums)[s + 3u], y, b, c, d);
    let z = array<f32, 9>(w0.z, w1.z, w2.z, w3.z, w4.z, w5.z, w6.z, w7.z, w8.z);
    (*sums)[s + 4u] = nine((*sums)[s + 4u], z, a, b, c);
    (*sums)[s + 5u] = nine((*sums)[s + 5u], z, b, c, d);
    let w = array<f32, 9>(w0.w, w1.w, w2.w, w3.w, w4.w, w5.w, w6.w, w7.w, w8.w);
    (*sums)[s + 6u] = nine((*sums)[s + 6u], w, a, b, c);
    (*sums)[s + 7u] = nine((*sums)[s + 7u], w, b, c, d);
}

struct Columns {
    inner: vec4<i32>,
    rest: vec2<i32>,
    inner_mask: vec4<f32>,
    rest_mask: vec2<f32>,
}

fn inner(row: i32, mask: f32, at: Columns) -> vec4<f32> {
    let i = at.inner + row;
    return vec4(input[i.x], input[i.y], input[i.z], input[i.w]) * (at.inner_mask * mask);
}

fn rest(row: i32, mask: f32, at: Columns) -> vec2<f32> {
    let i = at.rest + row;
    return vec2(input[i.x], input[i.y]) * (at.rest_mask * mask);
}

fn put_row(at: u32, columns: u32, value: vec4<f32>) {
    if columns > 0u { output[at] = value.x; }
    if columns > 1u { output[at + 1u] = value.y; }
    if columns > 2u { output[at + 2u] = value.z; }
    if columns > 3u { output[at + 3u] = value.w; }
}

fn get_row(at: u32, columns: u32) -> vec4<f32> {
    let last = columns - 1u;
    return vec4(output[at], output[at + min(1u, last)], output[at + min(2u, last)], output[at + min(3u, last)]);
}

// Where the tile of an output channel lies, and how much of it is inside the image.
struct Target {
    first: u32,
    plane: u32,
    width: u32,
    rows: u32,
    columns: u32,
    bias: u32,
}

fn finish(channel: u32, upper: vec4<f32>, lower: vec4<f32>, to: Target) {
    if params.first_output + channel >= params.out_channels { return; }
    let at = to.first + channel * to.plane;
    var a = upper;
    var b = lower;
    if params.accumulate != 0u {
        a += get_row(at, to.columns);
        if to.rows > 1u { b += get_row(at + to.width, to.columns); }
    }
    if params.bias_offset != NONE {
        let bias = parameters[to.bias + channel];
        a += bias;
        b += bias;
    }
    put_row(at, to.columns, a);
    if to.rows > 1u { put_row(at + to.width, to.columns, b); }
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = flat_workgroup(workgroup, count) * 64u + lane;
    let tile_x = index % params.tiles_x;
    let tile_y = (index / params.tiles_x) % params.tiles_y;
    let number = index / (params.tiles_x * params.tiles_y);
    if number >= params.images { return; }
    let image = params.first_image + number;

    let height = i32(params.height);
    let width = i32(params.width);
    let x = i32(4u * tile_x) - 1;
    let y = i32(2u * tile_y) - 1;
    let xs = vec4(x, x + 1, x + 2, x + 3);
    let xr = vec2(x + 4, x + 5);
    let at = Columns(
        clamp(xs, vec4(0), vec4(width - 1)),
        clamp(xr, vec2(0), vec2(width - 1)),
        select(vec4(0.0), vec4(1.0), (xs >= vec4(0)) & (xs < vec4(width))),
        select(vec2(0.0), vec2(1.0), xr < vec2(width)),
    );
    let ys = vec4(y, y + 1, y + 2, y + 3);
    let rows = clamp(ys, vec4(0), vec4(height - 1)) * width;
    let mask = select(vec4(0.0), vec4(1.0), (ys >= vec4(0)) & (ys < vec4(height)));

    var sums = Sums();
    var plane = i32((image * params.in_channels + params.first_input) * params.height * params.width);
    for (var n = 0u; n < params.slab_inputs; n++) {
        let row = rows + plane;
        let a = taps(inner(row.x, mask.x, at), rest(row.x, mask.x, at));
        let b = taps(inner(row.y, mask.y, at), rest(row.y, mask.y, at));
        let c = taps(inner(row.z, mask.z, at), rest(row.z, mask.z, at));
        let d = taps(inner(row.w, mask.w, at), rest(row.w, mask.w, at));
        let k = n * 36u;
        accumulate(k, a, b, c, d, 0u, &sums);
        accumulate(k + 1u, a, b, c, d, 8u, &sums);
        accumulate(k + 2u, a, b, c, d, 16u, &sums);
        accumulate(k + 3u, a, b, c, d, 24u, &sums);
        plane += height * width;
    }

    let area = params.height * params.width;
    let to = Target(
        (image * params.out_channels + params.first_output) * area + 2u * tile_y * params.width + 4u * tile_x,
        area,
        params.width,
        params.height - 2u * tile_y,
        params.width - 4u * tile_x,
        params.bias_offset + params.first_output,
    );
    finish(0u, sums[0], sums[1], to);
    finish(1u, sums[2], sums[3], to);
    finish(2u, sums[4], sums[5], to);
    finish(3u, sums[6], sums[7], to);
    finish(4u, sums[8], sums[9], to);
    finish(5u, sums[10], sums[11], to);
    finish(6u, sums[12], sums[13], to);
    finish(7u, sums[14], sums[15], to);
    finish(8u, sums[16], sums[17], to);
    finish(9u, sums[18], sums[19], to);
    finish(10u, sums[20], sums[21], to);
    finish(11u, sums[22], sums[23], to);
    finish(12u, sums[24], sums[25], to);
    finish(13u, sums[26], sums[27], to);
    finish(14u, sums[28], sums[29], to);
    finish(15u, sums[30], sums[31], to);
}
