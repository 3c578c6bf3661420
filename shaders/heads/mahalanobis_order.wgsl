// The images of the support, class after class: the members of class c stand from place
// Σ_{b < c} counts_b on, in their old order.
// One invocation owns one image.
// Launch: tasks · support invocations. Workgroup memory: none. Loop bound: ways + support.
// Bindings: labels [tasks, support]; counts [tasks, ways]; order [tasks, support], of which each
// element is the number, in its task, of the image at that place.

#import shared/grid.wgsl

struct Params {
    tasks: u32,
    support: u32,
    ways: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> labels: array<u32>;
@group(0) @binding(2) var<storage, read> counts: array<f32>;
@group(0) @binding(3) var<storage, read_write> order: array<u32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let index = flat_invocation(workgroup, workgroups, local);
    if index >= params.tasks * params.support {
        return;
    }
    let task = index / params.support;
    let first = task * params.support;
    let label = labels[index];
    var place = first;
    for (var class_index = task * params.ways; class_index < task * params.ways + label; class_index += 1u) {
        place += u32(counts[class_index]);
    }
    for (var image = first; image < index; image += 1u) {
        place += select(0u, 1u, labels[image] == label);
    }
    order[place] = index - first;
}
