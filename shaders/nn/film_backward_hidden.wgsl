// The gradient of the hidden values behind one norm's scales and shifts.
//   dh_kj = Σ_c do^k_c W^k_cj              k = γ, β
// One invocation owns one hidden value of one task. Launch: tasks · 2 · HIDDEN invocations.
// Workgroup memory: none. Loop bound: channels. Bindings: parameters (flat); d_outputs [tasks, 2,
// channels]; d_hidden [tasks, hidden_stride].

#import shared/film.wgsl
#import shared/grid.wgsl

struct Params {
    tasks: u32,
    channels: u32,
    hidden_stride: u32,
    hidden_offset: u32,
    gamma_weight: u32,
    beta_weight: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> parameters: array<f32>;
@group(0) @binding(2) var<storage, read> d_outputs: array<f32>;
@group(0) @binding(3) var<storage, read_write> d_hidden: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = flat_invocation(workgroup, workgroups, local);
    if index >= params.tasks * 2u * HIDDEN {
        return;
    }
    let task = index / (2u * HIDDEN);
    let place = index - task * 2u * HIDDEN;
    let is_beta = place >= HIDDEN;
    let j = place - select(0u, HIDDEN, is_beta);
    var weight = select(params.gamma_weight, params.beta_weight, is_beta) + j;
    let first = (2u * task + u32(is_beta)) * params.channels;
    var sum = 0.0;
    for (var at = first; at < first + params.channels; at += 1u) {
        sum += d_outputs[at] * parameters[weight];
        weight += HIDDEN;
    }
    d_hidden[task * params.hidden_stride + params.hidden_offset + place] = sum;
}
