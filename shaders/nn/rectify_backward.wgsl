// Gradient of the leaky ReLU, from its output: with slope >= 0 the output is above zero exactly
// where the input is, so that the input need not be kept.
//   dx = dy where y > 0, else slope · dy
// One invocation owns four neighbouring elements. Launch: ⌈elements / 4⌉ invocations.
// Workgroup memory: none.
// Bindings: output [elements]; d_output [elements]; d_input [elements].

#import shared/grid.wgsl

struct Params {
    elements: u32,
    slope: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> output: array<f32>;
@group(0) @binding(2) var<storage, read> d_output: array<f32>;
@group(0) @binding(3) var<storage, read_write> d_input: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let start = 4u * flat_invocation(workgroup, workgroups, local);
    let end = min(start + 4u, params.elements);
    for (var at = start; at < end; at += 1u) {
        d_input[at] = d_output[at] * select(1.0, params.slope, output[at] <= 0.0);
    }
}
