// Support embeddings less the mean of their task, and less the mean of their class.
//   x_n = e_n − (1/N) Σ_m e_m        ẽ_n = e_n − μ_{y_n}
// One invocation owns one component of all images of one task.
// Launch: tasks · dimension invocations. Workgroup memory: none. Loop bound: 2 · support.
// Bindings: embeddings [tasks, support, dimension]; labels [tasks, support]; prototypes [tasks,
// ways, dimension] (the class means μ); centered (x), deviations (ẽ) [tasks, support, dimension].

#import shared/grid.wgsl

struct Params {
    tasks: u32,
    support: u32,
    ways: u32,
    dimension: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> embeddings: array<f32>;
@group(0) @binding(2) var<storage, read> labels: array<u32>;
@group(0) @binding(3) var<storage, read> prototypes: array<f32>;
@group(0) @binding(4) var<storage, read_write> centered: array<f32>;
@group(0) @binding(5) var<storage, read_write> deviations: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let index = flat_invocation(workgroup, workgroups, local);
    if index >= params.tasks * params.dimension {
        return;
    }
    let task = index / params.dimension;
    let component = index - task * params.dimension;
    let first = task * params.support * params.dimension + component;
    let end = first + params.support * params.dimension;
    var sum = 0.0;
    for (var at = first; at < end; at += params.dimension) {
        sum += embeddings[at];
    }
    let mean = sum / f32(params.support);
    var image = task * params.support;
    for (var at = first; at < end; at += params.dimension) {
        let prototype = (task * params.ways + labels[image]) * params.dimension + component;
        centered[at] = embeddings[at] - mean;
        deviations[at] = embeddings[at] - prototypes[prototype];
        image += 1u;
    }
}
