// Cholesky factor of a symmetric positive definite matrix, some rows of it at a time.
//   A = UᵀU        U_jj = √(A_jj − Σ_k U_kj²)        U_ji = (A_ji − Σ_k U_kj U_ki) / U_jj,  i > j
// The upper triangle of the matrix is replaced by U, row by row from first_row to end_row; rows
// above are done. A pivot that is not positive and finite sets the task's state to one and counts
// as one. A launch from row 0 sets the state to zero first.
// One workgroup owns one task; invocation k the columns j + k, j + k + 64, … of row j.
// Launch: tasks · 64 invocations. Workgroup memory: 4 bytes.
// Loop bound: Σ_j ⌈(size − j) / 64⌉ (j + 2) over the rows of the launch.
// Bindings: states [tasks]; matrix [tasks, size, size].

#import shared/grid.wgsl
#import shared/finite.wgsl

struct Params {
    tasks: u32,
    size: u32,
    first_row: u32,
    end_row: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> states: array<u32>;
@group(0) @binding(2) var<storage, read_write> matrix: array<f32>;

var<workgroup> pivot: f32;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let task = flat_workgroup(workgroup, workgroups);
    if task >= params.tasks {
        return;
    }
    let first = task * params.size * params.size;
    if local == 0u && params.first_row == 0u {
        states[task] = 0u;
    }
    for (var j = params.first_row; j < params.end_row; j += 1u) {
        let row = first + j * params.size;
        for (var i = j + local; i < params.size; i += WORKGROUP_INVOCATIONS) {
            var sum = matrix[row + i];
            var above = first;
            for (var k = 0u; k < j; k += 1u) {
                sum -= matrix[above + j] * matrix[above + i];
                above += params.size;
            }
            matrix[row + i] = sum;
            if i == j {
                pivot = sum;
            }
        }
        // Both memories: the pivot, and the row above for the next.
        workgroupBarrier();
        var root = 1.0;
        if pivot > 0.0 && is_finite(pivot) {
            root = sqrt(pivot);
        } else if local == 0u {
            states[task] = 1u;
        }
        for (var i = j + local; i < params.size; i += WORKGROUP_INVOCATIONS) {
            if i == j {
                matrix[row + i] = root;
            } else {
                matrix[row + i] /= root;
            }
        }
        storageBarrier();
        workgroupBarrier();
    }
}
