// Gradient of ELU, in place, from what it gave: its slope is 1 above zero, else exp(x) = y + 1.
//   dx = dy · (y > 0 ? 1 : y + 1)
// One invocation owns one element.
// Launch: elements invocations. Workgroup memory: none.
// Bindings: output [elements], y; gradient [elements], dy on the way in and dx on the way out.

#import shared/grid.wgsl

struct Params {
    elements: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> output: array<f32>;
@group(0) @binding(2) var<storage, read_write> gradient: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = flat_invocation(workgroup, workgroups, local);
    if index >= params.elements {
        return;
    }
    let y = output[index];
    gradient[index] *= select(y + 1.0, 1.0, y > 0.0);
}
