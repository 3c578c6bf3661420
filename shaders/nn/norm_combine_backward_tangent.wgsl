// The row sums of norm_combine_backward, their tangents, and beside them all else that
// norm_backward_input_tangent needs of a row.
//   R0 = Σ γ_c S0                R1 = Σ γ_c S1
//   R0˙ = Σ γ̇_c S0 + γ_c S0˙     R1˙ = Σ γ̇_c S1 + γ_c S1˙
// over the row's images_per_set images, channels/groups channels, and segments.
//   rows = (mean, rstd, T0, T1, R0, R1, R0˙, R1˙)
// One workgroup owns one row (set, group); invocation k adds the terms k, k + 64, …
// Launch: 64 · sets · groups invocations. Workgroup memory: 1 KiB.
// Loop bound: images_per_set · channels/groups · segments / 64 + 65.
// Bindings: sums [sets · images_per_set, channels, segments, 4] (S0˙, S1˙, S0, S1);
// parameters, direction (flat, of one layout); statistics, tangent_sums (T) [sets, groups, 2];
// row_sums (R0, R1) [sets, groups, 2]; rows [sets, groups, 8].

#import shared/grid.wgsl

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
@group(0) @binding(3) var<storage, read> direction: array<f32>;
@group(0) @binding(4) var<storage, read> statistics: array<f32>;
@group(0) @binding(5) var<storage, read> tangent_sums: array<f32>;
@group(0) @binding(6) var<storage, read_write> row_sums: array<f32>;
@group(0) @binding(7) var<storage, read_write> rows: array<f32>;

var<workgroup> parts: array<vec4<f32>, WORKGROUP_INVOCATIONS>;

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

    // R0, R1, R0˙, R1˙
    var part = vec4<f32>(0.0);
    for (var term = local; term < terms; term += WORKGROUP_INVOCATIONS) {
        let image_in_set = term / image_terms;
        let in_image = term - image_in_set * image_terms;
        let image = set_index * params.images_per_set + image_in_set;
        let channel = group * group_channels + in_image / params.segments;
        let task = image / params.images_per_task;
        let weight_at = params.weight_offset + task * params.parameter_stride + channel;
        let weight = parameters[weight_at];
        let at = 4u * ((image * params.groups + group) * image_terms + in_image);
        let primal = vec2<f32>(sums[at + 2u], sums[at + 3u]);
        let tangent = direction[weight_at] * primal + weight * vec2<f32>(sums[at], sums[at + 1u]);
        part += vec4<f32>(weight * primal, tangent);
    }
    parts[local] = part;
    workgroupBarrier();

    if local == 0u {
        for (var lane = 1u; lane < WORKGROUP_INVOCATIONS; lane += 1u) {
            part += parts[lane];
        }
        row_sums[2u * row] = part.x;
        row_sums[2u * row + 1u] = part.y;
        rows[8u * row] = statistics[2u * row];
        rows[8u * row + 1u] = statistics[2u * row + 1u];
        rows[8u * row + 2u] = tangent_sums[2u * row];
        rows[8u * row + 3u] = tangent_sums[2u * row + 1u];
        rows[8u * row + 4u] = part.x;
        rows[8u * row + 5u] = part.y;
        rows[8u * row + 6u] = part.z;
        rows[8u * row + 7u] = part.w;
    }
}
