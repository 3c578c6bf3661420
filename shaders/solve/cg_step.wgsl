// One step of conjugate gradient for the tasks that still run.
//   alpha = r·z / Σ partials[·].w        x ← x + alpha p        r ← r − alpha (Hp + damping·p)
//   partials[·].xy = Σ (r·r, r·z) over a block        z = r / (diagonal + damping), or r
// A task whose curvature Σ partials[·].w is not positive or not finite is left as it is;
// cg_control sees why from the scalars.
// One workgroup owns one block of one active task; invocation k its elements k, k + 64, … That of
// block 0 writes the scalars alpha and curvature, which no other reads here.
// Launch: active tasks · blocks workgroups. Workgroup memory: 1,024 bytes.
// Loop bound: block / 64 + blocks + 66.
// Bindings: active_tasks [1 + tasks]; direction, product (Hp), diagonal [tasks, stride]; scalars
// [tasks, 8] (shared/cg.wgsl); solution, residual [tasks, stride]; partials [tasks, blocks, 4].

#import shared/total.wgsl
#import shared/cg.wgsl

struct Params {
    length: u32,
    stride: u32,
    block: u32,
    damping: f32,
    jacobi: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> active_tasks: array<u32>;
@group(0) @binding(2) var<storage, read> direction: array<f32>;
@group(0) @binding(3) var<storage, read> product: array<f32>;
@group(0) @binding(4) var<storage, read> diagonal: array<f32>;
@group(0) @binding(5) var<storage, read_write> scalars: array<f32>;
@group(0) @binding(6) var<storage, read_write> solution: array<f32>;
@group(0) @binding(7) var<storage, read_write> residual: array<f32>;
@group(0) @binding(8) var<storage, read_write> partials: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let index = flat_workgroup(workgroup, workgroups);
    let blocks = (params.length + params.block - 1u) / params.block;
    let slot = index / blocks;
    if slot >= active_tasks[0] {
        return;
    }
    let task = active_tasks[1u + slot];
    let block = index - slot * blocks;
    // At most 256 blocks: everyone adds their sums up, without waiting for anyone.
    var curvature = 0.0;
    let end_partial = 4u * (task + 1u) * blocks;
    for (var at = 4u * task * blocks + 3u; at < end_partial; at += 4u) {
        curvature += partials[at];
    }
    let alpha = scalars[task * CG_SCALARS + CG_RZ] / curvature;
    let steps = is_finite(curvature) && is_finite(alpha) && curvature > 0.0;

    let first = block * params.block;
    let end = min(first + params.block, params.length);
    var sums = vec4<f32>(0.0);
    if steps {
        for (var i = first + local; i < end; i += WORKGROUP_INVOCATIONS) {
            let at = task * params.stride + i;
            let p = direction[at];
            let r = residual[at] - alpha * (product[at] + params.damping * p);
            var z = r;
            if params.jacobi != 0u {
                z = preconditioned(r, diagonal[at] + params.damping);
            }
            solution[at] += alpha * p;
            residual[at] = r;
            sums += vec4<f32>(r * r, r * z, 0.0, 0.0);
        }
    }
    let total = workgroup_total(local, sums);
    if local == 0u {
        partials[4u * (task * blocks + block)] = total.x;
        partials[4u * (task * blocks + block) + 1u] = total.y;
        if block == 0u {
            scalars[task * CG_SCALARS + CG_ALPHA] = alpha;
            scalars[task * CG_SCALARS + CG_CURVATURE] = curvature;
        }
    }
}
