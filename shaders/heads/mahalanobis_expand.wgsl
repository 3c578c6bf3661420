// Solutions on the features from those on the support (mahalanobis_dual_matrix).
//   u = z − Xᵀ √D s = z − Σ_n s_n (√b x_n + [n in c] (√(a + b) − √b) ẽ_n)
// One invocation owns one component of four queries of one class.
// Launch: tasks · classes · ⌈queries / 4⌉ · dimension invocations. Workgroup memory: none.
// Loop bound: support.
// Bindings: solutions (s) [tasks, classes, queries, support], of the classes from first_class on;
// centered (x), deviations (ẽ) [tasks, support, dimension]; labels [tasks, support]; counts
// [tasks, ways]; vectors (z, then u) [tasks, ways, queries, dimension].

#import shared/mahalanobis.wgsl

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
@group(0) @binding(1) var<storage, read> solutions: array<f32>;
@group(0) @binding(2) var<storage, read> centered: array<f32>;
@group(0) @binding(3) var<storage, read> deviations: array<f32>;
@group(0) @binding(4) var<storage, read> labels: array<u32>;
@group(0) @binding(5) var<storage, read> counts: array<f32>;
@group(0) @binding(6) var<storage, read_write> vectors: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let index = flat_invocation(workgroup, workgroups, local);
    let tiles = (params.queries + 3u) / 4u;
    let tile = index / params.dimension;
    let slot = tile / tiles;
    if slot >= params.tasks * params.classes {
        return;
    }
    let component = index - tile * params.dimension;
    let first_query = 4u * (tile - slot * tiles);
    let task = slot / params.classes;
    let way = params.first_class + (slot - task * params.classes);
    let class_index = task * params.ways + way;
    let count = counts[class_index];
    let root = sqrt(task_share(count, params.support));
    let member_root = class_root(count, params.support);
    let queries = min(first_query + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.queries - 1u));
    var s = (slot * params.queries + queries) * params.support;
    var at = task * params.support * params.dimension + component;
    let end_image = (task + 1u) * params.support;
    var sum = vec4<f32>(0.0);
    for (var image = task * params.support; image < end_image; image += 1u) {
        var row = root * centered[at];
        if labels[image] == way {
            row += member_root * deviations[at];
        }
        sum += row * vec4<f32>(solutions[s.x], solutions[s.y], solutions[s.z], solutions[s.w]);
        s += 1u;
        at += params.dimension;
    }
    let place = (class_index * params.queries + first_query) * params.dimension + component;
    vectors[place] -= sum.x;
    if first_query + 1u < params.queries {
        vectors[place + params.dimension] -= sum.y;
    }
    if first_query + 2u < params.queries {
        vectors[place + 2u * params.dimension] -= sum.z;
    }
    if first_query + 3u < params.queries {
        vectors[place + 3u * params.dimension] -= sum.w;
    }
}
