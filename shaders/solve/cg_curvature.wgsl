// The curvature along the directions of the tasks that still run, block by block.
//   partials[·].w = Σ p · (Hp + damping·p) over a block
// One workgroup owns one block of one active task; invocation k its elements k, k + 64, …
// Launch: active tasks · blocks workgroups. Workgroup memory: 1,024 bytes.
// Loop bound: block / 64 + 65.
// Bindings: active_tasks [1 + tasks]; direction, product (Hp) [tasks, stride]; partials
// [tasks, blocks, 4], of which the last is written.

#import shared/total.wgsl

struct Params {
    length: u32,
    stride: u32,
    block: u32,
    damping: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> active_tasks: array<u32>;
@group(0) @binding(2) var<storage, read> direction: array<f32>;
@group(0) @binding(3) var<storage, read> product: array<f32>;
@group(0) @binding(4) var<storage, read_write> partials: array<f32>;

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
    let block = index - slot * blocks;
    let first = block * params.block;
    let end = min(first + params.block, params.length);
    var sum = 0.0;
    for (var i = first + local; i < end; i += WORKGROUP_INVOCATIONS) {
        let p = direction[task * params.stride + i];
        sum += p * (product[task * params.stride + i] + params.damping * p);
    }
    let total = workgroup_total(local, vec4<f32>(sum, 0.0, 0.0, 0.0));
    if local == 0u {
        partials[4u * (task * blocks + block) + 3u] = total.x;
    }
}
