// Products of two matrices a tile at a time: 64 invocations own 32 × 32 elements, each of them four
// rows by four columns of these, and go through the terms of the sums 32 at a time.
// Workgroup memory: 8,192 bytes.

#import shared/tile.wgsl

// Four neighbouring elements in each of four rows.
struct Square {
    first: vec4<f32>,
    second: vec4<f32>,
    third: vec4<f32>,
    fourth: vec4<f32>,
}

// [term, four rows] and [term, four columns]: the importing kernel writes them, between barriers.
var<workgroup> left: array<vec4<f32>, 256>;
var<workgroup> right: array<vec4<f32>, 256>;

// Adds the products of the present terms.
fn add_products(local: u32, square: Square) -> Square {
    let row_fours = local / 8u;
    let column_fours = local - row_fours * 8u;
    var sum = square;
    for (var k = 0u; k < TILE; k += 1u) {
        let a = left[k * 8u + row_fours];
        let b = right[k * 8u + column_fours];
        sum.first += a.x * b;
        sum.second += a.y * b;
        sum.third += a.z * b;
        sum.fourth += a.w * b;
    }
    return sum;
}
