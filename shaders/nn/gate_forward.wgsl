// Each channel of each image times a gate: the last step of squeeze-and-excitation; applied to dy,
// also its gradient with respect to x.
//   y = x · σ(g_c),   σ(g) = 1 / (1 + exp(−g))
// One invocation owns four neighbouring elements. Launch: ⌈planes · pixels / 4⌉ invocations.
// Workgroup memory: none.
// Bindings: input [planes, pixels]; gates [planes]; output [planes, pixels]; a plane is a channel
// of an image.

#import shared/grid.wgsl
#import shared/sigmoid.wgsl

struct Params {
    planes: u32,
    pixels: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read> gates: array<f32>;
@group(0) @binding(3) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let start = 4u * flat_invocation(workgroup, workgroups, local);
    let elements = params.planes * params.pixels;
    if start >= elements {
        return;
    }
    let end = min(start + 4u, elements);
    var plane = start / params.pixels;
    var next_plane = (plane + 1u) * params.pixels;
    var gate = sigmoid(gates[plane]);
    for (var at = start; at < end; at += 1u) {
        if at == next_plane {
            plane += 1u;
            next_plane += params.pixels;
            gate = sigmoid(gates[plane]);
        }
        output[at] = input[at] * gate;
    }
}
