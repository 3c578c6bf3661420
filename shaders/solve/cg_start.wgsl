// The start of conjugate gradient on (H + damping·I) x = b for every task.
//   r = b − Hx − damping·x        z = r / (diagonal + damping), or r without preconditioner
//   best = x        partials = Σ (r·r, r·z, b·b, 0) over a block
// One workgroup owns one block of one task; invocation k its elements k, k + 64, …
// Launch: tasks · blocks · 64 invocations, where blocks = ⌈length / block⌉.
// Workgroup memory: 1,024 bytes. Loop bound: block / 64 + 65.
// Bindings: right_hand_side, solution, product (Hx), diagonal [tasks, stride]; residual, best
// [tasks, stride]; partials [tasks, blocks, 4].

#import shared/total.wgsl
#import shared/cg.wgsl

struct Params {
    tasks: u32,
    length: u32,
    stride: u32,
    block: u32,
    damping: f32,
    jacobi: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> right_hand_side: array<f32>;
@group(0) @binding(2) var<storage, read> solution: array<f32>;
@group(0) @binding(3) var<storage, read> product: array<f32>;
@group(0) @binding(4) var<storage, read> diagonal: array<f32>;
@group(0) @binding(5) var<storage, read_write> residual: array<f32>;
@group(0) @binding(6) var<storage, read_write> best: array<f32>;
@group(0) @binding(7) var<storage, read_write> partials: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    let index = flat_workgroup(workgroup, workgroups);
    let blocks = (params.length + params.block - 1u) / params.block;
    let task = index / blocks;
    if task >= params.tasks {
        return;
    }
    let first = (index - task * blocks) * params.block;
    let end = min(first + params.block, params.length);
    var sums = vec4<f32>(0.0);
    for (var i = first + local; i < end; i += WORKGROUP_INVOCATIONS) {
        let at = task * params.stride + i;
        let b = right_hand_side[at];
        let x = solution[at];
        let r = b - (product[at] + params.damping * x);
        var z = r;
        if params.jacobi != 0u {
            z = preconditioned(r, diagonal[at] + params.damping);
        }
        residual[at] = r;
        best[at] = x;
        sums += vec4<f32>(r * r, r * z, b * b, 0.0);
    }
    let total = workgroup_total(local, sums);
    if local == 0u {
        partials[index] = total;
    }
}
