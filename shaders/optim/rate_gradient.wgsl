// What one inner step w_k+1 = w_k − r∘g adds to the gradient with respect to its rates.
//   d_rates_ti −= λ_ti · g_ti          λ = dL/dw_k+1, g the gradient of step k
// One invocation owns one element of one task.
// Launch: length invocations, the elements of all tasks. Workgroup memory: none.
// Bindings: adjoint λ [length]; gradient g [length]; d_rates [length], added to.

#import shared/grid.wgsl

struct Params {
    length: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> adjoint: array<f32>;
@group(0) @binding(2) var<storage, read> gradient: array<f32>;
@group(0) @binding(3) var<storage, read_write> d_rates: array<f32>;

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
    d_rates[index] -= adjoint[index] * gradient[index];
}
