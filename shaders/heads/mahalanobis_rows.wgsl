// Rows dL/dE of the support embeddings: what some classes and a batch of queries add to them.
//   row_n += Σ_{c, q} coefficient_cqn u_cq            (coefficients from mahalanobis_project)
// Terms are added one by one in the order of classes, then of queries: the sum does not depend on
// how the classes are cut. A task whose state is not zero adds nothing.
// One invocation owns one component of four rows of one task.
// Launch: tasks · ⌈support / 4⌉ · dimension invocations. Workgroup memory: none.
// Loop bound: classes · queries (so that stays below 65,535).
// Bindings: states [tasks]; coefficients [tasks, classes, queries, support], of the classes from
// first_class on; vectors (u) [tasks, ways, queries, dimension]; rows [tasks, support, dimension].

#import shared/grid.wgsl

struct Params {
    tasks: u32,
    classes: u32,
    first_class: u32,
    ways: u32,
    queries: u32,
    support: u32,
    dimension: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> states: array<u32>;
@group(0) @binding(2) var<storage, read> coefficients: array<f32>;
@group(0) @binding(3) var<storage, read> vectors: array<f32>;
@group(0) @binding(4) var<storage, read_write> rows: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let index = flat_invocation(workgroup, workgroups, local);
    let tiles = (params.support + 3u) / 4u;
    let tile = index / params.dimension;
    let task = tile / tiles;
    if task >= params.tasks || states[min(task, params.tasks - 1u)] != 0u {
        return;
    }
    let component = index - tile * params.dimension;
    let first = 4u * (tile - task * tiles);
    let images = min(first + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.support - 1u));
    let row = (task * params.support + images) * params.dimension + component;
    var sum = vec4<f32>(rows[row.x], rows[row.y], rows[row.z], rows[row.w]);
    let pairs = params.classes * params.queries;
    var at = task * pairs * params.support + images;
    var u = (task * params.ways + params.first_class) * params.queries * params.dimension + component;
    let end = u + pairs * params.dimension;
    for (; u < end; u += params.dimension) {
        sum += vectors[u] * vec4<f32>(coefficients[at.x], coefficients[at.y], coefficients[at.z], coefficients[at.w]);
        at += params.support;
    }
    // Images beyond the last are the last again, with the same sum.
    rows[row.x] = sum.x;
    rows[row.y] = sum.y;
    rows[row.z] = sum.z;
    rows[row.w] = sum.w;
}
