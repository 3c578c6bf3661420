// The sums of norm_backward_sums and their tangents, per segment of cells.
//   S0˙ = Σ dŷ˙      S1˙ = Σ dŷ˙ · x̂ + dŷ · x̂˙      S0 = Σ dŷ      S1 = Σ dŷ · x̂
//   x̂˙ = rstd · (ẋ − coupled · (T0 + x̂ T1) / count),   x̂ = (x − mean) · rstd
//   count = images_per_set · channels/groups · height · width
// where dŷ and dŷ˙ are d_output and d_output_dot, routed to the first argmax of their window and
// through the activation. coupled = 0: frozen statistics.
// One invocation owns one (image, channel, segment) of `segment_cells` output cells; the last
// segment of a channel may be shorter.
// Launch: images · channels · segments invocations. Workgroup memory: none.
// Loop bound: segment_cells.
// Bindings: input, input_dot [images, channels, height, width]; statistics [rows, 2];
// tangent_sums (T) [rows, 2]; parameters (flat); d_output, d_output_dot
// [images, channels, out_height, out_width] from element d_output_offset;
// sums [images, channels, segments, 4], in the order above.

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
    segment_cells: u32,
    segments: u32,
    coupled: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read> input_dot: array<f32>;
@group(0) @binding(3) var<storage, read> statistics: array<f32>;
@group(0) @binding(4) var<storage, read> tangent_sums: array<f32>;
@group(0) @binding(5) var<storage, read> parameters: array<f32>;
@group(0) @binding(6) var<storage, read> d_output: array<f32>;
@group(0) @binding(7) var<storage, read> d_output_dot: array<f32>;
@group(0) @binding(8) var<storage, read_write> sums: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = flat_invocation(workgroup, workgroups, local);
    if index >= params.images * params.channels * params.segments {
        return;
    }
    let plane = index / params.segments;
    let image = plane / params.channels;
    let channel = plane - image * params.channels;
    let group_channels = params.channels / params.groups;
    let row = image / params.images_per_set * params.groups + channel / group_channels;
    let shared_by_task = image / params.images_per_task * params.parameter_stride + channel;
    let mean = statistics[2u * row];
    let rstd = statistics[2u * row + 1u];
    let slope = parameters[params.weight_offset + shared_by_task] * rstd;
    let shift = parameters[params.bias_offset + shared_by_task];
    var means = vec2<f32>(0.0);
    if params.coupled != 0u {
        let count = f32(params.images_per_set * group_channels * params.height * params.width);
        means = vec2<f32>(tangent_sums[2u * row], tangent_sums[2u * row + 1u]) / count;
    }

    let cells = params.out_height * params.out_width;
    let first_cell = (index - plane * params.segments) * params.segment_cells;
    let end_cell = min(first_cell + params.segment_cells, cells);
    let d_plane = params.d_output_offset + plane * cells;
    var cell_y = first_cell / params.out_width;
    var cell_x = first_cell - cell_y * params.out_width;
    // A step right within a row of cells, and what a step to the next row adds to it.
    let row_step = params.window * (params.width - params.out_width);
    var corner = (plane * params.height + cell_y * params.window) * params.width
        + cell_x * params.window;

    // S0˙, S1˙, S0, S1
    var sum = vec4<f32>(0.0);
    for (var cell = first_cell; cell < end_cell; cell += 1u) {
        var tap = corner;
        if params.window == 2u {
            let below = corner + params.width;
            let taps = vec4<f32>(input[corner], input[corner + 1u], input[below], input[below + 1u]);
            let best = first_best_tap(taps, sign(slope));
            tap = select(corner, below, best >= 2u) + (best & 1u);
        }
        let centred = input[tap] - mean;
        if is_open(centred * slope + shift, params.floor, params.ceiling) {
            let normalised = centred * rstd;
            let normalised_dot = rstd * (input_dot[tap] - means.x - normalised * means.y);
            let dy = d_output[d_plane + cell];
            let dy_dot = d_output_dot[d_plane + cell];
            sum += vec4<f32>(dy_dot, dy_dot * normalised + dy * normalised_dot, dy, dy * normalised);
        }

        cell_x += 1u;
        corner += params.window;
        if cell_x == params.out_width {
            cell_x = 0u;
            corner += row_step;
        }
    }
    sums[4u * index] = sum.x;
    sums[4u * index + 1u] = sum.y;
    sums[4u * index + 2u] = sum.z;
    sums[4u * index + 3u] = sum.w;
}
