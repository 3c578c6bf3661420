// Prototypes: the mean embedding of each class.
//   counts_w = |{n : y_n = w}|        μ_w = Σ_{n : y_n = w} e_n / counts_w
// A class without support gets a prototype of zeros.
// One invocation owns one element of one prototype.
// Launch: tasks · ways · dimension invocations. Workgroup memory: none. Loop bound: support.
// Bindings: embeddings [tasks, support, dimension]; labels [tasks, support];
// prototypes [tasks, ways, dimension]; counts [tasks, ways].

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
@group(0) @binding(3) var<storage, read_write> prototypes: array<f32>;
@group(0) @binding(4) var<storage, read_write> counts: array<f32>;

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
    let first = task * params.support;
    var sum = 0.0;
    var count = 0.0;
    for (var n = first; n < first + params.support; n += 1u) {
        if labels[n] == way {
            sum += embeddings[n * params.dimension + component];
            count += 1.0;
        }
    }
    prototypes[index] = sum / max(count, 1.0);
    if component == 0u {
        counts[class_index] = count;
    }
}
