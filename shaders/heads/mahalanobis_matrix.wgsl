// The covariances Q_c of some classes, on the features: the system where N is not below d.
//   Q_ij = [i = j] + b (Xᵀ X)_ij + a Σ_{n in c} ẽ_ni ẽ_nj,  i ≥ j        (shared/mahalanobis.wgsl)
// The lower triangle is written, up to whole tiles, where it is the identity.
// One invocation owns one element of one class.
// Launch: tasks · classes · padded · padded invocations, padded = dimension up to whole tiles.
// Workgroup memory: none. Loop bound: ways + members of a class.
// Bindings: gram (Xᵀ X) [tasks, gram_stride]; deviations (ẽ) [tasks, support, dimension]; order
// [tasks, support] and counts [tasks, ways] (mahalanobis_order); matrix [tasks, classes, padded,
// padded], of the classes from first_class on.

#import shared/mahalanobis.wgsl
#import shared/tile.wgsl

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

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let index = flat_invocation(workgroup, workgroups, local);
    let padded = whole_tiles(params.dimension);
    let slot = index / (padded * padded);
    if slot >= params.tasks * params.classes {
        return;
    }
    let element = index - slot * padded * padded;
    let row = element / padded;
    let column = element - row * padded;
    if column > row {
        return;
    }
    let one = select(0.0, 1.0, row == column);
    if row >= params.dimension {
        matrix[index] = one;
        return;
    }
    let task = slot / params.classes;
    let class_index = task * params.ways + params.first_class + (slot - task * params.classes);
    var first = task * params.support;
    for (var other = task * params.ways; other < class_index; other += 1u) {
        first += u32(counts[other]);
    }
    let count = counts[class_index];
    let end = first + u32(count);
    var sum = 0.0;
    for (var at = first; at < end; at += 1u) {
        let image = (task * params.support + order[at]) * params.dimension;
        sum += deviations[image + row] * deviations[image + column];
    }
    let shared_part = gram[task * params.gram_stride + row * params.dimension + column];
    matrix[index] = one + (task_share(count, params.support) * shared_part + class_share(count) * sum);
}
