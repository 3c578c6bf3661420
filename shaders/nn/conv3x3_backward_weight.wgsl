#import shared/grid.wgsl

// Partial sums of the weight and bias gradient of a 3×3 convolution, stride 1, padding 1.
//   partials[s, o, n, u, v] = Σ_{i in split s, r, c} dy[i,o,r,c] · x[i,n,r+u−1,c+v−1]
//   partials[s, bias o]     = Σ_{i in split s, r, c} dy[i,o,r,c]
// conv2d_reduce_partials adds the splits to the gradient. Splits never straddle tasks.
// An invocation owns 16 output channels × 2 input channels × 9 taps of one split, in registers,
// and walks over the split's images in segments of 4 pixels. The host keeps
// images_per_split · height · ⌈width/4⌉ below 65,535.
// Workgroup memory: none.
// Bindings: input [I,N,H,W] r, d_output [I,O,H,W] r, partials [S, O·N·9 + O] rw.

struct Params {
    images: u32,
    in_channels: u32,
    out_channels: u32,
    height: u32,
    width: u32,
    splits: u32,
    images_per_split: u32,
    splits_per_task: u32,
    images_per_task: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read> d_output: array<f32>;
@group(0) @binding(3) var<storage, read_write> partials: array<f32>;

// [2 inputs][9 taps][16 outputs]
alias Sums = array<vec4<f32>, 72>;

// Sixteen output channels at one pixel.
struct Pixel { a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32> }

fn accumulate(p: Pixel, x: f32, s: u32, sums: ptr<function, Sums>) {
    (*sums)[s] = fma(p.a, vec4(x), (*sums)[s]);
    (*sums)[s + 1u] = fma(p.b, vec4(x), (*sums)[s + 1u]);
    (*sums)[s + 2u] = fma(p.c, vec4(x), (*sums)[s + 2u]);
    (*sums)[s + 3u] = fma(p.d, vec4(x), (*sums)[s + 3u]);
}

// One tap over the four pixels of a segment.
fn tap(p0: Pixel, p1: Pixel, p2: Pixel, p3: Pixel, x: vec4<f32>, s: u32, sums: ptr<function, Sums>) {
    accumulate(p0, x.x, s, sums);
    accumulate(p1, x.y, s, sums);
    accumulate(p2, x.z, s, sums);
    accumulate(p3, x.w, s, sums);
}

// The six input columns of a segment.
struct Columns {
    inner: vec4<i32>,
    rest: vec2<i32>,
    inner_mask: vec4<f32>,
    rest_mask: vec2<f32>,
}

// Six input pixels of one row under a segment.
struct Row { inner: vec4<f32>, rest: vec2<f32> }

fn load_row(row: i32, mask: f32, at: Columns) -> Row {
    let i = at.inner + row;
    let j = at.rest + row;
    return Row(
        vec4(input[i.x], input[i.y], input[i.z], input[i.w]) * (at.inner_mask * mask),
        vec2(input[j.x], input[j.y]) * (at.rest_mask * mask),
    );
}

// The three taps of one kernel row.
fn taps(p0: Pixel, p1: Pixel, p2: Pixel, p3: Pixel, x: Row, s: u32, sums: ptr<function, Sums>) {
    tap(p0, p1, p2, p3, x.inner, s, sums);
    tap(p0, p1, p2, p3, vec4(x.inner.yzw, x.rest.x), s + 4u, sums);
    tap(p0, p1, p2, p3, vec4(x.inner.zw, x.rest), s + 8u, sums);
}

fn load(at: u32, area: u32, channels: u32, mask: f32) -> Pixel {
    let last = channels - 1u;
    return Pixel(
        mask * vec4(d_output[at], d_output[at + min(1u, last) * area], d_output[at + min(2u, last) * area], d_output[at + min(3u, last) * area]),
        mask * vec4(d_output[at + min(4u, last) * area], d_output[at + min(5u, last) * area], d_output[at + min(6u, last) * area], d_output[at + min(7u, last) * area]),
        mask * vec4(d_output[at + min(8u, last) * area], d_output[at + min(9u, last) * area], d_output[at + min(10u, last) * area], d_output[at + min(11u, last) * area]),
        mask * vec4(d_output[at + min(12u, last) * area], d_output[at + min(13u, last) * area], d_output[at + min(14u, last) * area], d_output[at + min(15u, last) * area]),
    );
}

// Four output channels of one tap.
fn put(at: u32, step: u32, channels: u32, value: vec4<f32>) {
    if channels > 0u { partials[at] = value.x; }
    if channels > 1u { partials[at + step] = value.y; }
    if channels > 2u { partials[at + 2u * step] = value.z; }
    if channels > 3u { partials[at + 3u * step] = value.w; }
}

fn put_tap(at: u32, step: u32, channels: u32, a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>) {
    put(at, step, channels, a);
    put(at + 4u * step, step, max(channels, 4u) - 4u, b);
    put(at + 8u * step, step, max(channels, 8u) - 8u, c);
    put(at + 12u * step, step, max(channels, 12u) - 12u, d);
}

@compute @workgroup_size(32)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = flat_workgroup(workgroup, count) * 32u + lane;
    let input_pairs = (params.in_channels + 1u) / 2u;
    let output_blocks = (params.out_channels + 15u) / 16u;
    let n = index % input_pairs * 2u;
    let o = (index / input_pairs) % output_blocks * 16u;
    let split = index / (input_pairs * output_blocks);
    if split >= params.splits { return; }

