// Tangent of norm_backward_input.
//   dx  = rstd · (γ_c dŷ − (R0 + x̂ R1) / count)
//   dx˙ = rstd · (γ̇_c dŷ + γ_c dŷ˙ − (R0˙ + x̂˙ R1 + x̂ R1˙) / count) − rstd · T1 / count · dx
//   x̂ = (x − mean) · rstd,   x̂˙ = rstd · (ẋ − (T0 + x̂ T1) / count)
//   count = images_per_set · channels/groups · height · width
// where dŷ and dŷ˙ are d_output and d_output_dot, routed to the first argmax of their window and
// through the activation; zero elsewhere, also in the rows and columns that the pooling drops.
// coupled = 0, frozen statistics: T0 = T1 = R0 = R1 = R0˙ = R1˙ = 0.
// One invocation owns one row of windows of the input, complete or cut off by the border, and
// writes every pixel of them; window is 1 or 2.
// Launch: images · channels · ⌈height / window⌉ invocations. Loop bound: ⌈width / window⌉.
// Workgroup memory: none.
// Bindings: input, input_dot [images, channels, height, width]; rows [rows, 8]
// (norm_combine_backward_tangent); parameters, direction (flat, of one layout); d_output,
// d_output_dot [images, channels, out_height, out_width] from element d_output_offset;
// d_input_dot [images, channels, height, width].

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
    d_output_offset: u32,
    images_per_task: u32,
    parameter_stride: u32,
    weight_offset: u32,
    bias_offset: u32,
    coupled: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read> input_dot: array<f32>;
@group(0) @binding(3) var<storage, read> rows: array<f32>;
@group(0) @binding(4) var<storage, read> parameters: array<f32>;
@group(0) @binding(5) var<storage, read> direction: array<f32>;
@group(0) @binding(6) var<storage, read> d_output: array<f32>;
@group(0) @binding(7) var<storage, read> d_output_dot: array<f32>;
@group(0) @binding(8) var<storage, read_write> d_input_dot: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = flat_invocation(workgroup, workgroups, local);
    let windows_y = (params.height + params.window - 1u) / params.window;
    if index >= params.images * params.channels * windows_y {
        return;
    }
    let plane = index / windows_y;
    let cell_y = index - plane * windows_y;
    let image = plane / params.channels;
    let channel = plane - image * params.channels;

    let group_channels = params.channels / params.groups;
    let row = image / params.images_per_set * params.groups + channel / group_channels;
    let shared_by_task = image / params.images_per_task * params.parameter_stride + channel;
    let mean = rows[8u * row];
    let rstd = rows[8u * row + 1u];
    let weight = parameters[params.weight_offset + shared_by_task];
    let slope = weight * rstd;
    let shift = parameters[params.bias_offset + shared_by_task];
    let weight_dot = direction[params.weight_offset + shared_by_task];
    // Means over the row: T0, T1, and R0, R1, R0˙, R1˙.
    var t = vec2<f32>(0.0);
    var r = vec4<f32>(0.0);
    if params.coupled != 0u {
        let count = f32(params.images_per_set * group_channels * params.height * params.width);
        t = vec2<f32>(rows[8u * row + 2u], rows[8u * row + 3u]) / count;
        r = vec4<f32>(rows[8u * row + 4u], rows[8u * row + 5u], rows[8u * row + 6u], rows[8u * row + 7u]) / count;
    }

    let y = cell_y * params.window;
    let has_below = params.window == 2u && y + 1u < params.height;
    let has_cell = cell_y < params.out_height;
    var corner = (plane * params.height + y) * params.width;
    var cell = params.d_output_offset + (plane * params.out_height + cell_y) * params.out_width;
    for (var x = 0u; x < params.width; x += params.window) {
        let below = corner + params.width;
        let has_right = params.window == 2u && x + 1u < params.width;
        // Taps outside the image repeat the corner and are not stored.
        var taps = vec4<f32>(input[corner]);
        var taps_dot = vec4<f32>(input_dot[corner]);
        if has_right {
            taps.y = input[corner + 1u];
            taps_dot.y = input_dot[corner + 1u];
        }
        if has_below {
            taps.z = input[below];
            taps_dot.z = input_dot[below];
        }
        if has_right && has_below {
            taps.w = input[below + 1u];
            taps_dot.w = input_dot[below + 1u];
        }
        var dy = vec4<f32>(0.0);
        var dy_dot = vec4<f32>(0.0);
        if has_cell && x / params.window < params.out_width {
            let z = (best_tap(taps, sign(slope)) - mean) * slope + shift;
            if is_open(z, params.floor, params.ceiling) {
                let routed = vec4<u32>(0u, 1u, 2u, 3u) == vec4<u32>(first_best_tap(taps, sign(slope)));
                dy = select(dy, vec4<f32>(d_output[cell]), routed);
                dy_dot = select(dy_dot, vec4<f32>(d_output_dot[cell]), routed);
            }
            cell += 1u;
        }
        let normalised = (taps - mean) * rstd;
        let normalised_dot = rstd * (taps_dot - t.x - normalised * t.y);
        let inner = weight * dy - r.x - normalised * r.y;
        let inner_dot = weight_dot * dy + weight * dy_dot - r.z - normalised_dot * r.y - normalised * r.w;
        let dx_dot = rstd * (inner_dot - rstd * t.y * inner);
        d_input_dot[corner] = dx_dot.x;
        if has_right {
            d_input_dot[corner + 1u] = dx_dot.y;
        }
        if has_below {
            d_input_dot[below] = dx_dot.z;
        }
        if has_right && has_below {
            d_input_dot[below + 1u] = dx_dot.w;
        }
        corner += params.window;
    }
}
