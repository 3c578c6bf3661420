// One rate for each tensor of a flat vector, spread over the tensor's elements.
//   rates_{offset_s + j} = values_{first + s}          j < length_s, for every slice s
// Padding between the slices is not written.
// One workgroup owns one slice; invocation k writes its elements k, k + 64, …
// Launch: 64 · slices invocations. Workgroup memory: none. Loop bound: length_s / 64 + 1.
// Bindings: table [slices, 2] of offset and length; values (flat); rates (flat).

#import shared/grid.wgsl

struct Params {
    slices: u32,
    first: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> table: array<u32>;
@group(0) @binding(2) var<storage, read> values: array<f32>;
@group(0) @binding(3) var<storage, read_write> rates: array<f32>;

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
    let value = values[params.first + slice];
    for (var at = local; at < length; at += WORKGROUP_INVOCATIONS) {
        rates[offset + at] = value;
    }
}
