// What the gradient of the loss needs per (query, way): g = dL/dl gives
//   dL/de = Σ_w A μ_w + B e        dL/dμ_w = Σ_q A e_q + B' μ_w
//   metric 0, Euclidean:  A = 2g,  B = −2g,  B' = −2g
//   metric 1, cosine:     A = g s / (|e| |μ|),  B = −g l / |e|²,  B' = −g l / |μ|²
// Norms are not below 1e-8; one that is held there does not move, and its B or B' is zero.
// One invocation owns one (query, way).
// Launch: tasks · queries · ways invocations. Workgroup memory: none. Loop bound: dimension.
// Bindings: queries [tasks, queries, dimension]; prototypes [tasks, ways, dimension];
// parameters (flat, read for cosine only); logits, d_logits [tasks, queries, ways];
// coefficients [tasks, queries, ways, 3].

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
@group(0) @binding(4) var<storage, read> logits: array<f32>;
@group(0) @binding(5) var<storage, read> d_logits: array<f32>;
@group(0) @binding(6) var<storage, read_write> coefficients: array<f32>;

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
    let g = d_logits[index];
    var cross = 2.0 * g;
    var on_query = -cross;
    var on_prototype = -cross;
    if params.metric == METRIC_COSINE {
        let query_index = index / params.ways;
        let way = index - query_index * params.ways;
        let task = query_index / params.queries;
        let query = query_index * params.dimension;
        let prototype = (task * params.ways + way) * params.dimension;
        var query_square = 0.0;
        var prototype_square = 0.0;
        for (var i = 0u; i < params.dimension; i += 1u) {
            let e = queries[query + i];
            let m = prototypes[prototype + i];
            query_square += e * e;
            prototype_square += m * m;
        }
        let scale = parameters[params.scale_offset + task * params.parameter_stride];
        let query_norm = sqrt(query_square);
        let prototype_norm = sqrt(prototype_square);
        let gl = g * logits[index];
        cross = g * scale
            / (max(query_norm, SMALLEST_NORM) * max(prototype_norm, SMALLEST_NORM));
        on_query = select(-gl / query_square, 0.0, query_norm <= SMALLEST_NORM);
        on_prototype = select(-gl / prototype_square, 0.0, prototype_norm <= SMALLEST_NORM);
    }
    coefficients[3u * index] = cross;
    coefficients[3u * index + 1u] = on_query;
    coefficients[3u * index + 2u] = on_prototype;
}
