// The sum of each tensor of a flat vector: gradients of rates that a tensor's elements share.
//   sums_{first + s} += Σ_j vector_{offset_s + j}          j < length_s, for every slice s
// One workgroup owns one slice; invocation k adds its elements k, k + 64, …
// Launch: 64 · slices invocations. Workgroup memory: 512 bytes. Loop bound: length_s / 64 + 65.
// Bindings: table [slices, 2] of offset and length; vector (flat); sums (flat), added to.

#import shared/grid.wgsl
#import shared/reduce.wgsl

struct Params {
    slices: u32,
    first: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> table: array<u32>;
@group(0) @binding(2) var<storage, read> vector: array<f32>;
@group(0) @binding(3) var<storage, read_write> sums: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let slice = flat_workgroup(workgroup, workgroups);
    if slice >= params.slices {
        return;
    }
    let offset = table[2u * slice];
    let length = table[2u * slice + 1u];
    var part = 0.0;
    for (var at = local; at < length; at += WORKGROUP_INVOCATIONS) {
        part += vector[offset + at];
    }
    let total = workgroup_sum(local, vec2<f32>(part, 0.0));
    if local == 0u {
        sums[params.first + slice] += total.x;
    }
}
