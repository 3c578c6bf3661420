// Tangent of the SiLU's gradient.
//   dx˙ = dy˙ · s'(x) + dy · s''(x) · ẋ
//   s' = σ (1 + x (1 − σ))        s'' = σ (1 − σ) (2 + x (1 − 2σ))        σ = σ(x)
// One invocation owns four neighbouring elements. Launch: ⌈elements / 4⌉ invocations.
// Workgroup memory: none.
// Bindings: input, input_dot, d_output, d_output_dot, d_input_dot, all [elements].

#import shared/grid.wgsl
#import shared/sigmoid.wgsl

struct Params {
    elements: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read> input_dot: array<f32>;
@group(0) @binding(3) var<storage, read> d_output: array<f32>;
@group(0) @binding(4) var<storage, read> d_output_dot: array<f32>;
@group(0) @binding(5) var<storage, read_write> d_input_dot: array<f32>;

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
        let open = sigmoid(x);
        let slope = 1.0 + x * (1.0 - open);
        let bend = (1.0 - open) * (2.0 + x * (1.0 - 2.0 * open));
        d_input_dot[at] = open * (d_output_dot[at] * slope + d_output[at] * bend * input_dot[at]);
    }
}
