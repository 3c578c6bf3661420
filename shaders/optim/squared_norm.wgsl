// Sum of squares of each block of a vector: the first stage of a norm.
//   partials_b = Σ x²        over the `block` elements of block b (the last may be shorter)
// One invocation owns one block.
// Launch: ⌈length / block⌉ invocations. Workgroup memory: none. Loop bound: block / 4 + 3.
// Bindings: vector [length]; partials [⌈length / block⌉].

#import shared/grid.wgsl

struct Params {
    length: u32,
    block: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> vector: array<f32>;
@group(0) @binding(2) var<storage, read_write> partials: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let index = flat_invocation(workgroup, workgroups, local);
    if index >= (params.length + params.block - 1u) / params.block {
        return;
    }
    var at = index * params.block;
    let count = min(params.block, params.length - at);
    let end = at + count;
    let end_of_fours = at + (count & ~3u);
    var sum = vec4<f32>(0.0);
    for (; at < end_of_fours; at += 4u) {
        let x = vec4<f32>(vector[at], vector[at + 1u], vector[at + 2u], vector[at + 3u]);
        sum += x * x;
    }
    for (; at < end; at += 1u) {
        sum.x += vector[at] * vector[at];
    }
    partials[index] = (sum.x + sum.y) + (sum.z + sum.w);
}
