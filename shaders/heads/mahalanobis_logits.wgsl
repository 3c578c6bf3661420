// Logits of queries from their solutions u = Q_c⁻¹ z, z = e − μ_c.
//   l = −zᵀ Q_c⁻¹ z = −z · u            dual = 0
//                   = −(‖u‖² + ‖s‖²)    dual = 1, as Q_c = I + Xᵀ D X and s = √D X u
// The second has no term of the other sign: u of the system on the support is a difference.
// One invocation owns one (class, query).
// Launch: tasks · classes · queries invocations. Workgroup memory: none.
// Loop bound: dimension + support.
// Bindings: queries [tasks, queries, dimension]; prototypes (μ) [tasks, ways, dimension]; vectors
// (u) [tasks, ways, queries, dimension]; solutions (s, looked at where dual) [tasks, classes,
// queries, support]; logits [tasks, queries, ways], of the classes from first_class on.

#import shared/grid.wgsl

struct Params {
    tasks: u32,
    classes: u32,
    first_class: u32,
    ways: u32,
    queries: u32,
    support: u32,
    dimension: u32,
    dual: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> queries: array<f32>;
@group(0) @binding(2) var<storage, read> prototypes: array<f32>;
@group(0) @binding(3) var<storage, read> vectors: array<f32>;
@group(0) @binding(4) var<storage, read> solutions: array<f32>;
@group(0) @binding(5) var<storage, read_write> logits: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let index = flat_invocation(workgroup, workgroups, local);
    let slot = index / params.queries;
    if slot >= params.tasks * params.classes {
        return;
    }
    let position = index - slot * params.queries;
    let task = slot / params.classes;
    let way = params.first_class + (slot - task * params.classes);
    let class_index = task * params.ways + way;
    let is_dual = params.dual != 0u;
    var query = (task * params.queries + position) * params.dimension;
    var prototype = class_index * params.dimension;
    let first = (class_index * params.queries + position) * params.dimension;
    var sum = 0.0;
    for (var at = first; at < first + params.dimension; at += 1u) {
        let u = vectors[at];
        sum += u * select(queries[query] - prototypes[prototype], u, is_dual);
        query += 1u;
        prototype += 1u;
    }
    let end = index * params.support + params.support * params.dual;
    for (var at = index * params.support; at < end; at += 1u) {
        sum += solutions[at] * solutions[at];
    }
    logits[(task * params.queries + position) * params.ways + way] = -sum;
}
