#import shared/grid.wgsl

// Partial sums of the weight and bias gradient of a 3×3 convolution, stride 1, padding 1.
//   partials[s, o, n, u, v] = Σ_{i in split s, r, c} dy[i,o,r,c] · x[i,n,r+u−1,c+v−1]
//   partials[s, bias o]     = Σ_{i in split s, r, c} dy[i,o,r,c]
// conv2d_reduce_partials adds the splits to the gradient. Splits never straddle tasks.
// An invocation owns 8 output channels × 4 input channels × 9 taps of one split, in registers. It
// walks down the columns of 4 pixels of the split's images, keeping the two input rows that the
// next step needs again: measured on a processor, 1.9 times as fast as loading all three.
// The host keeps images_per_split · height · ⌈width/4⌉ below 65,535.
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

// [4 inputs][9 taps][8 outputs]
alias Sums = array<vec4<f32>, 72>;

// Eight output channels at one pixel.
struct Pixel { a: vec4<f32>, b: vec4<f32> }

// The four pixels of a segment.
struct Segment { p0: Pixel, p1: Pixel, p2: Pixel, p3: Pixel }

// One tap over a segment.
fn tap(d: Segment, x: vec4<f32>, s: u32, sums: ptr<function, Sums>) {
    (*sums)[s] = fma(d.p3.a, vec4(x.w), fma(d.p2.a, vec4(x.z), fma(d.p1.a, vec4(x.y), fma(d.p0.a, vec4(x.x), (*sums)[s]))));
    (*sums)[s + 1u] = fma(d.p3.b, vec4(x.w), fma(d.p2.b, vec4(x.z), fma(d.p1.b, vec4(x.y), fma(d.p0.b, vec4(x.x), (*sums)[s + 1u]))));
}

// Six input pixels of one row under a segment.
struct Row { inner: vec4<f32>, rest: vec2<f32> }

// The three taps of one kernel row.
fn row_taps(d: Segment, x: Row, s: u32, sums: ptr<function, Sums>) {
    tap(d, x.inner, s, sums);
    tap(d, vec4(x.inner.yzw, x.rest.x), s + 2u, sums);
    tap(d, vec4(x.inner.zw, x.rest), s + 4u, sums);
}

// All nine taps of one input channel.
fn taps(d: Segment, above: Row, here: Row, below: Row, s: u32, sums: ptr<function, Sums>) {
    row_taps(d, above, s, sums);
    row_taps(d, here, s + 6u, sums);
    row_taps(d, below, s + 12u, sums);
}

// Where the six input columns of a segment lie within a row; those outside repeat and are masked.
struct Columns {
    inner: vec4<i32>,
    rest: vec2<i32>,
    inner_mask: vec4<f32>,
    rest_mask: vec2<f32>,
}

fn columns(c: i32, width: i32) -> Columns {
    let inner = vec4(c - 1, c, c + 1, c + 2);
    let rest = vec2(c + 3, c + 4);
    return Columns(
        clamp(inner, vec4(0), vec4(width - 1)),
        min(rest, vec2(width - 1)),
        select(vec4(0.0), vec4(1.0), (inner >= vec4(0)) & (inner < vec4(width))),
        select(vec2(0.0), vec2(1.0), rest < vec2(width)),
    );
}

fn load_row(row: i32, mask: f32, at: Columns) -> Row {
    let i = at.inner + row;
    let j = at.rest + row;
    return Row(
        vec4(input[i.x], input[i.y], input[i.z], input[i.w]) * (at.inner_mask * mask),
        vec2(input[j.x], input[j.y]) * (at.rest_mask * mask),
    );
}

// Channels past the last repeat it; they are not stored.
struct Planes { a: vec4<u32>, b: vec4<u32> }

fn load_pixel(at: u32, planes: Planes, mask: f32) -> Pixel {
    let i = planes.a + at;
    let j = planes.b + at;
    return Pixel(
        mask * vec4(d_output[i.x], d_output[i.y], d_output[i.z], d_output[i.w]),
        mask * vec4(d_output[j.x], d_output[j.y], d_output[j.z], d_output[j.w]),
    );
}

