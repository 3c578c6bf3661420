// Logits of queries against prototypes.
//   metric 0, Euclidean:  l = −Σ (e − μ)²
//   metric 1, cosine:     l = s · e·μ / (|e| |μ|),  norms not below 1e-8,
//                         s = parameters[scale_offset + task · parameter_stride]
// One invocation owns one (query, way).
// Launch: tasks · queries · ways invocations. Workgroup memory: none. Loop bound: dimension.
// Bindings: queries [tasks, queries, dimension]; prototypes [tasks, ways, dimension];
// parameters (flat, read for cosine only); logits [tasks, queries, ways].

#import shared/grid.wgsl
#import shared/metric.wgsl

struct Params {
    tasks: u32,
    queries: u32,
    ways: u32,
    dimension: u32,
    metric: u32,
    scale_offset: u32,
    parameter_stride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> queries: array<f32>;
@group(0) @binding(2) var<storage, read> prototypes: array<f32>;
@group(0) @binding(3) var<storage, read> parameters: array<f32>;
@group(0) @binding(4) var<storage, read_write> logits: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let index = flat_invocation(workgroup, workgroups, local);
    if index >= params.tasks * params.queries * params.ways {
        return;
    }
    let query_index = index / params.ways;
    let way = index - query_index * params.ways;
    let task = query_index / params.queries;
    let query = query_index * params.dimension;
    let prototype = (task * params.ways + way) * params.dimension;

    if params.metric == METRIC_COSINE {
        var dot_product = 0.0;
        var query_square = 0.0;
        var prototype_square = 0.0;
        for (var i = 0u; i < params.dimension; i += 1u) {
            let e = queries[query + i];
            let m = prototypes[prototype + i];
            dot_product += e * m;
            query_square += e * e;
            prototype_square += m * m;
        }
        let scale = parameters[params.scale_offset + task * params.parameter_stride];
        let norms = max(sqrt(query_square), SMALLEST_NORM)
            * max(sqrt(prototype_square), SMALLEST_NORM);
        logits[index] = scale * dot_product / norms;
    } else {
        var distance = 0.0;
        for (var i = 0u; i < params.dimension; i += 1u) {
            let difference = queries[query + i] - prototypes[prototype + i];
            distance += difference * difference;
        }
        logits[index] = -distance;
    }
}
