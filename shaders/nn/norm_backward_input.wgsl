// Gradient of a normalisation (with its activation and pooling) with respect to its input.
//   dx = rstd · (γ_c dŷ − coupled · (R0 + x̂ R1) / count),   x̂ = (x − mean) · rstd
//   count = images_per_set · channels/groups · height · width
// where dŷ is d_output routed to the first argmax of its window and through the activation; zero
// elsewhere, also in the rows and columns that the pooling drops. coupled = 0: frozen statistics.
// One invocation owns one window of the input, complete or cut off by the border, and writes
// every pixel of it; window is 1 or 2.
// Launch: images · channels · ⌈height / window⌉ invocations. Loop bound: ⌈width / window⌉.
// Workgroup memory: none.
// Bindings: input [images, channels, height, width]; statistics [rows, 2]; parameters (flat);
// d_output [images, channels, out_height, out_width] from element d_output_offset;
// row_sums [rows, 2]; d_input [images, channels, height, width].

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
@group(0) @binding(2) var<storage, read> statistics: array<f32>;
@group(0) @binding(3) var<storage, read> parameters: array<f32>;
@group(0) @binding(4) var<storage, read> d_output: array<f32>;
@group(0) @binding(5) var<storage, read> row_sums: array<f32>;
@group(0) @binding(6) var<storage, read_write> d_input: array<f32>;

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
    let mean = statistics[2u * row];
    let rstd = statistics[2u * row + 1u];
    let slope = parameters[params.weight_offset + shared_by_task] * rstd;
    let shift = parameters[params.bias_offset + shared_by_task];
    let direction = sign(slope);
    // dx = slope·dŷ − offset − (x − mean)·tilt
    var offset = 0.0;
    var tilt = 0.0;
    if params.coupled != 0u {
        let count = f32(params.images_per_set * group_channels * params.height * params.width);
        offset = rstd / count * row_sums[2u * row];
        tilt = rstd / count * rstd * row_sums[2u * row + 1u];
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
        if has_right {
            taps.y = input[corner + 1u];
        }
        if has_below {
            taps.z = input[below];
        }
        if has_right && has_below {
            taps.w = input[below + 1u];
        }
        var dy = vec4<f32>(0.0);
        if has_cell && x / params.window < params.out_width {
            let z = (best_tap(taps, direction) - mean) * slope + shift;
            if is_open(z, params.floor, params.ceiling) {
                let routed = vec4<u32>(0u, 1u, 2u, 3u) == vec4<u32>(first_best_tap(taps, direction));
                dy = select(dy, vec4<f32>(d_output[cell]), routed);
            }
            cell += 1u;
        }
        let dx = slope * dy - offset - (taps - mean) * tilt;
        d_input[corner] = dx.x;
        if has_right {
            d_input[corner + 1u] = dx.y;
        }
        if has_below {
            d_input[below] = dx.z;
        }
        if has_right && has_below {
            d_input[below + 1u] = dx.w;
        }
        corner += params.window;
    }
}
