// One step of gradient descent with momentum on a slice of a flat vector, as PyTorch defines it.
//   g = clip[0] · gradient + weight_decay · p        v ← momentum · v + g
//   p ← p − learning_rate · (nesterov ? g + momentum · v : v)
// v starts at zero. One invocation owns one element.
// Launch: length invocations. Workgroup memory: none.
// Bindings: gradient (flat); clip [scale, norm]; parameters, velocity (flat, updated).

#import shared/grid.wgsl

struct Params {
    offset: u32,
    length: u32,
    learning_rate: f32,
    momentum: f32,
    nesterov: u32,
    weight_decay: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> gradient: array<f32>;
@group(0) @binding(2) var<storage, read> clip: array<f32>;
@group(0) @binding(3) var<storage, read_write> parameters: array<f32>;
@group(0) @binding(4) var<storage, read_write> velocity: array<f32>;

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
    let parameter = parameters[at];
    let g = clip[0] * gradient[at] + params.weight_decay * parameter;
    let v = params.momentum * velocity[at] + g;
    let step = select(v, g + params.momentum * v, params.nesterov != 0u);
    velocity[at] = v;
    parameters[at] = parameter - params.learning_rate * step;
}
