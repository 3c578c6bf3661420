// Queries less the mean of each class: what a solve starts from.
//   z_cq = e_q − μ_c
// One invocation owns one element.
// Launch: tasks · ways · queries · dimension invocations. Workgroup memory: none.
// Bindings: queries [tasks, queries, dimension]; prototypes (μ) [tasks, ways, dimension];
// residuals [tasks, ways, queries, dimension].

#import shared/grid.wgsl

struct Params {
    tasks: u32,
    queries: u32,
    ways: u32,
    dimension: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> queries: array<f32>;
@group(0) @binding(2) var<storage, read> prototypes: array<f32>;
@group(0) @binding(3) var<storage, read_write> residuals: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let index = flat_invocation(workgroup, workgroups, local);
    let pair = index / params.dimension;
    let class_index = pair / params.queries;
    if class_index >= params.tasks * params.ways {
        return;
    }
    let component = index - pair * params.dimension;
    let query = class_index / params.ways * params.queries + (pair - class_index * params.queries);
    residuals[index] = queries[query * params.dimension + component]
        - prototypes[class_index * params.dimension + component];
}
