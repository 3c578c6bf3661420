// Sum of four values over the 64 invocations of a workgroup, always in the same order, given to
// all of them: everyone adds the 64 values up, which takes one barrier where handing a sum out
// takes three. To be called once, in uniform control flow, by all invocations.
// Workgroup memory: 1,024 bytes.

#import shared/grid.wgsl

var<workgroup> lane_values: array<vec4<f32>, WORKGROUP_INVOCATIONS>;

fn workgroup_total(local: u32, value: vec4<f32>) -> vec4<f32> {
    lane_values[local] = value;
    workgroupBarrier();
    var total = vec4<f32>(0.0);
    for (var lane = 0u; lane < WORKGROUP_INVOCATIONS; lane += 1u) {
        total += lane_values[lane];
    }
    return total;
}
