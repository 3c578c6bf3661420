// Whether every class of a task could be solved; a task of which one could not is left to chance.
//   state_t = max_c class_state_tc        logits of a task whose state is not zero become zero
// One invocation owns one query of one task, and the first of a task its state.
// Launch: tasks · queries invocations. Workgroup memory: none. Loop bound: 2 · ways.
// Bindings: class_states [tasks, ways]; states [tasks]; logits [tasks, queries, ways].

#import shared/grid.wgsl

struct Params {
    tasks: u32,
    queries: u32,
    ways: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> class_states: array<u32>;
@group(0) @binding(2) var<storage, read_write> states: array<u32>;
@group(0) @binding(3) var<storage, read_write> logits: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let index = flat_invocation(workgroup, workgroups, local);
    if index >= params.tasks * params.queries {
        return;
    }
    let task = index / params.queries;
    var state = 0u;
    for (var at = task * params.ways; at < (task + 1u) * params.ways; at += 1u) {
        state = max(state, class_states[at]);
    }
    if index == task * params.queries {
        states[task] = state;
    }
    if state != 0u {
        for (var at = index * params.ways; at < (index + 1u) * params.ways; at += 1u) {
            logits[at] = 0.0;
        }
    }
}
