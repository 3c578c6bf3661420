// Tangent of a gate's gradient with respect to the gates.
//   dg˙ = σ (1 − σ) Σ (dy˙ · x + dy · ẋ + (1 − 2σ) ġ · dy · x)        σ = σ(g)
// over the pixels of a plane.
// One workgroup owns one plane, a channel of an image; invocation k adds the pixels k, k + 64, …
// Launch: 64 · planes invocations. Workgroup memory: 512 bytes. Loop bound: pixels / 64 + 65.
// Bindings: input, input_dot [planes, pixels]; gates, gates_dot [planes]; d_output, d_output_dot
// [planes, pixels]; d_gates_dot [planes].

#import shared/grid.wgsl
#import shared/reduce.wgsl
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
@group(0) @binding(5) var<storage, read> d_output: array<f32>;
@group(0) @binding(6) var<storage, read> d_output_dot: array<f32>;
@group(0) @binding(7) var<storage, read_write> d_gates_dot: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let plane = flat_workgroup(workgroup, workgroups);
    if plane >= params.planes {
        return;
    }
    let end = (plane + 1u) * params.pixels;
    // Σ dy˙ x + dy ẋ, and Σ dy x.
    var sum = vec2<f32>(0.0);
    for (var at = plane * params.pixels + local; at < end; at += WORKGROUP_INVOCATIONS) {
        let d = d_output[at];
        sum += vec2<f32>(d_output_dot[at] * input[at] + d * input_dot[at], d * input[at]);
    }
    let total = workgroup_sum(local, sum);
    if local == 0u {
        let gate = sigmoid(gates[plane]);
        let bend = (1.0 - 2.0 * gate) * gates_dot[plane];
        d_gates_dot[plane] = gate * (1.0 - gate) * (total.x + bend * total.y);
    }
}
