// Chosen rows of a matrix, scaled.
//   destination_r = scale · source_{indices_r}
// One invocation owns one element of one row.
// Launch: rows · dimension invocations. Workgroup memory: none.
// Bindings: source [·, dimension]; indices [rows]; destination [rows, dimension].

#import shared/grid.wgsl

struct Params {
    rows: u32,
    dimension: u32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<f32>;
@group(0) @binding(2) var<storage, read> indices: array<u32>;
@group(0) @binding(3) var<storage, read_write> destination: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let index = flat_invocation(workgroup, workgroups, local);
    if index >= params.rows * params.dimension {
        return;
    }
    let row = index / params.dimension;
    let component = index - row * params.dimension;
    destination[index] = params.scale * source[indices[row] * params.dimension + component];
}
