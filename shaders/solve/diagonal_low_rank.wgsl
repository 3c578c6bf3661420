// Product of a matrix that is diagonal plus low rank, H = D + VᵀV, with the directions of the
// active tasks: the matrix-free systems that conjugate gradient is measured on.
//   (Hp)_i = diagonal_i p_i + Σ_k factor_ki projection_k        projection = V p
// One invocation owns one element of one active task.
// Launch: active tasks · ⌈length / 64⌉ workgroups. Workgroup memory: none. Loop bound: rank.
// Bindings: active_tasks [1 + tasks]; diagonal [tasks, stride]; factors [tasks, rank, stride];
// projections [tasks, rank]; direction [tasks, stride]; product [tasks, stride].

#import shared/grid.wgsl

struct Params {
    length: u32,
    stride: u32,
    rank: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> active_tasks: array<u32>;
@group(0) @binding(2) var<storage, read> diagonal: array<f32>;
@group(0) @binding(3) var<storage, read> factors: array<f32>;
@group(0) @binding(4) var<storage, read> projections: array<f32>;
@group(0) @binding(5) var<storage, read> direction: array<f32>;
@group(0) @binding(6) var<storage, read_write> product: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let index = flat_workgroup(workgroup, workgroups);
    let groups = (params.length + WORKGROUP_INVOCATIONS - 1u) / WORKGROUP_INVOCATIONS;
    let slot = index / groups;
    if slot >= active_tasks[0] {
        return;
    }
    let task = active_tasks[1u + slot];
    let i = (index - slot * groups) * WORKGROUP_INVOCATIONS + local;
    if i >= params.length {
        return;
    }
    let at = task * params.stride + i;
    var sum = diagonal[at] * direction[at];
    for (var k = 0u; k < params.rank; k += 1u) {
        sum += factors[(task * params.rank + k) * params.stride + i] * projections[task * params.rank + k];
    }
    product[at] = sum;
}
