// Normalisation, scale and shift, activation and max-pooling in one pass.
//   y = maxpool(min(max(γ_c (x − mean) · rstd + β_c, floor), ceiling)), windows of window × window with that stride,
//   incomplete windows dropped; window is 1 or 2.
// (mean, rstd) is row (image / images_per_set) · groups + channel / (channels / groups) of the
// statistics; γ and β are those of task image / images_per_task.
// One invocation owns one row of the output's cells: index arithmetic and the norm's numbers are
// paid once for all of them.
// Launch: images · channels · out_height invocations. Loop bound: out_width. Workgroup memory: none.
// Bindings: input [images, channels, height, width]; statistics [rows, 2]; parameters (flat);
// output [images, channels, out_height, out_width] from element output_offset.

#import shared/activation.wgsl
#import shared/grid.wgsl
#import shared/pool.wgsl

struct Params {
    images: u32,
    channels: u32,
    height: u32,
    width: u32,
    out_height: u32,
    out_width: u32,
    groups: u32,
    images_per_set: u32,
    window: u32,
    floor: f32,
    ceiling: f32,
    output_offset: u32,
    images_per_task: u32,
    parameter_stride: u32,
    weight_offset: u32,
    bias_offset: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read> statistics: array<f32>;
@group(0) @binding(3) var<storage, read> parameters: array<f32>;
@group(0) @binding(4) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = flat_invocation(workgroup, workgroups, local);
    if index >= params.images * params.channels * params.out_height {
        return;
    }
    let plane = index / params.out_height;
    let cell_y = index - plane * params.out_height;
    let image = plane / params.channels;
    let channel = plane - image * params.channels;

    let row = image / params.images_per_set * params.groups
        + channel / (params.channels / params.groups);
    let shared_by_task = image / params.images_per_task * params.parameter_stride + channel;
    let mean = statistics[2u * row];
    let slope = parameters[params.weight_offset + shared_by_task] * statistics[2u * row + 1u];
    let shift = parameters[params.bias_offset + shared_by_task];
    let direction = sign(slope);

    var corner = (plane * params.height + cell_y * params.window) * params.width;
    var at = params.output_offset + index * params.out_width;
    for (var cell_x = 0u; cell_x < params.out_width; cell_x += 1u) {
        var value = input[corner];
        if params.window == 2u {
            let below = corner + params.width;
            value = best_tap(vec4<f32>(value, input[corner + 1u], input[below], input[below + 1u]), direction);
        }
        let z = (value - mean) * slope + shift;
        output[at] = activate(z, params.floor, params.ceiling);
        corner += params.window;
        at += 1u;
    }
}
