// Tangent of a normalisation with its activation and max-pooling.
//   ẏ = γ̇ x̂ + γ x̂˙ + β̇   where the activation is open, at the tap that the pooling chose; else 0
//   x̂˙ = rstd · (ẋ − coupled · (T0 + x̂ T1) / count),   x̂ = (x − mean) · rstd
//   count = images_per_set · channels/groups · height · width
// (T0, T1) are norm_tangent_sums over the row of the statistics. coupled = 0: frozen statistics.
// Tap and mask are those of norm_forward.
// One invocation owns one row of the output's cells.
// Launch: images · channels · out_height invocations. Loop bound: out_width. Workgroup memory: none.
// Bindings: input, input_dot [images, channels, height, width]; statistics [rows, 2];
// tangent_sums [rows, 2]; parameters, direction (flat, of one layout);
// output_dot [images, channels, out_height, out_width] from element output_offset.

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
    coupled: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read> input_dot: array<f32>;
@group(0) @binding(3) var<storage, read> statistics: array<f32>;
@group(0) @binding(4) var<storage, read> tangent_sums: array<f32>;
@group(0) @binding(5) var<storage, read> parameters: array<f32>;
@group(0) @binding(6) var<storage, read> direction: array<f32>;
@group(0) @binding(7) var<storage, read_write> output_dot: array<f32>;

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

    let group_channels = params.channels / params.groups;
    let row = image / params.images_per_set * params.groups + channel / group_channels;
    let shared_by_task = image / params.images_per_task * params.parameter_stride + channel;
    let mean = statistics[2u * row];
    let rstd = statistics[2u * row + 1u];
    let weight = parameters[params.weight_offset + shared_by_task];
    let slope = weight * rstd;
    let shift = parameters[params.bias_offset + shared_by_task];
    let weight_dot = direction[params.weight_offset + shared_by_task];
    let shift_dot = direction[params.bias_offset + shared_by_task];
    var means = vec2<f32>(0.0);
    if params.coupled != 0u {
        let count = f32(params.images_per_set * group_channels * params.height * params.width);
        means = vec2<f32>(tangent_sums[2u * row], tangent_sums[2u * row + 1u]) / count;
    }

    var corner = (plane * params.height + cell_y * params.window) * params.width;
    var at = params.output_offset + index * params.out_width;
    for (var cell_x = 0u; cell_x < params.out_width; cell_x += 1u) {
        var tap = corner;
        if params.window == 2u {
            let below = corner + params.width;
            let taps = vec4<f32>(input[corner], input[corner + 1u], input[below], input[below + 1u]);
            let best = first_best_tap(taps, sign(slope));
            tap = select(corner, below, best >= 2u) + (best & 1u);
        }
        let centred = input[tap] - mean;
        let open = is_open(centred * slope + shift, params.floor, params.ceiling);
        let normalised = centred * rstd;
        let normalised_dot = rstd * (input_dot[tap] - means.x - normalised * means.y);
        let z_dot = weight_dot * normalised + weight * normalised_dot + shift_dot;
        output_dot[at] = select(0.0, z_dot, open);
        corner += params.window;
        at += 1u;
    }
}
