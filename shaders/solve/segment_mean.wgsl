// Means of neighbouring rows: the hypergradients of runs whose batches have different sizes.
//   mean_sj = (1/n_s) Σ_{t = first_s}^{first_s + n_s − 1} rows_tj      n_s = first_{s+1} − first_s
// Without a row the mean is zero. One invocation owns one element of one segment.
// Launch: segments · length invocations. Workgroup memory: none. Loop bound: rows of a segment.
// Bindings: firsts [segments + 1], rising; rows [first_segments, stride]; mean [segments, stride].

#import shared/grid.wgsl

struct Params {
    segments: u32,
    length: u32,
    stride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> firsts: array<u32>;
@group(0) @binding(2) var<storage, read> rows: array<f32>;
@group(0) @binding(3) var<storage, read_write> mean: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = flat_invocation(workgroup, workgroups, local);
    if index >= params.segments * params.length {
        return;
    }
    let segment = index / params.length;
    let element = index - segment * params.length;
    let first = firsts[segment];
    let end = firsts[segment + 1u];
    var sum = 0.0;
    for (var row = first; row < end; row += 1u) {
        sum += rows[row * params.stride + element];
    }
    mean[segment * params.stride + element] = sum / f32(max(end - first, 1u));
}
