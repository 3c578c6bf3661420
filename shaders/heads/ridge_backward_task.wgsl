// What each task adds to the gradient of ridge regression's λ, scale and bias.
//   partials = (−Σ first · second, Σ weight · d_weight, Σ d_bias, 0)        zeros if its state is not zero
// first · second are the solutions Q, S of the two systems with E Eᵀ + λI, or Z, W* with Eᵀ E + λI;
// d_weight and d_bias belong to the scaled weights and the biases, weight is W*.
// One workgroup owns one task; invocation k the elements k, k + 64, …
// Launch: tasks · 64 invocations. Workgroup memory: 1,024 bytes.
// Loop bound: (length + ways · (dimension + 1)) / 64 + 67.
// Bindings: states [tasks]; first, second [tasks, first_stride] of which `length` count; weights,
// d_weights [tasks, stride]; partials [tasks, 4].

#import shared/total.wgsl

struct Params {
    tasks: u32,
    length: u32,
    first_stride: u32,
    ways: u32,
    dimension: u32,
    stride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> states: array<u32>;
@group(0) @binding(2) var<storage, read> first: array<f32>;
@group(0) @binding(3) var<storage, read> second: array<f32>;
@group(0) @binding(4) var<storage, read> weights: array<f32>;
@group(0) @binding(5) var<storage, read> d_weights: array<f32>;
@group(0) @binding(6) var<storage, read_write> partials: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let task = flat_workgroup(workgroup, workgroups);
    if task >= params.tasks {
        return;
    }
    var sum = vec4<f32>(0.0);
    for (var i = local; i < params.length; i += WORKGROUP_INVOCATIONS) {
        sum.x -= first[task * params.first_stride + i] * second[task * params.first_stride + i];
    }
    let biases = params.ways * params.dimension;
    for (var i = local; i < biases; i += WORKGROUP_INVOCATIONS) {
        sum.y += weights[task * params.stride + i] * d_weights[task * params.stride + i];
    }
    for (var i = local; i < params.ways; i += WORKGROUP_INVOCATIONS) {
        sum.z += d_weights[task * params.stride + biases + i];
    }
    let total = workgroup_total(local, sum);
    if local == 0u {
        if states[task] == 0u {
            partials[task] = total;
        } else {
            partials[task] = vec4<f32>(0.0);
        }
    }
}
