// Gradient of a gate's product with respect to the gates.
//   dg = σ(g) (1 − σ(g)) Σ dy · x        over the pixels of a plane
// One workgroup owns one plane, a channel of an image; invocation k adds the pixels k, k + 64, …
// Launch: 64 · planes invocations. Workgroup memory: 512 bytes. Loop bound: pixels / 64 + 65.
// Bindings: input [planes, pixels]; gates [planes]; d_output [planes, pixels]; d_gates [planes].

#import shared/grid.wgsl
#import shared/reduce.wgsl
#import shared/sigmoid.wgsl

struct Params {
    planes: u32,
    pixels: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read> gates: array<f32>;
@group(0) @binding(3) var<storage, read> d_output: array<f32>;
@group(0) @binding(4) var<storage, read_write> d_gates: array<f32>;

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
    var sum = 0.0;
    for (var at = plane * params.pixels + local; at < end; at += WORKGROUP_INVOCATIONS) {
        sum += d_output[at] * input[at];
    }
    let total = workgroup_sum(local, vec2<f32>(sum, 0.0));
    if local == 0u {
        let gate = sigmoid(gates[plane]);
        d_gates[plane] = total.x * gate * (1.0 - gate);
    }
}
