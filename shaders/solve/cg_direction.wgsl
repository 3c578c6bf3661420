// The next direction of conjugate gradient for the tasks that still run.
//   p ← z + beta p, or z when beta = 0        best ← x where the present iterate is the best so far
//   z = r / (diagonal + damping), or r without preconditioner
// One workgroup owns one block of one active task; invocation k its elements k, k + 64, …
// Launch: active tasks · blocks workgroups. Workgroup memory: none. Loop bound: block / 64 + 1.
// Bindings: active_tasks [1 + tasks]; scalars [tasks, 8] (shared/cg.wgsl); residual, diagonal,
// solution, direction, best [tasks, stride].

#import shared/grid.wgsl
#import shared/cg.wgsl

struct Params {
    length: u32,
    stride: u32,
    block: u32,
    damping: f32,
    jacobi: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> active_tasks: array<u32>;
@group(0) @binding(2) var<storage, read> scalars: array<f32>;
@group(0) @binding(3) var<storage, read> residual: array<f32>;
@group(0) @binding(4) var<storage, read> diagonal: array<f32>;
@group(0) @binding(5) var<storage, read> solution: array<f32>;
@group(0) @binding(6) var<storage, read_write> direction: array<f32>;
@group(0) @binding(7) var<storage, read_write> best: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let index = flat_workgroup(workgroup, workgroups);
    let blocks = (params.length + params.block - 1u) / params.block;
    let slot = index / blocks;
    if slot >= active_tasks[0] {
        return;
    }
    let task = active_tasks[1u + slot];
    let beta = scalars[task * CG_SCALARS + CG_BETA];
    let improved = scalars[task * CG_SCALARS + CG_IMPROVED] != 0.0;
    let first = (index - slot * blocks) * params.block;
    let end = min(first + params.block, params.length);
    for (var i = first + local; i < end; i += WORKGROUP_INVOCATIONS) {
        let at = task * params.stride + i;
        var z = residual[at];
        if params.jacobi != 0u {
            z = preconditioned(z, diagonal[at] + params.damping);
        }
        if beta == 0.0 {
            direction[at] = z;
        } else {
            direction[at] = z + beta * direction[at];
        }
        if improved {
            best[at] = solution[at];
        }
    }
}
