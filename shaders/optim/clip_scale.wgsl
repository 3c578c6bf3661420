// The factor that an optimiser step applies to the gradient: `scale` and clipping by norm.
//   norm = scale · √(Σ partials)        clip = (scale · min(1, max_norm / norm), norm)
// max_norm = 0: no clipping. A norm that is not finite is passed on for the host to report.
// One workgroup owns everything; invocation k adds the partials k, k + 64, …
// Launch: 64 invocations. Workgroup memory: 512 bytes. Loop bound: partials / 64 + 65.
// Bindings: partials (from squared_norm); clip [2].

#import shared/grid.wgsl
#import shared/reduce.wgsl

struct Params {
    partials: u32,
    max_norm: f32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> partials: array<f32>;
@group(0) @binding(2) var<storage, read_write> clip: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    if flat_workgroup(workgroup, workgroups) != 0u {
        return;
    }
    var part = 0.0;
    for (var at = local; at < params.partials; at += WORKGROUP_INVOCATIONS) {
        part += partials[at];
    }
    let total = workgroup_sum(local, vec2<f32>(part, 0.0));
    if local == 0u {
        let norm = params.scale * sqrt(total.x);
        var factor = params.scale;
        if params.max_norm > 0.0 && norm > params.max_norm {
            factor *= params.max_norm / norm;
        }
        clip[0] = factor;
        clip[1] = norm;
    }
}
