// Gradient of the loss with respect to the query embeddings.
//   de_q = −2 Σ_c g_qc u_cq            g = dL/d logit,  u_cq = Q_c⁻¹ (e_q − μ_c)
// The queries of a task whose state is not zero get zeros.
// One invocation owns one element of one query.
// Launch: tasks · queries · dimension invocations. Workgroup memory: none. Loop bound: ways.
// Bindings: states [tasks]; vectors (u) [tasks, ways, queries, dimension]; d_logits [tasks,
// queries, ways]; d_queries [tasks, queries, dimension].

#import shared/grid.wgsl

struct Params {
    tasks: u32,
    queries: u32,
    ways: u32,
    dimension: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> states: array<u32>;
@group(0) @binding(2) var<storage, read> vectors: array<f32>;
@group(0) @binding(3) var<storage, read> d_logits: array<f32>;
@group(0) @binding(4) var<storage, read_write> d_queries: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let index = flat_invocation(workgroup, workgroups, local);
    if index >= params.tasks * params.queries * params.dimension {
        return;
    }
    let query = index / params.dimension;
    let task = query / params.queries;
    var sum = 0.0;
    if states[task] == 0u {
        let elements = params.queries * params.dimension;
        var at = task * params.ways * elements + (index - task * elements);
        for (var g = query * params.ways; g < (query + 1u) * params.ways; g += 1u) {
            sum += d_logits[g] * vectors[at];
            at += elements;
        }
    }
    d_queries[index] = -2.0 * sum;
}
