// Packs the weights of 1×1 convolutions for pointwise_forward.
//   packed[task, block, n, lane] = w[32·block + lane, n]; transposed: w[n, 32·block + lane]
// and zero past the last channel. `inputs` and `outputs` are those of the packing's direction; the
// inputs of a block are padded to `rows`, an even number.
// One invocation owns one packed value. Launch: tasks · blocks · rows · 32 invocations, of which
// each task's values lie `task_elements` apart. Workgroup memory: none.
// Bindings: parameters (flat, per task); packed.

#import shared/grid.wgsl

struct Params {
    tasks: u32,
    blocks: u32,
    rows: u32,
    inputs: u32,
    outputs: u32,
    task_elements: u32,
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
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = flat_invocation(workgroup, workgroups, local);
    let length = params.blocks * params.rows * 32u;
    let task = index / length;
    if task >= params.tasks {
        return;
    }
    let k = index - task * length;
    let lane = k % 32u;
    let n = (k / 32u) % params.rows;
    let o = k / (32u * params.rows) * 32u + lane;
    var value = 0.0;
    if n < params.inputs && o < params.outputs {
        let at = select(o * params.inputs + n, n * params.outputs + o, params.transpose != 0u);
        value = parameters[task * params.parameter_stride + params.weight_offset + at];
    }
    packed[task * params.task_elements + k] = value;
}
