// Products of a vector v of each query and class with the support, in one of two roles.
//   backward = 0, of residuals z:   out_n = √b x_n · z + [n in c] (√(a + b) − √b) ẽ_n · z
//   backward = 1, of solutions u:   out_n = 2g (b x_n · u + [n in c] (a ẽ_n · u + 1 / n_c))
// The first is √D X z, the right-hand side of the system on the support. The second is what u_cq
// counts in the row dL/de_n: g = dL/d logit, D X u comes from the covariances, 1 / n_c from the mean.
// (a, b, D: shared/mahalanobis.wgsl)
// One invocation owns one image and four queries of one class.
// Launch: tasks · classes · ⌈queries / 4⌉ · support invocations. Workgroup memory: none.
// Loop bound: 2 · dimension.
// Bindings: vectors [tasks, ways, queries, dimension]; centered (x), deviations (ẽ) [tasks,
// support, dimension]; labels [tasks, support]; counts [tasks, ways]; d_logits [tasks, queries,
// ways] (looked at in the second role); output [tasks, classes, queries, support], of the classes
// from first_class on.

#import shared/mahalanobis.wgsl

struct Params {
    tasks: u32,
    classes: u32,
    first_class: u32,
    ways: u32,
    queries: u32,
    support: u32,
    dimension: u32,
    backward: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> vectors: array<f32>;
@group(0) @binding(2) var<storage, read> centered: array<f32>;
@group(0) @binding(3) var<storage, read> deviations: array<f32>;
@group(0) @binding(4) var<storage, read> labels: array<u32>;
@group(0) @binding(5) var<storage, read> counts: array<f32>;
@group(0) @binding(6) var<storage, read> d_logits: array<f32>;
@group(0) @binding(7) var<storage, read_write> output: array<f32>;

fn write(task: u32, slot: u32, query: u32, image: u32, value: f32) {
    let way = params.first_class + (slot - task * params.classes);
    // Not a branch on a parameter alone, which would make another kernel of each role.
    var factor = 1.0;
    if image < params.support * params.backward {
        factor = 2.0 * d_logits[(task * params.queries + query) * params.ways + way];
    }
    output[(slot * params.queries + query) * params.support + image] = factor * value;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let index = flat_invocation(workgroup, workgroups, local);
    let tiles = (params.queries + 3u) / 4u;
    let tile = index / params.support;
    let slot = tile / tiles;
    if slot >= params.tasks * params.classes {
        return;
    }
    let image = index - tile * params.support;
    let first_query = 4u * (tile - slot * tiles);
    let task = slot / params.classes;
    let way = params.first_class + (slot - task * params.classes);
    let class_index = task * params.ways + way;
    let queries = min(first_query + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.queries - 1u));
    var v = (class_index * params.queries + queries) * params.dimension;
    var at = (task * params.support + image) * params.dimension;
    let end = at + params.dimension;
    let is_member = labels[task * params.support + image] == way;
    var on_task = vec4<f32>(0.0);
    var on_class = vec4<f32>(0.0);
    for (; at < end; at += 1u) {
        let values = vec4<f32>(vectors[v.x], vectors[v.y], vectors[v.z], vectors[v.w]);
        on_task += centered[at] * values;
        if is_member {
            on_class += deviations[at] * values;
        }
        v += 1u;
    }
    let count = counts[class_index];
    let b = task_share(count, params.support);
    let is_backward = params.backward != 0u;
    let alpha = select(sqrt(b), b, is_backward);
    let beta = select(class_root(count, params.support), class_share(count), is_backward);
    let own = select(0.0, 1.0 / max(count, 1.0), is_backward && is_member);
    let sum = alpha * on_task + (beta * on_class + own);
    write(task, slot, first_query, image, sum.x);
    if first_query + 1u < params.queries {
        write(task, slot, first_query + 1u, image, sum.y);
    }
    if first_query + 2u < params.queries {
        write(task, slot, first_query + 2u, image, sum.z);
    }
    if first_query + 3u < params.queries {
        write(task, slot, first_query + 3u, image, sum.w);
    }
}
