// Gradient of the loss with respect to the query embeddings.
//   de = Σ_w A μ_w + B e          (A, B from prototype_coefficients)
// One invocation owns one element of one query.
// Launch: tasks · queries · dimension invocations. Workgroup memory: none. Loop bound: ways.
// Bindings: queries [tasks, queries, dimension]; prototypes [tasks, ways, dimension];
// coefficients [tasks, queries, ways, 3]; d_queries [tasks, queries, dimension].

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
@group(0) @binding(3) var<storage, read> coefficients: array<f32>;
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
    let component = index - query * params.dimension;
    let task = query / params.queries;
    let e = queries[index];
    var coefficient = 3u * query * params.ways;
    var prototype = task * params.ways * params.dimension + component;
    var sum = 0.0;
    for (var way = 0u; way < params.ways; way += 1u) {
        // Term by term: for the Euclidean metric A μ + B e is a small difference.
        sum += coefficients[coefficient] * prototypes[prototype]
            + coefficients[coefficient + 1u] * e;
        coefficient += 3u;
        prototype += params.dimension;
    }
    d_queries[index] = sum;
}
