// Statistics of a normalisation from the moments of its segments.
//   (n, mean, M2) of a union by Chan's formula:  δ = mean_b − mean_a,  n = n_a + n_b,
//   mean = mean_a + δ n_b / n,   M2 = M2_a + M2_b + δ² n_a n_b / n
//   statistics = (mean, 1/√(M2/n + epsilon)): the biased variance
// A row is one (set, group): images_per_set images × channels/groups channels × segments.
// Group norm: images_per_set = 1. Batch norm: groups = channels.
// One workgroup owns one row; invocation k combines the segments k, k + 64, …; invocation 0 then
// combines the 64 parts, always in the same order.
// Launch: 64 · sets · groups invocations. Workgroup memory: 1 KiB.
// Loop bound: images_per_set · channels/groups · segments / 64 + 65.
// Bindings: moments [sets · images_per_set, channels, segments, 2]; statistics [sets, groups, 2].

#import shared/grid.wgsl

struct Params {
    sets: u32,
    images_per_set: u32,
    channels: u32,
    groups: u32,
    pixels: u32,
    segment_pixels: u32,
    segments: u32,
    epsilon: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> moments: array<f32>;
@group(0) @binding(2) var<storage, read_write> statistics: array<f32>;

struct Moments {
    count: f32,
    mean: f32,
    squares: f32,
}

var<workgroup> parts: array<Moments, WORKGROUP_INVOCATIONS>;

// `b` must not be empty.
fn combined(a: Moments, b: Moments) -> Moments {
    let count = a.count + b.count;
    let share = b.count / count;
    let delta = b.mean - a.mean;
    return Moments(
        count,
        a.mean + delta * share,
        a.squares + b.squares + delta * delta * a.count * share,
    );
}

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
    let image_terms = params.channels / params.groups * params.segments;
    let terms = params.images_per_set * image_terms;
    let image_stride = params.channels * params.segments;
    let start = set_index * params.images_per_set * image_stride + group * image_terms;

    var part = Moments(0.0, 0.0, 0.0);
    for (var term = local; term < terms; term += WORKGROUP_INVOCATIONS) {
        let image = term / image_terms;
        let in_image = term - image * image_terms;
        let first_pixel = in_image % params.segments * params.segment_pixels;
        let count = min(params.segment_pixels, params.pixels - first_pixel);
        let at = 2u * (start + image * image_stride + in_image);
        part = combined(part, Moments(f32(count), moments[at], moments[at + 1u]));
    }
    parts[local] = part;
    workgroupBarrier();

    if local == 0u {
        // Only the first `terms` invocations found a segment.
        for (var lane = 1u; lane < min(terms, WORKGROUP_INVOCATIONS); lane += 1u) {
            part = combined(part, parts[lane]);
        }
        statistics[2u * row] = part.mean;
        statistics[2u * row + 1u] = 1.0 / sqrt(part.squares / part.count + params.epsilon);
    }
}
