// Rows dL/dE of the support embeddings from the gradient of the prototypes.
//   de_n = dμ_{y_n} / counts_{y_n}
// One invocation owns one element of one row.
// Launch: tasks · support · dimension invocations. Workgroup memory: none.
// Bindings: labels [tasks, support]; counts [tasks, ways]; d_prototypes [tasks, ways, dimension];
// rows [tasks, support, dimension].

#import shared/grid.wgsl

struct Params {
    tasks: u32,
    support: u32,
    ways: u32,
    dimension: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> labels: array<u32>;
@group(0) @binding(2) var<storage, read> counts: array<f32>;
@group(0) @binding(3) var<storage, read> d_prototypes: array<f32>;
@group(0) @binding(4) var<storage, read_write> rows: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let index = flat_invocation(workgroup, workgroups, local);
    if index >= params.tasks * params.support * params.dimension {
        return;
    }
    let image = index / params.dimension;
    let component = index - image * params.dimension;
    let class_index = image / params.support * params.ways + labels[image];
    rows[index] = d_prototypes[class_index * params.dimension + component] / counts[class_index];
}
