// A vector of a linear classifier's shape times the learned scale, with the learned bias for all
// ways, or no bias.
//   output = (scale · weight, bias)        or (scale · weight, 0) where bias_offset = NONE
// A task whose state is not zero gets zeros as weights.
// One invocation owns one element of one task.
// Launch: tasks · ways · (dimension + 1) invocations. Workgroup memory: none.
// Bindings: states [tasks]; parameters (flat); input, output [tasks, stride] (weight [ways,
// dimension], then bias [ways]).

#import shared/grid.wgsl

struct Params {
    tasks: u32,
    ways: u32,
    dimension: u32,
    stride: u32,
    scale_offset: u32,
    bias_offset: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> states: array<u32>;
@group(0) @binding(2) var<storage, read> parameters: array<f32>;
@group(0) @binding(3) var<storage, read> input: array<f32>;
@group(0) @binding(4) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let index = flat_invocation(workgroup, workgroups, local);
    let biases = params.ways * params.dimension;
    let elements = biases + params.ways;
    if index >= params.tasks * elements {
        return;
    }
    let task = index / elements;
    let element = index - task * elements;
    let at = task * params.stride + element;
    var value = 0.0;
    if element >= biases {
        if params.bias_offset != NONE {
            value = parameters[params.bias_offset];
        }
    } else if states[task] == 0u {
        value = parameters[params.scale_offset] * input[at];
    }
    output[at] = value;
}
