// One step of Adam (Kingma & Ba 2015) or AdamW (Loshchilov & Hutter 2019) on a slice of a flat
// vector.
//   g = clip[0] · gradient
//   Adam:  g ← g + weight_decay · p        AdamW:  p ← p − learning_rate · weight_decay · p
//   m ← m + (1 − beta1)(g − m)        v ← beta2 v + (1 − beta2) g²
//   p ← p − (learning_rate / correction1) · m / (√v / √correction2 + epsilon)
// correction1 = 1 − beta1ᵗ and correction2 = 1 − beta2ᵗ after t steps come from the host.
// One invocation owns one element.
// Launch: length invocations. Workgroup memory: none.
// Bindings: gradient (flat); clip [scale, norm]; parameters, moment1, moment2 (flat, updated).

#import shared/grid.wgsl

struct Params {
    offset: u32,
    length: u32,
    learning_rate: f32,
    beta1: f32,
    beta2: f32,
    epsilon: f32,
    weight_decay: f32,
    decoupled: u32,
    correction1: f32,
    correction2: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> gradient: array<f32>;
@group(0) @binding(2) var<storage, read> clip: array<f32>;
@group(0) @binding(3) var<storage, read_write> parameters: array<f32>;
@group(0) @binding(4) var<storage, read_write> moment1: array<f32>;
@group(0) @binding(5) var<storage, read_write> moment2: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let index = flat_invocation(workgroup, workgroups, local);
    if index >= params.length {
        return;
    }
    let at = params.offset + index;
    var parameter = parameters[at];
    var g = clip[0] * gradient[at];
    if params.decoupled != 0u {
        parameter -= params.learning_rate * params.weight_decay * parameter;
    } else {
        g += params.weight_decay * parameter;
    }
    let m = moment1[at] + (1.0 - params.beta1) * (g - moment1[at]);
    let v = params.beta2 * moment2[at] + (1.0 - params.beta2) * (g * g);
    moment1[at] = m;
    moment2[at] = v;
    let denominator = sqrt(v) / sqrt(params.correction2) + params.epsilon;
    parameters[at] = parameter - params.learning_rate / params.correction1 * (m / denominator);
}
