// A vector of a linear classifier's shape from coefficients of the support images, for the active
// tasks: a gradient step, a Hessian-vector product, a term of Neumann's series.
//   output = keep · input + scale · Xᵀ C + pull · other        X = [E 1]
//   step:     keep = 1 − rate · ridge,  scale = −rate / N,  pull = rate · ridge · (proximal)
//   product:  keep = ridge,  scale = 1 / N,  pull = 0
// With bias = 0 there is no constant feature, and the biases of the output are zero. Where keep or
// pull is zero its vector is not looked at.
// One invocation owns one feature of one active task and four ways.
// Launch: active tasks · workgroups workgroups, where workgroups = ⌈(dimension + 1) ⌈ways / 4⌉ / 64⌉.
// Workgroup memory: none. Loop bound: support.
// Bindings: active_tasks [1 + tasks]; embeddings [tasks, support, dimension]; coefficients (C)
// [tasks, support, ways]; input, other, output [tasks, stride] (weight [ways, dimension], then
// bias [ways]).

#import shared/grid.wgsl

struct Params {
    support: u32,
    ways: u32,
    dimension: u32,
    stride: u32,
    workgroups: u32,
    bias: u32,
    keep: f32,
    scale: f32,
    pull: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> active_tasks: array<u32>;
@group(0) @binding(2) var<storage, read> embeddings: array<f32>;
@group(0) @binding(3) var<storage, read> coefficients: array<f32>;
@group(0) @binding(4) var<storage, read> input: array<f32>;
@group(0) @binding(5) var<storage, read> other: array<f32>;
@group(0) @binding(6) var<storage, read_write> output: array<f32>;

fn write(at: u32, sum: f32) {
    var value = params.scale * sum;
    if params.keep != 0.0 {
        value += params.keep * input[at];
    }
    if params.pull != 0.0 {
        value += params.pull * other[at];
    }
    output[at] = value;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let index = flat_workgroup(workgroup, workgroups);
    let slot = index / params.workgroups;
    if slot >= active_tasks[0] {
        return;
    }
    let task = active_tasks[1u + slot];
    let columns = params.dimension + 1u;
    let inner = (index - slot * params.workgroups) * WORKGROUP_INVOCATIONS + local;
    let tile = inner / columns;
    let feature = inner - tile * columns;
    let first = 4u * tile;
    if first >= params.ways {
        return;
    }
    let is_bias = feature == params.dimension;
    let ways = min(first + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.ways - 1u));
    var embedding = task * params.support * params.dimension + feature;
    var at = task * params.support * params.ways + ways;
    var sum = vec4<f32>(0.0);
    if !is_bias || params.bias != 0u {
        let end = embedding + params.support * params.dimension;
        for (; embedding < end; embedding += params.dimension) {
            var x = 1.0;
            if !is_bias {
                x = embeddings[embedding];
            }
            sum += x
                * vec4<f32>(coefficients[at.x], coefficients[at.y], coefficients[at.z], coefficients[at.w]);
            at += params.ways;
        }
    }
    let step = select(params.dimension, 1u, is_bias);
    let biases = task * params.stride + params.ways * params.dimension;
    let start = select(task * params.stride + first * params.dimension + feature, biases + first, is_bias);
    if is_bias && params.bias == 0u {
        for (var way = first; way < min(first + 4u, params.ways); way += 1u) {
            output[biases + way] = 0.0;
        }
        return;
    }
    write(start, sum.x);
    if first + 1u < params.ways {
        write(start + step, sum.y);
    }
    if first + 2u < params.ways {
        write(start + 2u * step, sum.z);
    }
    if first + 3u < params.ways {
        write(start + 3u * step, sum.w);
    }
}
