// What a tile of finished columns takes from the columns behind it, on the way to A = L Lᵀ.
//   A_ij −= Σ_{k in the tile} L_ik L_jk,  for all tiles with i ≥ j behind the finished columns
// One workgroup owns one tile of one system, an invocation 4 × 4 of its elements; tiles above the
// diagonal are skipped.
// Launch: tasks · systems · tiles · tiles · 64 invocations, tiles = size / TILE − first / TILE − 1.
// Workgroup memory: 8,192 bytes. Loop bound: 42.
// Bindings: matrix [systems of all tasks, size, size]: columns first … first + TILE − 1 are
// finished (cholesky_panel); size is a multiple of TILE.

#import shared/tile_product.wgsl

struct Params {
    systems: u32,
    size: u32,
    first: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> matrix: array<f32>;

fn four_rows(at: u32) -> vec4<f32> {
    let size = params.size;
    return vec4<f32>(matrix[at], matrix[at + size], matrix[at + 2u * size], matrix[at + 3u * size]);
}

fn subtract(at: u32, value: vec4<f32>) {
    matrix[at] -= value.x;
    matrix[at + 1u] -= value.y;
    matrix[at + 2u] -= value.z;
    matrix[at + 3u] -= value.w;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let index = flat_workgroup(workgroup, workgroups);
    let tiles = (params.size - params.first) / TILE - 1u;
    let slot = index / (tiles * tiles);
    let tile = index - slot * tiles * tiles;
    let tile_row = tile / tiles;
    let tile_column = tile - tile_row * tiles;
    if slot >= params.systems || tile_column > tile_row {
        return;
    }
    let start = slot * params.size * params.size;
    let behind = params.first + TILE;
    let first_row = behind + tile_row * TILE;
    let first_column = behind + tile_column * TILE;
    for (var element = local; element < 256u; element += WORKGROUP_INVOCATIONS) {
        let fours = element / TILE;
        let k = element - fours * TILE;
        let column = start + params.first + k;
        left[k * 8u + fours] = four_rows(column + (first_row + 4u * fours) * params.size);
        right[k * 8u + fours] = four_rows(column + (first_column + 4u * fours) * params.size);
    }
    workgroupBarrier();

    let row_fours = local / 8u;
    let column_fours = local - row_fours * 8u;
    let sum = add_products(local, Square());
    let at = start + (first_row + 4u * row_fours) * params.size + first_column + 4u * column_fours;
    subtract(at, sum.first);
    subtract(at + params.size, sum.second);
    subtract(at + 2u * params.size, sum.third);
    subtract(at + 3u * params.size, sum.fourth);
}
