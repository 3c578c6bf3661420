// Gradient of ridge regression's parameters from what each task adds to it.
//   d_lambda += Σ_t partials.x        d_scale += Σ_t partials.y        d_bias += Σ_t partials.z
// One workgroup owns everything; invocation k the tasks k, k + 64, …
// Launch: 64 invocations. Workgroup memory: 1,024 bytes. Loop bound: tasks / 64 + 65.
// Bindings: partials [tasks, 4] (from ridge_backward_task); gradient (flat,
// added to).

#import shared/total.wgsl

struct Params {
    tasks: u32,
    lambda_offset: u32,
    scale_offset: u32,
    bias_offset: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> partials: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> gradient: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    if flat_workgroup(workgroup, workgroups) != 0u {
        return;
    }
    var sum = vec4<f32>(0.0);
    for (var task = local; task < params.tasks; task += WORKGROUP_INVOCATIONS) {
        sum += partials[task];
    }
    let total = workgroup_total(local, sum);
    if local == 0u {
        gradient[params.lambda_offset] += total.x;
        gradient[params.scale_offset] += total.y;
        gradient[params.bias_offset] += total.z;
    }
}
