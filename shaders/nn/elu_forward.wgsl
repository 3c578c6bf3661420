// The activation of small multi-layer perceptrons, in place (ELU, Clevert et al. 2016).
//   y = x for x > 0, else exp(x) − 1
// One invocation owns one element.
// Launch: elements invocations. Workgroup memory: none.
// Bindings: values [elements], x on the way in and y on the way out.

#import shared/grid.wgsl

struct Params {
    elements: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> values: array<f32>;

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
    let x = values[index];
    // The side that is not taken must not overflow.
    values[index] = select(exp(min(x, 0.0)) - 1.0, x, x > 0.0);
}
