// Gradient of a normalisation's scale and shift.
//   dγ_c += Σ S1        dβ_c += Σ S0        over the images and segments of a task
// S0 and S1 are the first two of `sum_values` sums: 2, or 4 where tangents come first.
// With gradient_stride = 0 the tasks share one gradient and their sums are added up.
// One workgroup owns one (task, channel), or one channel of all tasks; invocation k adds the
// terms k, k + 64, …
// Launch: 64 · channels · (gradient_stride = 0 ? 1 : tasks) invocations.
// Workgroup memory: 512 bytes.
// Loop bound: images · segments / 64 + 65, over the images that share a gradient.
// Bindings: sums [tasks · images_per_task, channels, segments, sum_values]; gradient (flat, added to).

#import shared/grid.wgsl
#import shared/reduce.wgsl

struct Params {
    tasks: u32,
    images_per_task: u32,
    channels: u32,
    segments: u32,
    sum_values: u32,
    gradient_stride: u32,
    weight_offset: u32,
    bias_offset: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> sums: array<f32>;
@group(0) @binding(2) var<storage, read_write> gradient: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let owned = flat_workgroup(workgroup, workgroups);
    let separate = params.gradient_stride != 0u;
    let owners = select(1u, params.tasks, separate);
    let images = select(params.tasks, 1u, separate) * params.images_per_task;
    if owned >= owners * params.channels {
        return;
    }
    let task = owned / params.channels;
    let channel = owned - task * params.channels;
    let terms = images * params.segments;

    var part = vec2<f32>(0.0);
    for (var term = local; term < terms; term += WORKGROUP_INVOCATIONS) {
        let image = term / params.segments;
        let segment = term - image * params.segments;
        let plane = (task * images + image) * params.channels + channel;
        let at = params.sum_values * (plane * params.segments + segment);
        part += vec2<f32>(sums[at], sums[at + 1u]);
    }
    let total = workgroup_sum(local, part);
    if local == 0u {
        let at = task * params.gradient_stride + channel;
        gradient[params.bias_offset + at] += total.x;
        gradient[params.weight_offset + at] += total.y;
    }
}
