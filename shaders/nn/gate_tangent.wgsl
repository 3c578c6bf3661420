// Tangent of a gate; applied to dy and its tangent, also that of its gradient with respect to x.
//   ẏ = (ẋ + x (1 − σ(g_c)) ġ_c) σ(g_c)
// One invocation owns four neighbouring elements. Launch: ⌈planes · pixels / 4⌉ invocations.
// Workgroup memory: none.
// Bindings: input, input_dot [planes, pixels]; gates, gates_dot [planes]; output_dot
// [planes, pixels]; a plane is a channel of an image.

#import shared/grid.wgsl
#import shared/sigmoid.wgsl

struct Params {
    planes: u32,
    pixels: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read> input_dot: array<f32>;
@group(0) @binding(3) var<storage, read> gates: array<f32>;
@group(0) @binding(4) var<storage, read> gates_dot: array<f32>;
@group(0) @binding(5) var<storage, read_write> output_dot: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let start = 4u * flat_invocation(workgroup, workgroups, local);
    let end = min(start + 4u, params.planes * params.pixels);
    for (var at = start; at < end; at += 1u) {
        let plane = at / params.pixels;
        let gate = sigmoid(gates[plane]);
        output_dot[at] = gate * (input_dot[at] + input[at] * (1.0 - gate) * gates_dot[plane]);
    }
}
