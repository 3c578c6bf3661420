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

// Four channels' taps k on the upper and lower row of the tile.
fn accumulate(k: vec4<f32>, upper: vec4<f32>, lower: vec4<f32>, s: u32, sums: ptr<function, Sums>) {
    (*sums)[s] = fma(vec4(k.x), upper, (*sums)[s]);
    (*sums)[s + 1u] = fma(vec4(k.x), lower, (*sums)[s + 1u]);
    (*sums)[s + 2u] = fma(vec4(k.y), upper, (*sums)[s + 2u]);
    (*sums)[s + 3u] = fma(vec4(k.y), lower, (*sums)[s + 3u]);
    (*sums)[s + 4u] = fma(vec4(k.z), upper, (*sums)[s + 4u]);
    (*sums)[s + 5u] = fma(vec4(k.z), lower, (*sums)[s + 5u]);
    (*sums)[s + 6u] = fma(vec4(k.w), upper, (*sums)[s + 6u]);
    (*sums)[s + 7u] = fma(vec4(k.w), lower, (*sums)[s + 7u]);
}

fn tap(at: u32, upper: vec4<f32>, lower: vec4<f32>, sums: ptr<function, Sums>) {
    accumulate(weights[at], upper, lower, 0u, sums);
    accumulate(weights[at + 1u], upper, lower, 8u, sums);
    accumulate(weights[at + 2u], upper, lower, 16u, sums);
    accumulate(weights[at + 3u], upper, lower, 24u, sums);
}

// The three taps of one kernel row; a row of input is six pixels: inner 0–3 and outer 4–5.
fn taps(
    at: u32,
    upper: vec4<f32>, upper_rest: vec2<f32>,
    lower: vec4<f32>, lower_rest: vec2<f32>,
    sums: ptr<function, Sums>,
) {
    tap(at, upper, lower, sums);
    tap(at + 4u, vec4(upper.yzw, upper_rest.x), vec4(lower.yzw, lower_rest.x), sums);
    tap(at + 8u, vec4(upper.zw, upper_rest), vec4(lower.zw, lower_rest), sums);
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
        let a = inner(row.x, mask.x, at);
        let a_rest = rest(row.x, mask.x, at);
        let b = inner(row.y, mask.y, at);
        let b_rest = rest(row.y, mask.y, at);
        let c = inner(row.z, mask.z, at);
        let c_rest = rest(row.z, mask.z, at);
        let d = inner(row.w, mask.w, at);
        let d_rest = rest(row.w, mask.w, at);
        taps(n * 36u, a, a_rest, b, b_rest, &sums);
        taps(n * 36u + 12u, b, b_rest, c, c_rest, &sums);
        taps(n * 36u + 24u, c, c_rest, d, d_rest, &sums);
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
