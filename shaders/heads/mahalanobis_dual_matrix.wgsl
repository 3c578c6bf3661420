// The systems of some classes on the support, where N is below d: by Woodbury's identity
//   Q_c⁻¹ = I − Xᵀ √D K⁻¹ √D X        K = I + √D X Xᵀ √D        (√D: shared/mahalanobis.wgsl)
//   K_ij = [i = j] + r_i · r_j,  i ≥ j        r_n = √b x_n + [n in c] k ẽ_n,  k = √(a + b) − √b
// The lower triangle is written, up to whole tiles, where it is the identity.
// One invocation owns one element of one class.
// Launch: tasks · classes · padded · padded invocations, padded = support up to whole tiles.
// Workgroup memory: none.
// Bindings: gram [tasks, gram_stride], of which the first 3 · support² are the products x_i · x_j,
// ẽ_i · x_j and ẽ_i · ẽ_j; labels [tasks, support]; counts [tasks, ways]; matrix [tasks, classes,
// padded, padded], of the classes from first_class on.

#import shared/mahalanobis.wgsl
#import shared/tile.wgsl

struct Params {
    tasks: u32,
    classes: u32,
    first_class: u32,
    ways: u32,
    support: u32,
    gram_stride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> gram: array<f32>;
@group(0) @binding(2) var<storage, read> labels: array<u32>;
@group(0) @binding(3) var<storage, read> counts: array<f32>;
@group(0) @binding(4) var<storage, read_write> matrix: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let index = flat_invocation(workgroup, workgroups, local);
    let padded = whole_tiles(params.support);
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
    if row >= params.support {
        matrix[index] = one;
        return;
    }
    let task = slot / params.classes;
    let way = params.first_class + (slot - task * params.classes);
    let count = counts[task * params.ways + way];
    let b = task_share(count, params.support);
    let k = class_root(count, params.support);
    let row_factor = select(0.0, k, labels[task * params.support + row] == way);
    let column_factor = select(0.0, k, labels[task * params.support + column] == way);
    let square = params.support * params.support;
    let start = task * params.gram_stride;
    let at = row * params.support + column;
    let mixed = row_factor * gram[start + square + at]
        + column_factor * gram[start + square + column * params.support + row];
    let own = row_factor * column_factor * gram[start + 2u * square + at];
    matrix[index] = one + (b * gram[start + at] + sqrt(b) * mixed + own);
}
