// Marks the tasks whose vector is not finite with a code; an earlier mark stays.
//   status_{first_task + t} ← Σ_b counts_tb > 0 and status = 0  ?  code  :  status
// One workgroup owns one task; invocation k adds the blocks k, k + 64, …
// Launch: 64 · tasks invocations. Workgroup memory: 512 bytes. Loop bound: blocks / 64 + 65.
// Bindings: counts [tasks, blocks] (from count_not_finite); status [·], updated.

#import shared/grid.wgsl
#import shared/reduce.wgsl

struct Params {
    tasks: u32,
    blocks: u32,
    first_task: u32,
    code: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> counts: array<f32>;
@group(0) @binding(2) var<storage, read_write> status: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let task = flat_workgroup(workgroup, workgroups);
    if task >= params.tasks {
        return;
    }
    var part = 0.0;
    for (var block = local; block < params.blocks; block += WORKGROUP_INVOCATIONS) {
        part += counts[task * params.blocks + block];
    }
    let total = workgroup_sum(local, vec2<f32>(part, 0.0));
    if local == 0u {
        let at = params.first_task + task;
        if total.x > 0.0 && status[at] == 0.0 {
            status[at] = params.code;
        }
    }
}
