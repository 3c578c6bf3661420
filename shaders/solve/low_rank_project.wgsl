// Projections of the directions of the active tasks onto low-rank factors.
//   projection_k = Σ_i factor_ki p_i
// One workgroup owns one factor of one active task; invocation j the elements j, j + 64, …
// Launch: active tasks · rank workgroups. Workgroup memory: 1,024 bytes.
// Loop bound: length / 64 + 65 (so length stays below four million).
// Bindings: active_tasks [1 + tasks]; factors [tasks, rank, stride]; direction [tasks, stride];
// projections [tasks, rank].

#import shared/total.wgsl

struct Params {
    length: u32,
    stride: u32,
    rank: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> active_tasks: array<u32>;
@group(0) @binding(2) var<storage, read> factors: array<f32>;
@group(0) @binding(3) var<storage, read> direction: array<f32>;
@group(0) @binding(4) var<storage, read_write> projections: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let index = flat_workgroup(workgroup, workgroups);
    let slot = index / params.rank;
    if slot >= active_tasks[0] {
        return;
    }
    let task = active_tasks[1u + slot];
    let factor = task * params.rank + (index - slot * params.rank);
    var sum = 0.0;
    for (var i = local; i < params.length; i += WORKGROUP_INVOCATIONS) {
        sum += factors[factor * params.stride + i] * direction[task * params.stride + i];
    }
    let total = workgroup_total(local, vec4<f32>(sum, 0.0, 0.0, 0.0));
    if local == 0u {
        projections[factor] = total.x;
    }
}
