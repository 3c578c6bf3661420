// A flat vector of every task, scaled by the inner rates: the direction −α∘λ of a step back through
// an inner loop.
//   destination_ti = factor · r_i · source_ti
// r_i = rates_i where rates_per_element = 1, else 1.
// One invocation owns one element of one task.
// Launch: tasks · length invocations. Workgroup memory: none.
// Bindings: source [tasks, length]; rates [length], not read without rates_per_element;
// destination [tasks, length].

#import shared/grid.wgsl

struct Params {
    tasks: u32,
    length: u32,
    factor: f32,
    rates_per_element: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<f32>;
@group(0) @binding(2) var<storage, read> rates: array<f32>;
@group(0) @binding(3) var<storage, read_write> destination: array<f32>;

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
    var factor = params.factor;
    if params.rates_per_element != 0u {
        factor *= rates[index % params.length];
    }
    destination[index] = factor * source[index];
}
