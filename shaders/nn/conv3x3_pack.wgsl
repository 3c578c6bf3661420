#import shared/grid.wgsl

// Packs 3×3 weights for conv3x3_forward: blocks of 16 outputs × slabs of 64 inputs, each
// [64 inputs][9 taps][16 outputs], zero beyond the last channel.
//   forward:   packed[n, t, o] = w[o, n, t]
//   backward:  packed[n, t, o] = w[n, o, 8 − t]     (inputs and outputs change places, taps flip)
// An invocation owns one packed element. Workgroup memory: none.
// Bindings: parameters (flat, per task) r, packed [tasks, blocks, slabs, 64, 9, 16] rw.

struct Params {
    tasks: u32,
    // Of the packed convolution: for the backward packing these are the layer's outputs.
    in_channels: u32,
    out_channels: u32,
    slabs: u32,
    // Packed elements of one task.
    elements: u32,
    parameter_stride: u32,
    weight_offset: u32,
    transpose: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> parameters: array<f32>;
@group(0) @binding(2) var<storage, read_write> packed: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let global = flat_workgroup(workgroup, count) * 64u + lane;
    let task = global / params.elements;
    if task >= params.tasks { return; }
    let index = global - task * params.elements;
    let tap = (index / 16u) % 9u;
    let slab = (index / 9216u) % params.slabs;
    let output = index / (9216u * params.slabs) * 16u + index % 16u;
    let input = slab * 64u + (index / 144u) % 64u;
    var value = 0.0;
    if output < params.out_channels && input < params.in_channels {
        var at = (output * params.in_channels + input) * 9u + tap;
        if params.transpose != 0u {
            at = (input * params.out_channels + output) * 9u + 8u - tap;
        }
        value = parameters[params.weight_offset + task * params.parameter_stride + at];
    }
    packed[global] = value;
}
