// A copy: what an adapter's memory gives to a kernel that does nothing else.
//   output = input
// One invocation owns four neighbouring values.
// Launch: quads invocations. Loops: none. Workgroup memory: none.
// Bindings: input [quads, 4]; output [quads, 4].

#import shared/grid.wgsl

struct Params {
    quads: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> output: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = flat_invocation(workgroup, workgroups, local);
    if index < params.quads {
        output[index] = input[index];
    }
}
