// The covariances Q_c of some classes, on the features: the system where N is not below d.
//   Q_ij = [i = j] + b (Xᵀ X)_ij + a Σ_{n in c} ẽ_ni ẽ_nj,  i ≥ j        (shared/mahalanobis.wgsl)
// The lower triangle is written, up to whole tiles, where it is the identity.
// One workgroup owns 32 × 32 elements of one class, an invocation 4 × 4 of them; tiles above the
// diagonal are skipped.
// Launch: tasks · classes · tiles · tiles · 64 invocations, tiles = ⌈dimension / 32⌉.
// Workgroup memory: 8,192 bytes. Loop bound: ways + ⌈members of a class / 32⌉ · 40.
// Bindings: gram (Xᵀ X) [tasks, gram_stride]; deviations (ẽ) [tasks, support, dimension]; order
// [tasks, support] and counts [tasks, ways] (mahalanobis_order); matrix [tasks, classes, padded,
// padded], padded = 32 · tiles, of the classes from first_class on.

#import shared/mahalanobis.wgsl
#import shared/tile_product.wgsl

struct Params {
    tasks: u32,
    classes: u32,
    first_class: u32,
    ways: u32,
    support: u32,
    dimension: u32,
    gram_stride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> gram: array<f32>;
@group(0) @binding(2) var<storage, read> deviations: array<f32>;
@group(0) @binding(3) var<storage, read> order: array<u32>;
@group(0) @binding(4) var<storage, read> counts: array<f32>;
@group(0) @binding(5) var<storage, read_write> matrix: array<f32>;

fn deviation(image: u32, component: u32) -> f32 {
    if component >= params.dimension {
        return 0.0;
    }
    return deviations[image + component];
}

// Four components from `component` on of one image.
fn four(image: u32, component: u32) -> vec4<f32> {
    return vec4<f32>(
        deviation(image, component),
        deviation(image, component + 1u),
        deviation(image, component + 2u),
        deviation(image, component + 3u),
    );
}

// at: (the matrix, its task's products, row, column); shares: (a, b)
fn write(at: vec4<u32>, shares: vec2<f32>, values: vec4<f32>) {
    let padded = whole_tiles(params.dimension);
    for (var lane = 0u; lane < 4u; lane += 1u) {
        let column = at.w + lane;
        if column <= at.z {
            var value = select(0.0, 1.0, column == at.z);
            if at.z < params.dimension {
                value += shares.y * gram[at.y + at.z * params.dimension + column] + shares.x * values[lane];
            }
            matrix[at.x + at.z * padded + column] = value;
        }
    }
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let index = flat_workgroup(workgroup, workgroups);
    let padded = whole_tiles(params.dimension);
    let tiles = padded / TILE;
    let slot = index / (tiles * tiles);
    let tile = index - slot * tiles * tiles;
    let tile_row = tile / tiles;
    let tile_column = tile - tile_row * tiles;
    if slot >= params.tasks * params.classes || tile_column > tile_row {
        return;
    }
    let task = slot / params.classes;
    let class_index = task * params.ways + params.first_class + (slot - task * params.classes);
    var start = task * params.support;
    for (var other = task * params.ways; other < class_index; other += 1u) {
        start += u32(counts[other]);
    }
    let count = counts[class_index];
    let end = start + u32(count);
    var sum = Square();
    for (var done = start; done < end; done += TILE) {
        for (var element = local; element < 256u; element += WORKGROUP_INVOCATIONS) {
            // Neighbouring invocations read neighbouring components.
            let k = element / 8u;
            let fours = element - k * 8u;
            var rows = vec4<f32>(0.0);
            var columns = vec4<f32>(0.0);
            if done + k < end {
                let image = (task * params.support + order[done + k]) * params.dimension;
                rows = four(image, tile_row * TILE + 4u * fours);
                columns = four(image, tile_column * TILE + 4u * fours);
            }
            left[k * 8u + fours] = rows;
            right[k * 8u + fours] = columns;
        }
        workgroupBarrier();
        sum = add_products(local, sum);
        workgroupBarrier();
    }
    let shares = vec2<f32>(class_share(count), task_share(count, params.support));
    let row = tile_row * TILE + local / 8u * 4u;
    let column = tile_column * TILE + local % 8u * 4u;
    let at = vec4<u32>(slot * padded * padded, task * params.gram_stride, row, column);
    write(at, shares, sum.first);
    write(at + vec4<u32>(0u, 0u, 1u, 0u), shares, sum.second);
    write(at + vec4<u32>(0u, 0u, 2u, 0u), shares, sum.third);
    write(at + vec4<u32>(0u, 0u, 3u, 0u), shares, sum.fourth);
}
