// Sum over the 64 invocations of a workgroup, always in the same order. Only invocation 0 gets
// the total. To be called once, by all invocations (it holds a barrier).
// Workgroup memory: 512 bytes.

#import shared/grid.wgsl

var<workgroup> lane_sums: array<vec2<f32>, WORKGROUP_INVOCATIONS>;

fn workgroup_sum(local: u32, value: vec2<f32>) -> vec2<f32> {
    lane_sums[local] = value;
    workgroupBarrier();
    var total = vec2<f32>(0.0);
    if local == 0u {
        for (var lane = 0u; lane < WORKGROUP_INVOCATIONS; lane += 1u) {
            total += lane_sums[lane];
        }
    }
    return total;
}
