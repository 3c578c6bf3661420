// Launches are one-dimensional. Above 65,535 workgroups, the limit of one dimension, the host
// folds them into rows of a second one; the last row may reach past the total, so every
// invocation compares its index with the total.

const WORKGROUP_INVOCATIONS: u32 = 64u;

fn flat_workgroup(id: vec3<u32>, count: vec3<u32>) -> u32 {
    return id.x + id.y * count.x;
}

fn flat_invocation(id: vec3<u32>, count: vec3<u32>, local: u32) -> u32 {
    return flat_workgroup(id, count) * WORKGROUP_INVOCATIONS + local;
}
