// The targets of ridge regression, one-hot labels, or what a prediction leaves of them.
//   target_w = [w = y] − subtract · prediction_w
// With subtract = 0 the predictions are not looked at.
// One invocation owns one element.
// Launch: rows · ways invocations. Workgroup memory: none.
// Bindings: labels [rows]; predictions, targets [rows, ways].

#import shared/grid.wgsl

struct Params {
    rows: u32,
    ways: u32,
    subtract: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> labels: array<u32>;
@group(0) @binding(2) var<storage, read> predictions: array<f32>;
@group(0) @binding(3) var<storage, read_write> targets: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let index = flat_invocation(workgroup, workgroups, local);
    if index >= params.rows * params.ways {
        return;
    }
    let row = index / params.ways;
    var value = select(0.0, 1.0, index - row * params.ways == labels[row]);
    if params.subtract != 0u {
        value -= predictions[index];
    }
    targets[index] = value;
}
