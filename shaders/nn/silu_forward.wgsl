// SiLU, also called swish.
//   y = x · σ(x),   σ(x) = 1 / (1 + exp(−x))
// One invocation owns four neighbouring elements. Launch: ⌈elements / 4⌉ invocations.
// Workgroup memory: none.
// Bindings: input [elements]; output [elements].

#import shared/grid.wgsl
#import shared/sigmoid.wgsl

struct Params {
    elements: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let start = 4u * flat_invocation(workgroup, workgroups, local);
    let end = min(start + 4u, params.elements);
    for (var at = start; at < end; at += 1u) {
        let x = input[at];
        output[at] = x * sigmoid(x);
    }
}
