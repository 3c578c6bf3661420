// Cholesky factors of symmetric positive definite matrices, one tile of columns at a time: A = L Lᵀ.
//   diagonal tile:  L_kk = √(A_kk − Σ_m L_km²)        L_ik = (A_ik − Σ_m L_im L_km) / L_kk,  i > k
//   rows below:     the second alone; sums run over the columns m < k of the tile
// What the columns before `first` take from these is subtracted already (cholesky_update). A pivot
// that is not positive and finite sets the system's state to one and counts as one; a launch with
// first = 0 sets the state to zero first.
// One workgroup owns one system; invocation k the row k of the diagonal tile, then the rows k,
// k + 64, … below it.
// Launch: tasks · systems · 64 invocations. Workgroup memory: 4,096 bytes.
// Loop bound: size / 64 · 600 + 700.
// Bindings: states [tasks, state_stride], those of the systems from state_offset on; matrix [tasks,
// systems, size, size], of which the lower triangle is replaced; size is a multiple of TILE.

#import shared/finite.wgsl
#import shared/tile.wgsl

struct Params {
    tasks: u32,
    systems: u32,
    size: u32,
    first: u32,
    state_stride: u32,
    state_offset: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> states: array<u32>;
@group(0) @binding(2) var<storage, read_write> matrix: array<f32>;

// The diagonal tile, column by column.
var<workgroup> columns: array<f32, TILE_ELEMENTS>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let slot = flat_workgroup(workgroup, workgroups);
    if slot >= params.tasks * params.systems {
        return;
    }
    let corner = slot * params.size * params.size + params.first * params.size + params.first;
    for (var element = local; element < TILE_ELEMENTS; element += WORKGROUP_INVOCATIONS) {
        let row = element / TILE;
        let column = element - row * TILE;
        columns[column * TILE + row] = matrix[corner + row * params.size + column];
    }
    workgroupBarrier();

    var failed = 0u;
    for (var k = 0u; k < TILE; k += 1u) {
        let is_below = local >= k && local < TILE;
        if is_below {
            var sum = columns[k * TILE + local];
            for (var m = 0u; m < k; m += 1u) {
                sum -= columns[m * TILE + local] * columns[m * TILE + k];
            }
            columns[k * TILE + local] = sum;
        }
        workgroupBarrier();
        let pivot = columns[k * TILE + k];
        var root = 1.0;
        if pivot > 0.0 && is_finite(pivot) {
            root = sqrt(pivot);
        } else {
            failed = 1u;
        }
        // Everyone has read the pivot before its owner replaces it.
        workgroupBarrier();
        if is_below {
            columns[k * TILE + local] = select(columns[k * TILE + local] / root, root, local == k);
        }
        workgroupBarrier();
    }

    for (var element = local; element < TILE_ELEMENTS; element += WORKGROUP_INVOCATIONS) {
        let row = element / TILE;
        let column = element - row * TILE;
        if column <= row {
            matrix[corner + row * params.size + column] = columns[column * TILE + row];
        }
    }
    if local == 0u {
        let task = slot / params.systems;
        let state = task * params.state_stride + params.state_offset + (slot - task * params.systems);
        // Not a branch on a parameter alone, which would make another kernel of the first launch.
        states[state] = max(failed, select(states[state], 0u, params.first == 0u));
    }

    let rows = params.size - params.first;
    var solved: array<f32, TILE>;
    for (var row = TILE + local; row < rows; row += WORKGROUP_INVOCATIONS) {
        let at = corner + row * params.size;
        for (var k = 0u; k < TILE; k += 1u) {
            var sum = matrix[at + k];
            for (var m = 0u; m < k; m += 1u) {
                sum -= solved[m] * columns[m * TILE + k];
            }
            solved[k] = sum / columns[k * TILE + k];
            matrix[at + k] = solved[k];
        }
    }
}