    let task = split / params.splits_per_task;
    let first = task * params.images_per_task + split % params.splits_per_task * params.images_per_split;
    let last = min(first + params.images_per_split, min((task + 1u) * params.images_per_task, params.images));
    let height = i32(params.height);
    let width = i32(params.width);
    let area = params.height * params.width;
    let channels = min(params.out_channels - o, 16u);
    // An odd last input channel is computed twice and stored once.
    let second = select(0, i32(area), n + 1u < params.in_channels);

    var sums = Sums();
    var bias = Pixel();
    for (var i = first; i < last; i++) {
        let plane = i32((i * params.in_channels + n) * area);
        let d_plane = (i * params.out_channels + o) * area;
        for (var c = 0; c < width; c += 4) {
            let xs = vec4(c - 1, c, c + 1, c + 2);
            let xr = vec2(c + 3, c + 4);
            let at = Columns(
                clamp(xs, vec4(0), vec4(width - 1)),
                min(xr, vec2(width - 1)),
                select(vec4(0.0), vec4(1.0), (xs >= vec4(0)) & (xs < vec4(width))),
                select(vec2(0.0), vec2(1.0), xr < vec2(width)),
            );
            let inside = select(vec4(0.0), vec4(1.0), vec4(c, c + 1, c + 2, c + 3) < vec4(width));
            let pixel = vec4<u32>(min(vec4(c, c + 1, c + 2, c + 3), vec4(width - 1)));
            // Walking down a column of segments, two of the three input rows are there already.
            var above = Row();
            var here = load_row(plane, 1.0, at);
            var above_second = Row();
            var here_second = load_row(plane + second, 1.0, at);
            for (var r = 0; r < height; r++) {
                let d_row = d_plane + u32(r * width);
                let p0 = load(d_row + pixel.x, area, channels, inside.x);
                let p1 = load(d_row + pixel.y, area, channels, inside.y);
                let p2 = load(d_row + pixel.z, area, channels, inside.z);
                let p3 = load(d_row + pixel.w, area, channels, inside.w);
                bias.a += p0.a + p1.a + p2.a + p3.a;
                bias.b += p0.b + p1.b + p2.b + p3.b;
                bias.c += p0.c + p1.c + p2.c + p3.c;
                bias.d += p0.d + p1.d + p2.d + p3.d;
                let next = plane + min(r + 1, height - 1) * width;
                let mask = select(0.0, 1.0, r + 1 < height);
                let below = load_row(next, mask, at);
                let below_second = load_row(next + second, mask, at);
                taps(p0, p1, p2, p3, above, 0u, &sums);
                taps(p0, p1, p2, p3, here, 12u, &sums);
                taps(p0, p1, p2, p3, below, 24u, &sums);
                taps(p0, p1, p2, p3, above_second, 36u, &sums);
                taps(p0, p1, p2, p3, here_second, 48u, &sums);
                taps(p0, p1, p2, p3, below_second, 60u, &sums);
                above = here;
                here = below;
                above_second = here_second;
                here_second = below_second;
            }
        }
    }

    let step = params.in_channels * 9u;
    let row = split * params.out_channels * (step + 1u);
    let at = row + o * step + n * 9u;
    put_tap(at, step, channels, sums[0], sums[1], sums[2], sums[3]);
    put_tap(at + 1u, step, channels, sums[4], sums[5], sums[6], sums[7]);
    put_tap(at + 2u, step, channels, sums[8], sums[9], sums[10], sums[11]);
    put_tap(at + 3u, step, channels, sums[12], sums[13], sums[14], sums[15]);
    put_tap(at + 4u, step, channels, sums[16], sums[17], sums[18], sums[19]);
    put_tap(at + 5u, step, channels, sums[20], sums[21], sums[22], sums[23]);
    put_tap(at + 6u, step, channels, sums[24], sums[25], sums[26], sums[27]);
    put_tap(at + 7u, step, channels, sums[28], sums[29], sums[30], sums[31]);
    put_tap(at + 8u, step, channels, sums[32], sums[33], sums[34], sums[35]);
    if n == 0u {
        put_tap(row + params.out_channels * step + o, 1u, channels, bias.a, bias.b, bias.c, bias.d);
    }
    if n + 1u >= params.in_channels { return; }
    put_tap(at + 9u, step, channels, sums[36], sums[37], sums[38], sums[39]);
    put_tap(at + 10u, step, channels, sums[40], sums[41], sums[42], sums[43]);
    put_tap(at + 11u, step, channels, sums[44], sums[45], sums[46], sums[47]);
    put_tap(at + 12u, step, channels, sums[48], sums[49], sums[50], sums[51]);
    put_tap(at + 13u, step, channels, sums[52], sums[53], sums[54], sums[55]);
    put_tap(at + 14u, step, channels, sums[56], sums[57], sums[58], sums[59]);
    put_tap(at + 15u, step, channels, sums[60], sums[61], sums[62], sums[63]);
    put_tap(at + 16u, step, channels, sums[64], sums[65], sums[66], sums[67]);
    put_tap(at + 17u, step, channels, sums[68], sums[69], sums[70], sums[71]);
}
