// Strips of eight columns that a convolution walks down row by row, each value of the input loaded
// once for all outputs of the strip. Twelve columns of input are enough for kernels up to 5×5; what
// a smaller kernel leaves unused is never loaded.

// Where the twelve columns of a strip lie within a row of the input: clamped, with zero for those
// outside.
struct Columns {
    first: vec4<i32>,
    second: vec4<i32>,
    third: vec4<i32>,
    first_mask: vec4<f32>,
    second_mask: vec4<f32>,
    third_mask: vec4<f32>,
}

// Twelve neighbouring values.
struct Row {
    first: vec4<f32>,
    second: vec4<f32>,
    third: vec4<f32>,
}

// Eight neighbouring sums.
struct Strip {
    left: vec4<f32>,
    right: vec4<f32>,
}

fn column_mask(columns: vec4<i32>, width: i32) -> vec4<f32> {
    let is_inside = (columns >= vec4<i32>(0)) & (columns < vec4<i32>(width));
    return select(vec4<f32>(0.0), vec4<f32>(1.0), is_inside);
}

fn strip_columns(start: i32, width: i32) -> Columns {
    let first = vec4<i32>(start, start + 1, start + 2, start + 3);
    let second = first + vec4<i32>(4);
    let third = first + vec4<i32>(8);
    let last = vec4<i32>(width - 1);
    return Columns(
        clamp(first, vec4<i32>(0), last),
        clamp(second, vec4<i32>(0), last),
        clamp(third, vec4<i32>(0), last),
        column_mask(first, width),
        column_mask(second, width),
        column_mask(third, width),
    );
}

// One row of a 3×3 kernel.
fn three_taps(w: vec3<f32>, row: Row, sum: Strip) -> Strip {
    let a = row.first;
    let b = row.second;
    let c = row.third;
    var left = fma(vec4<f32>(w.x), a, sum.left);
    left = fma(vec4<f32>(w.y), vec4<f32>(a.yzw, b.x), left);
    left = fma(vec4<f32>(w.z), vec4<f32>(a.zw, b.xy), left);
    var right = fma(vec4<f32>(w.x), b, sum.right);
    right = fma(vec4<f32>(w.y), vec4<f32>(b.yzw, c.x), right);
    right = fma(vec4<f32>(w.z), vec4<f32>(b.zw, c.xy), right);
    return Strip(left, right);
}

// One row of a 5×5 kernel: three taps and two more.
struct Taps {
    first: vec3<f32>,
    rest: vec2<f32>,
}

fn five_taps(w: Taps, row: Row, sum: Strip) -> Strip {
    let a = row.first;
    let b = row.second;
    let c = row.third;
    let three = three_taps(w.first, row, sum);
    var left = fma(vec4<f32>(w.rest.x), vec4<f32>(a.w, b.xyz), three.left);
    left = fma(vec4<f32>(w.rest.y), b, left);
    var right = fma(vec4<f32>(w.rest.x), vec4<f32>(b.w, c.xyz), three.right);
    right = fma(vec4<f32>(w.rest.y), c, right);
    return Strip(left, right);
}

// Transposed at stride 2, where eight neighbouring columns come from four of the convolution's
// output (and two before them): the even ones are the left half of the strip's sums, the odd ones
// the right half. Each takes every other tap of a kernel's row.

fn three_taps_apart(w: vec3<f32>, row: Row, sum: Strip) -> Strip {
    let here = vec4<f32>(row.first.zw, row.second.xy);
    let before = vec4<f32>(row.first.yzw, row.second.x);
    let even = fma(vec4<f32>(w.z), before, fma(vec4<f32>(w.x), here, sum.left));
    return Strip(even, fma(vec4<f32>(w.y), here, sum.right));
}

fn five_taps_apart(w: Taps, row: Row, sum: Strip) -> Strip {
    let before = vec4<f32>(row.first.yzw, row.second.x);
    let three = three_taps_apart(w.first, row, sum);
    let even = fma(vec4<f32>(w.rest.y), row.first, three.left);
    return Strip(even, fma(vec4<f32>(w.rest.x), before, three.right));
}

// At stride 2, where four neighbouring outputs take every other of the twelve columns.

fn three_taps_striding(w: vec3<f32>, row: Row, sum: vec4<f32>) -> vec4<f32> {
    let a = row.first;
    let b = row.second;
    var s = fma(vec4<f32>(w.x), vec4<f32>(a.xz, b.xz), sum);
    s = fma(vec4<f32>(w.y), vec4<f32>(a.yw, b.yw), s);
    return fma(vec4<f32>(w.z), vec4<f32>(a.z, b.xz, row.third.x), s);
}

fn five_taps_striding(w: Taps, row: Row, sum: vec4<f32>) -> vec4<f32> {
    let b = row.second;
    let c = row.third;
    var s = three_taps_striding(w.first, row, sum);
    s = fma(vec4<f32>(w.rest.x), vec4<f32>(row.first.w, b.yw, c.y), s);
    return fma(vec4<f32>(w.rest.y), vec4<f32>(b.xz, c.xz), s);
}
