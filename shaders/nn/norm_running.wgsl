// Statistics of a frozen normalisation from its running mean and variance.
//   statistics[0, c] = (running mean, 1/√(running variance + epsilon))
// One invocation owns one channel.
// Launch: channels invocations. Workgroup memory: none.
// Bindings: running (flat buffer; the offsets count elements); statistics [1, channels, 2].

#import shared/grid.wgsl

struct Params {
    channels: u32,
    mean_offset: u32,
    variance_offset: u32,
    epsilon: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> running: array<f32>;
@group(0) @binding(2) var<storage, read_write> statistics: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let channel = flat_invocation(workgroup, workgroups, local);
    if channel >= params.channels {
        return;
    }
    let variance = running[params.variance_offset + channel];
    statistics[2u * channel] = running[params.mean_offset + channel];
    statistics[2u * channel + 1u] = 1.0 / sqrt(variance + params.epsilon);
}
