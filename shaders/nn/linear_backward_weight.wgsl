// Gradient of a linear layer with respect to its weights and biases.
//   dW_oi += Σ dy_o x_i        db_o += Σ dy_o        over the images of a task
// for `images` images from first_image on, counted over all tasks of images_per_task images.
// With gradient_stride = 0 the tasks share one gradient and their sums are added up.
// bias_offset = NONE: the weights alone.
// One invocation owns one weight of one task (or of all tasks); the bias of an output feature
// counts as a weight behind its in_features weights.
// Launch: out_features · (in_features + 1) · (gradient_stride = 0 ? 1 : tasks) invocations, where
// tasks are those that have one of the images. Workgroup memory: none.
// Loop bound: the images that share a gradient.
// Bindings: input [images, in_features]; d_output [images, out_features]; gradient (flat, added
// to).

#import shared/grid.wgsl

struct Params {
    first_image: u32,
    images: u32,
    in_features: u32,
    out_features: u32,
    images_per_task: u32,
    gradient_stride: u32,
    weight_offset: u32,
    bias_offset: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read> d_output: array<f32>;
@group(0) @binding(3) var<storage, read_write> gradient: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = flat_invocation(workgroup, workgroups, local);
    let columns = params.in_features + 1u;
    let weights = params.out_features * columns;
    let separate = params.gradient_stride != 0u;
    let end_image = params.first_image + params.images;
    let first_task = select(0u, params.first_image / params.images_per_task, separate);
    let task = first_task + index / weights;
    let task_image = task * params.images_per_task;
    if params.images == 0u || (separate && task_image >= end_image) || (!separate && task > 0u) {
        return;
    }
    let weight = index % weights;
    let row = weight / columns;
    let column = weight - row * columns;
    let first = select(params.first_image, max(params.first_image, task_image), separate);
    let last = select(end_image, min(end_image, task_image + params.images_per_task), separate);

    var dy = first * params.out_features + row;
    let end = last * params.out_features;
    let task_offset = task * params.gradient_stride;
    var sum = 0.0;
    if column == params.in_features {
        for (; dy < end; dy += params.out_features) {
            sum += d_output[dy];
        }
        if params.bias_offset != NONE {
            gradient[params.bias_offset + task_offset + row] += sum;
        }
    } else {
        var x = first * params.in_features + column;
        for (; dy < end; dy += params.out_features) {
            sum += d_output[dy] * input[x];
            x += params.in_features;
        }
        gradient[params.weight_offset + task_offset + row * params.in_features + column] += sum;
    }
}
