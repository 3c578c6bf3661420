// The solution that conjugate gradient returns for every task.
//   x ← 0 when no iterate is of use or b = 0 (best scalar below zero), else best where the solve
//   ended in a breakdown or a number that was not finite, else x as it is
// One invocation owns one element of one task.
// Launch: tasks · length invocations. Workgroup memory: none.
// Bindings: scalars [tasks, 8] (shared/cg.wgsl); states [tasks, 2]; best, solution [tasks, stride].

#import shared/grid.wgsl
#import shared/cg.wgsl

struct Params {
    tasks: u32,
    length: u32,
    stride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> scalars: array<f32>;
@group(0) @binding(2) var<storage, read> states: array<u32>;
@group(0) @binding(3) var<storage, read> best: array<f32>;
@group(0) @binding(4) var<storage, read_write> solution: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let index = flat_invocation(workgroup, workgroups, local);
    if index >= params.tasks * params.length {
        return;
    }
    let task = index / params.length;
    let at = task * params.stride + (index - task * params.length);
    if scalars[task * CG_SCALARS + CG_BEST] < 0.0 {
        solution[at] = 0.0;
    } else if states[2u * task] >= CG_BREAKDOWN {
        solution[at] = best[at];
    }
}