// Four output channels of one weight, or four biases.
fn put(at: u32, step: u32, channels: u32, value: vec4<f32>) {
    if channels > 0u { partials[at] = value.x; }
    if channels > 1u { partials[at + step] = value.y; }
    if channels > 2u { partials[at + 2u * step] = value.z; }
    if channels > 3u { partials[at + 3u * step] = value.w; }
}

fn put_pixel(at: u32, step: u32, channels: u32, value: Pixel) {
    put(at, step, channels, value.a);
    put(at + 4u * step, step, max(channels, 4u) - 4u, value.b);
}

@compute @workgroup_size(32)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = flat_workgroup(workgroup, count) * 32u + lane;
    let input_blocks = (params.in_channels + 3u) / 4u;
    let output_blocks = (params.out_channels + 7u) / 8u;
    let n = index % input_blocks * 4u;
    let o = (index / input_blocks) % output_blocks * 8u;
    let split = index / (input_blocks * output_blocks);
    if split >= params.splits { return; }

    let task = split / params.splits_per_task;
    let first = task * params.images_per_task + split % params.splits_per_task * params.images_per_split;
    let last = min(first + params.images_per_split, min((task + 1u) * params.images_per_task, params.images));
    let height = i32(params.height);
    let width = i32(params.width);
    let area = params.height * params.width;
    let inputs = min(params.in_channels - n, 4u);
    let outputs = min(params.out_channels - o, 8u);
    let input_planes = vec4<i32>(min(vec4(0u, 1u, 2u, 3u), vec4(inputs - 1u)) * area);
    let planes = Planes(
        min(vec4(0u, 1u, 2u, 3u), vec4(outputs - 1u)) * area,
        min(vec4(4u, 5u, 6u, 7u), vec4(outputs - 1u)) * area,
    );

    var sums = Sums();
    var bias = Pixel();
    for (var i = first; i < last; i++) {
        let plane = i32((i * params.in_channels + n) * area) + input_planes;
        let d_plane = (i * params.out_channels + o) * area;
        for (var c = 0; c < width; c += 4) {
            let at = columns(c, width);
            let pixels = vec4(c, c + 1, c + 2, c + 3);
            let inside = select(vec4(0.0), vec4(1.0), pixels < vec4(width));
            let pixel = vec4<u32>(min(pixels, vec4(width - 1))) + d_plane;
            var above_0 = Row();
            var above_1 = Row();
            var above_2 = Row();
            var above_3 = Row();
            var here_0 = load_row(plane.x, 1.0, at);
            var here_1 = load_row(plane.y, 1.0, at);
            var here_2 = load_row(plane.z, 1.0, at);
            var here_3 = load_row(plane.w, 1.0, at);
            for (var r = 0; r < height; r++) {
                let d_row = pixel + u32(r * width);
                let d = Segment(
                    load_pixel(d_row.x, planes, inside.x),
                    load_pixel(d_row.y, planes, inside.y),
                    load_pixel(d_row.z, planes, inside.z),
                    load_pixel(d_row.w, planes, inside.w),
                );
                bias.a += d.p0.a + d.p1.a + d.p2.a + d.p3.a;
                bias.b += d.p0.b + d.p1.b + d.p2.b + d.p3.b;
                let next = plane + min(r + 1, height - 1) * width;
                let mask = select(0.0, 1.0, r + 1 < height);
                let below_0 = load_row(next.x, mask, at);
                taps(d, above_0, here_0, below_0, 0u, &sums);
                above_0 = here_0;
                here_0 = below_0;
                let below_1 = load_row(next.y, mask, at);
                taps(d, above_1, here_1, below_1, 18u, &sums);
                above_1 = here_1;
                here_1 = below_1;
                let below_2 = load_row(next.z, mask, at);
                taps(d, above_2, here_2, below_2, 36u, &sums);
                above_2 = here_2;
                here_2 = below_2;
                let below_3 = load_row(next.w, mask, at);
                taps(d, above_3, here_3, below_3, 54u, &sums);
                above_3 = here_3;
                here_3 = below_3;
            }
        }
    }

    let step = params.in_channels * 9u;
    let row = split * params.out_channels * (step + 1u);
    let at = row + o * step + n * 9u;
    if n == 0u {
        put_pixel(row + params.out_channels * step + o, 1u, outputs, bias);
    }
    put_pixel(at, step, outputs, Pixel(sums[0], sums[1]));
    put_pixel(at + 1u, step, outputs, Pixel(sums[2], sums[3]));
    put_pixel(at + 2u, step, outputs, Pixel(sums[4], sums[5]));
    put_pixel(at + 3u, step, outputs, Pixel(sums[6], sums[7]));
    put_pixel(at + 4u, step, outputs, Pixel(sums[8], sums[9]));
    put_pixel(at + 5u, step, outputs, Pixel(sums[10], sums[11]));
    put_pixel(at + 6u, step, outputs, Pixel(sums[12], sums[13]));
    put_pixel(at + 7u, step, outputs, Pixel(sums[14], sums[15]));
    put_pixel(at + 8u, step, outputs, Pixel(sums[16], sums[17]));
    if inputs <= 1u { return; }
    put_pixel(at + 9u, step, outputs, Pixel(sums[18], sums[19]));
    put_pixel(at + 10u, step, outputs, Pixel(sums[20], sums[21]));
    put_pixel(at + 11u, step, outputs, Pixel(sums[22], sums[23]));
    put_pixel(at + 12u, step, outputs, Pixel(sums[24], sums[25]));
    put_pixel(at + 13u, step, outputs, Pixel(sums[26], sums[27]));
    put_pixel(at + 14u, step, outputs, Pixel(sums[28], sums[29]));
    put_pixel(at + 15u, step, outputs, Pixel(sums[30], sums[31]));
    put_pixel(at + 16u, step, outputs, Pixel(sums[32], sums[33]));
    put_pixel(at + 17u, step, outputs, Pixel(sums[34], sums[35]));
    if inputs <= 2u { return; }
    put_pixel(at + 18u, step, outputs, Pixel(sums[36], sums[37]));
    put_pixel(at + 19u, step, outputs, Pixel(sums[38], sums[39]));
    put_pixel(at + 20u, step, outputs, Pixel(sums[40], sums[41]));
    put_pixel(at + 21u, step, outputs, Pixel(sums[42], sums[43]));
    put_pixel(at + 22u, step, outputs, Pixel(sums[44], sums[45]));
    put_pixel(at + 23u, step, outputs, Pixel(sums[46], sums[47]));
    put_pixel(at + 24u, step, outputs, Pixel(sums[48], sums[49]));
    put_pixel(at + 25u, step, outputs, Pixel(sums[50], sums[51]));
    put_pixel(at + 26u, step, outputs, Pixel(sums[52], sums[53]));
    if inputs <= 3u { return; }
    put_pixel(at + 27u, step, outputs, Pixel(sums[54], sums[55]));
    put_pixel(at + 28u, step, outputs, Pixel(sums[56], sums[57]));
    put_pixel(at + 29u, step, outputs, Pixel(sums[58], sums[59]));
    put_pixel(at + 30u, step, outputs, Pixel(sums[60], sums[61]));
    put_pixel(at + 31u, step, outputs, Pixel(sums[62], sums[63]));
    put_pixel(at + 32u, step, outputs, Pixel(sums[64], sums[65]));
    put_pixel(at + 33u, step, outputs, Pixel(sums[66], sums[67]));
    put_pixel(at + 34u, step, outputs, Pixel(sums[68], sums[69]));
    put_pixel(at + 35u, step, outputs, Pixel(sums[70], sums[71]));
}
