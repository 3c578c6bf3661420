// Solution of A x = b for several right-hand sides, with the Cholesky factor A = UᵀU.
//   Uᵀ z = b from the first row on, then U x = z from the last row back
// The right-hand sides are replaced. Element i of right-hand side w of a task stands at
// task · stride + i · row_stride + w · way_stride.
// One workgroup owns one task and four right-hand sides; invocation k the rows k, k + 64, …
// Launch: tasks · ⌈ways / 4⌉ · 64 invocations. Workgroup memory: none.
// Loop bound: size² / 64 + 4 · size (so size stays below 1,800).
// Bindings: factor (U, in the upper triangle) [tasks, size, size]; solution (see above).

#import shared/grid.wgsl

struct Params {
    tasks: u32,
    size: u32,
    ways: u32,
    stride: u32,
    row_stride: u32,
    way_stride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> factor: array<f32>;
@group(0) @binding(2) var<storage, read_write> solution: array<f32>;

fn load(at: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(solution[at.x], solution[at.y], solution[at.z], solution[at.w]);
}

// Ways beyond the last are the last again, and get the same value.
fn store(at: vec4<u32>, value: vec4<f32>) {
    solution[at.x] = value.x;
    solution[at.y] = value.y;
    solution[at.z] = value.z;
    solution[at.w] = value.w;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let index = flat_workgroup(workgroup, workgroups);
    let tiles = (params.ways + 3u) / 4u;
    let task = index / tiles;
    if task >= params.tasks {
        return;
    }
    let last = vec4<u32>(params.ways - 1u);
    let ways = min(4u * (index - task * tiles) + vec4<u32>(0u, 1u, 2u, 3u), last);
    let start = task * params.stride + ways * params.way_stride;
    let first = task * params.size * params.size;

    for (var j = 0u; j < params.size; j += 1u) {
        let row = first + j * params.size;
        let z = load(start + j * params.row_stride) / factor[row + j];
        // Everyone has read z before its owner replaces it.
        storageBarrier();
        for (var i = j + local; i < params.size; i += WORKGROUP_INVOCATIONS) {
            let at = start + i * params.row_stride;
            if i == j {
                store(at, z);
            } else {
                store(at, load(at) - factor[row + i] * z);
            }
        }
        storageBarrier();
    }
    for (var step = 0u; step < params.size; step += 1u) {
        let j = params.size - 1u - step;
        let x = load(start + j * params.row_stride) / factor[first + j * params.size + j];
        storageBarrier();
        for (var i = local; i <= j; i += WORKGROUP_INVOCATIONS) {
            let at = start + i * params.row_stride;
            if i == j {
                store(at, x);
            } else {
                store(at, load(at) - factor[first + i * params.size + j] * x);
            }
        }
        storageBarrier();
    }
}
