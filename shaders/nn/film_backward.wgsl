// The way back from a norm's modulated scales and shifts to the last layers of the two small
// networks, for the formulas of film_forward.
//   dγ_c = w_c dw'_c + b_c db'_c           dβ_c = db'_c
//   do^k_c = r^k_c dk_c                    dr^k_c += Σ_tasks o^k_c dk_c + decay · r^k_c
//   dW^k_cj += Σ_tasks do^k_c h_kj         db^k_c += Σ_tasks do^k_c
// One invocation owns one channel of γ or of β, for all tasks. Launch: 2 · channels invocations.
// Workgroup memory: none. Loop bound: 2 · HIDDEN · tasks.
// Bindings: parameters (flat); base (flat: w, b); hidden [tasks, hidden_stride]; d_film [tasks,
// film_stride]; d_outputs [tasks, 2, channels]; gradient (flat, added to).

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
    decay: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> parameters: array<f32>;
@group(0) @binding(2) var<storage, read> base: array<f32>;
@group(0) @binding(3) var<storage, read> hidden: array<f32>;
@group(0) @binding(4) var<storage, read> d_film: array<f32>;
@group(0) @binding(5) var<storage, read_write> d_outputs: array<f32>;
@group(0) @binding(6) var<storage, read_write> gradient: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = flat_invocation(workgroup, workgroups, local);
    if index >= 2u * params.channels {
        return;
    }
    let is_beta = index >= params.channels;
    let c = index - select(0u, params.channels, is_beta);
    let weights = select(params.gamma_weight, params.beta_weight, is_beta) + c * HIDDEN;
    let bias = select(params.gamma_bias, params.beta_bias, is_beta) + c;
    let size = select(params.gamma_size, params.beta_size, is_beta) + c;
    let of_scale = select(base[params.scale_offset + c], 0.0, is_beta);
    let of_shift = select(base[params.shift_offset + c], 1.0, is_beta);
    let r = parameters[size];
    var d_size = params.decay * r;
    var d_bias = 0.0;
    // Zero, in a form that does not make a loop of constant length of it for one launch.
    for (var task = local / WORKGROUP_INVOCATIONS; task < params.tasks; task += 1u) {
        let of_task = task * params.film_stride;
        let d_factor = of_scale * d_film[of_task + params.scale_offset + c]
            + of_shift * d_film[of_task + params.shift_offset + c];
        let d_output = r * d_factor;
        d_outputs[(2u * task + u32(is_beta)) * params.channels + c] = d_output;
        let at = task * params.hidden_stride + params.hidden_offset + select(0u, HIDDEN, is_beta);
        var output = parameters[bias];
        for (var j = 0u; j < HIDDEN; j += 1u) {
            output += parameters[weights + j] * hidden[at + j];
            gradient[weights + j] += d_output * hidden[at + j];
        }
        d_size += output * d_factor;
        d_bias += d_output;
    }
    gradient[size] += d_size;
    gradient[bias] += d_bias;
}
