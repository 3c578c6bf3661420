// How many elements of each block of each task's vector are infinite or not a number: the first
// stage of the check whether a task diverged.
//   counts_tb = |{x in block b of task t : exponent bits all one}|
// The bits are read, because a shader may assume that floats are finite.
// One invocation owns one block of one task.
// Launch: tasks · ⌈length / block⌉ invocations. Workgroup memory: none. Loop bound: block.
// Bindings: vectors [tasks, length] as bits; counts [tasks, ⌈length / block⌉].

#import shared/grid.wgsl

struct Params {
    tasks: u32,
    length: u32,
    block: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> vectors: array<u32>;
@group(0) @binding(2) var<storage, read_write> counts: array<f32>;

const EXPONENT: u32 = 0x7f800000u;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = flat_invocation(workgroup, workgroups, local);
    let blocks = (params.length + params.block - 1u) / params.block;
    if index >= params.tasks * blocks {
        return;
    }
    let task = index / blocks;
    let first = (index - task * blocks) * params.block;
    let start = task * params.length;
    let end = start + min(first + params.block, params.length);
    var count = 0u;
    for (var at = start + first; at < end; at += 1u) {
        count += select(0u, 1u, (vectors[at] & EXPONENT) == EXPONENT);
    }
    counts[index] = f32(count);
}
