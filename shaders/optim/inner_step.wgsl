// One inner step of every task: gradient descent from a common start, with the proximal term of
// iMAML (Rajeswaran et al. 2019) where `prox` is positive.
//   w_ti ← w_ti − r_i · (g_ti + prox · (w_ti − start_i))
// r_i = rates_i where rates_per_element = 1 (Meta-SGD, Li et al. 2017), else `rate`.
// One invocation owns one element of one task.
// Launch: tasks · length invocations. Workgroup memory: none.
// Bindings: start [length]; rates [length], not read without rates_per_element;
// gradient [tasks, length]; parameters [tasks, length], updated.

#import shared/grid.wgsl

struct Params {
    tasks: u32,
    length: u32,
    rate: f32,
    rates_per_element: u32,
    prox: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> start: array<f32>;
@group(0) @binding(2) var<storage, read> rates: array<f32>;
@group(0) @binding(3) var<storage, read> gradient: array<f32>;
@group(0) @binding(4) var<storage, read_write> parameters: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = flat_invocation(workgroup, workgroups, local);
    if index >= params.tasks * params.length {
        return;
    }
    let element = index % params.length;
    var rate = params.rate;
    if params.rates_per_element != 0u {
        rate = rates[element];
    }
    let parameter = parameters[index];
    let g = gradient[index] + params.prox * (parameter - start[element]);
    parameters[index] = parameter - rate * g;
}
