// The sums over one row of statistics through which its images, channels and pixels are coupled.
//   R0 = Σ γ_c S0        R1 = Σ γ_c S1
// over the row's images_per_set images, channels/groups channels, and segments.
// weight_offset = NONE stands for γ = 1: the sums of norm_tangent_sums.
// One workgroup owns one row (set, group); invocation k adds the terms k, k + 64, …
// Launch: 64 · sets · groups invocations. Workgroup memory: 512 bytes.
// Loop bound: images_per_set · channels/groups · segments / 64 + 65.
// Bindings: sums [sets · images_per_set, channels, segments, 2]; parameters (flat);
// row_sums [sets, groups, 2].

#import shared/grid.wgsl
#import shared/reduce.wgsl

struct Params {
    sets: u32,
    images_per_set: u32,
    channels: u32,
    groups: u32,
    segments: u32,
    images_per_task: u32,
    parameter_stride: u32,
    weight_offset: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> sums: array<f32>;
@group(0) @binding(2) var<storage, read> parameters: array<f32>;
@group(0) @binding(3) var<storage, read_write> row_sums: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = flat_workgroup(workgroup, workgroups);
    if row >= params.sets * params.groups {
        return;
    }
    let set_index = row / params.groups;
    let group = row - set_index * params.groups;
    let group_channels = params.channels / params.groups;
    let image_terms = group_channels * params.segments;
    let terms = params.images_per_set * image_terms;

    var part = vec2<f32>(0.0);
    for (var term = local; term < terms; term += WORKGROUP_INVOCATIONS) {
        let image_in_set = term / image_terms;
        let in_image = term - image_in_set * image_terms;
        let image = set_index * params.images_per_set + image_in_set;
        let channel = group * group_channels + in_image / params.segments;
        let task = image / params.images_per_task;
        var weight = 1.0;
        if params.weight_offset != NONE {
            weight = parameters[params.weight_offset + task * params.parameter_stride + channel];
        }
        let at = 2u * ((image * params.groups + group) * image_terms + in_image);
        part += weight * vec2<f32>(sums[at], sums[at + 1u]);
    }
    let total = workgroup_sum(local, part);
    if local == 0u {
        row_sums[2u * row] = total.x;
        row_sums[2u * row + 1u] = total.y;
    }
}
