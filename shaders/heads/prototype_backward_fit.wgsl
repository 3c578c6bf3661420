// Gradient of the loss with respect to the prototypes, added to that of earlier query batches.
//   dμ_w += Σ_q A e_q + B' μ_w          (A, B' from prototype_coefficients)
// One invocation owns one element of one prototype.
// Launch: tasks · ways · dimension invocations. Workgroup memory: none. Loop bound: queries.
// Bindings: queries [tasks, queries, dimension]; prototypes [tasks, ways, dimension];
// coefficients [tasks, queries, ways, 3]; d_prototypes [tasks, ways, dimension] (added to).

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
@group(0) @binding(4) var<storage, read_write> d_prototypes: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let index = flat_invocation(workgroup, workgroups, local);
    if index >= params.tasks * params.ways * params.dimension {
        return;
    }
    let class_index = index / params.dimension;
    let component = index - class_index * params.dimension;
    let task = class_index / params.ways;
    let way = class_index - task * params.ways;
    let m = prototypes[index];
    var query = task * params.queries * params.dimension + component;
    var coefficient = 3u * (task * params.queries * params.ways + way);
    var sum = 0.0;
    for (var q = 0u; q < params.queries; q += 1u) {
        // Term by term: for the Euclidean metric A e + B' μ is a small difference.
        sum += coefficients[coefficient] * queries[query] + coefficients[coefficient + 2u] * m;
        coefficient += 3u * params.ways;
        query += params.dimension;
    }
    d_prototypes[index] += sum;
}
