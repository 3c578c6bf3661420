// FiLM: the scales and shifts of one norm, modulated for each task (Perez et al. 2018).
//   o^k_c = Σ_j W^k_cj h_kj + b^k_c       k = γ, β: the last layers of two small networks
//   γ_c = 1 + r^γ_c o^γ_c                 β_c = r^β_c o^β_c
//   w'_c = γ_c w_c                        b'_c = γ_c b_c + β_c
// w and b are the norm's own scale and shift; its modulated ones lie at the same offsets of a flat
// vector of each task. The hidden values of γ and β are HIDDEN numbers each, one behind the other.
// One invocation owns one channel of one task. Launch: tasks · channels invocations.
// Workgroup memory: none. Bindings: parameters (flat); base (flat: w, b); hidden [tasks,
// hidden_stride]; film [tasks, film_stride].

#import shared/film.wgsl
#import shared/grid.wgsl

struct Params {
    tasks: u32,
    channels: u32,
    hidden_stride: u32,
    hidden_offset: u32,
    film_stride: u32,
    scale_offset: u32,
    shift_offset: u32,
    gamma_weight: u32,
    gamma_bias: u32,
    gamma_size: u32,
    beta_weight: u32,
    beta_bias: u32,
    beta_size: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> parameters: array<f32>;
@group(0) @binding(2) var<storage, read> base: array<f32>;
@group(0) @binding(3) var<storage, read> hidden: array<f32>;
@group(0) @binding(4) var<storage, read_write> film: array<f32>;

// A small network's output for one channel.
fn output_of(weights: u32, bias: u32, hidden_at: u32) -> f32 {
    var sum = parameters[bias];
    for (var j = 0u; j < HIDDEN; j += 1u) {
        sum += parameters[weights + j] * hidden[hidden_at + j];
    }
    return sum;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = flat_invocation(workgroup, workgroups, local);
    if index >= params.tasks * params.channels {
        return;
    }
    let task = index / params.channels;
    let c = index - task * params.channels;
    let at = task * params.hidden_stride + params.hidden_offset;
    let gamma_output = output_of(params.gamma_weight + c * HIDDEN, params.gamma_bias + c, at);
    let beta_output = output_of(params.beta_weight + c * HIDDEN, params.beta_bias + c, at + HIDDEN);
    let gamma = 1.0 + parameters[params.gamma_size + c] * gamma_output;
    let beta = parameters[params.beta_size + c] * beta_output;
    let to = task * params.film_stride;
    film[to + params.scale_offset + c] = gamma * base[params.scale_offset + c];
    film[to + params.shift_offset + c] = gamma * base[params.shift_offset + c] + beta;
}
