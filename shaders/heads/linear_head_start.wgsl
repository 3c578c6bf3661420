// The learned start of a linear head, given to every task.
//   w = (head.weight, head.bias, 0 …)        of the first `ways` rows
// One invocation owns one element of one task.
// Launch: tasks · stride invocations. Workgroup memory: none.
// Bindings: parameters (flat); weights [tasks, stride] (weight [ways, dimension], then bias).

#import shared/grid.wgsl

struct Params {
    tasks: u32,
    ways: u32,
    dimension: u32,
    stride: u32,
    weight_offset: u32,
    bias_offset: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> parameters: array<f32>;
@group(0) @binding(2) var<storage, read_write> weights: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let index = flat_invocation(workgroup, workgroups, local);
    if index >= params.tasks * params.stride {
        return;
    }
    let element = index % params.stride;
    let biases = params.ways * params.dimension;
    var value = 0.0;
    if element < biases {
        value = parameters[params.weight_offset + element];
    } else if element < biases + params.ways {
        value = parameters[params.bias_offset + element - biases];
    }
    weights[index] = value;
}
