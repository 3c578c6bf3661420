// Inner products that the matrices of all classes of a task share.
//   A_ij = Σ_k first_ik second_jk
//   of the features, Xᵀ X (size = dimension):  row_stride = 1, column_stride = dimension, terms = support
//   of the support, X Xᵀ (size = support):     row_stride = dimension, column_stride = 1, terms = dimension
// With `lower` only the tiles that reach below the diagonal are written.
// One workgroup owns 32 × 32 elements of one task, an invocation 4 × 4 of them.
// Launch: tasks · tiles · tiles · 64 invocations, tiles = ⌈size / 32⌉. Workgroup memory: 8,192 bytes.
// Loop bound: ⌈terms / 32⌉ · 40.
// Bindings: first, second [tasks, support, dimension]; gram [tasks, stride], of which A is the
// elements from `offset` on.

#import shared/tile_product.wgsl

struct Params {
    tasks: u32,
    size: u32,
    terms: u32,
    row_stride: u32,
    column_stride: u32,
    stride: u32,
    offset: u32,
    lower: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> first: array<f32>;
@group(0) @binding(2) var<storage, read> second: array<f32>;
@group(0) @binding(3) var<storage, read_write> gram: array<f32>;

fn first_at(at: u32, row: u32, term: u32) -> f32 {
    if row >= params.size || term >= params.terms {
        return 0.0;
    }
    return first[at + row * params.row_stride + term * params.column_stride];
}

fn second_at(at: u32, row: u32, term: u32) -> f32 {
    if row >= params.size || term >= params.terms {
        return 0.0;
    }
    return second[at + row * params.row_stride + term * params.column_stride];
}

fn write(start: u32, row: u32, column: u32, values: vec4<f32>) {
    if row >= params.size {
        return;
    }
    let at = start + row * params.size + column;
    if column < params.size {
        gram[at] = values.x;
    }
    if column + 1u < params.size {
        gram[at + 1u] = values.y;
    }
    if column + 2u < params.size {
        gram[at + 2u] = values.z;
    }
    if column + 3u < params.size {
        gram[at + 3u] = values.w;
    }
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let index = flat_workgroup(workgroup, workgroups);
    let tiles = whole_tiles(params.size) / TILE;
    let task = index / (tiles * tiles);
    let tile = index - task * tiles * tiles;
    let tile_row = tile / tiles;
    let tile_column = tile - tile_row * tiles;
    if task >= params.tasks || tile_column > tile_row + (1u - params.lower) * tiles {
        return;
    }
    let start = task * params.size * params.terms;
    // A zero that lavapipe takes for a variable, as in cholesky_solve.
    let zero = task / params.tasks;
    var sum = Square();
    for (var done = zero; done < params.terms; done += TILE) {
        for (var element = local; element < 256u; element += WORKGROUP_INVOCATIONS) {
            let fours = element / TILE;
            let k = element - fours * TILE;
            let row = tile_row * TILE + 4u * fours;
            let column = tile_column * TILE + 4u * fours;
            let term = done + k;
            left[k * 8u + fours] = vec4<f32>(
                first_at(start, row, term),
                first_at(start, row + 1u, term),
                first_at(start, row + 2u, term),
                first_at(start, row + 3u, term),
            );
            right[k * 8u + fours] = vec4<f32>(
                second_at(start, column, term),
                second_at(start, column + 1u, term),
                second_at(start, column + 2u, term),
                second_at(start, column + 3u, term),
            );
        }
        workgroupBarrier();
        sum = add_products(local, sum);
        workgroupBarrier();
    }
    let place = task * params.stride + params.offset;
    let row = tile_row * TILE + local / 8u * 4u;
    let column = tile_column * TILE + local % 8u * 4u;
    write(place, row, column, sum.first);
    write(place, row + 1u, column, sum.second);
    write(place, row + 2u, column, sum.third);
    write(place, row + 3u, column, sum.fourth);
}
