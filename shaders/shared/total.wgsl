// Sum of four values over the 64 invocations of a workgroup, always in the same order, given to
// all of them. To be called in uniform control flow by all invocations, any number of times.
// Workgroup memory: 1,040 bytes.

#import shared/grid.wgsl

var<workgroup> lane_values: array<vec4<f32>, WORKGROUP_INVOCATIONS>;
var<workgroup> lane_total: vec4<f32>;

fn workgroup_total(local: u32, value: vec4<f32>) -> vec4<f32> {
    lane_values[local] = value;
    workgroupBarrier();
    if local == 0u {
        var total = vec4<f32>(0.0);
        for (var lane = 0u; lane < WORKGROUP_INVOCATIONS; lane += 1u) {
            total += lane_values[lane];
        }
        lane_total = total;
    }
    return workgroupUniformLoad(&lane_total);
}
