// One flat vector copied to every task: the start of an inner loop.
//   destination_ti = source_i
// One invocation owns one element of one task.
// Launch: tasks · length invocations. Workgroup memory: none.
// Bindings: source [length]; destination [tasks, length].

#import shared/grid.wgsl

struct Params {
    tasks: u32,
    length: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<f32>;
@group(0) @binding(2) var<storage, read_write> destination: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = flat_invocation(workgroup, workgroups, local);
    if index >= params.tasks * params.length {
        return;
    }
    destination[index] = source[index % params.length];
}
