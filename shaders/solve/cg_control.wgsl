// Decides after each iteration of conjugate gradient which tasks go on.
//   beta = r·z / (r·z before)        stop when r·r ≤ max(tolerance², 1e-24) b·b
// After `iteration` iterations (0: after cg_start) a running task is judged by the sums of its
// blocks' partials (r·r, r·z, b·b, ·) and by p·Hp in its scalars: a curvature that is not positive
// or a number that is not finite ends its solve without counting the iteration. A task with b = 0
// has the solution zero (best = −1). Below 1e-12 a residual in f32 has nothing left to say, so
// that a tolerance of zero means max_iterations or that.
// The tasks that still run are listed in active ([0] their number), and arguments hold the
// workgroups of four launches which take workgroups_k each for every active task.
// One workgroup owns everything; invocation k the tasks k, k + 64, …; invocation 0 the list.
// Launch: 64 invocations. Workgroup memory: none. Loop bound: ⌈tasks / 64⌉ · (blocks + 9) + tasks.
// Bindings: partials [tasks, blocks, 4]; scalars [tasks, 8] (shared/cg.wgsl); states [tasks, 2]
// (what became of it, iterations); history [tasks, max_iterations + 1, 3] (relative residual, then
// alpha and beta of the step from there); active [1 + tasks]; arguments [4, 4].

#import shared/grid.wgsl
#import shared/cg.wgsl

const SMALLEST_SQUARED_RESIDUAL: f32 = 1e-24;
const MAX_WORKGROUPS: u32 = 65535u;

struct Params {
    tasks: u32,
    blocks: u32,
    iteration: u32,
    max_iterations: u32,
    tolerance: f32,
    workgroups_0: u32,
    workgroups_1: u32,
    workgroups_2: u32,
    workgroups_3: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> partials: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> scalars: array<f32>;
@group(0) @binding(3) var<storage, read_write> states: array<u32>;
@group(0) @binding(4) var<storage, read_write> history: array<f32>;
@group(0) @binding(5) var<storage, read_write> active_tasks: array<u32>;
@group(0) @binding(6) var<storage, read_write> arguments: array<u32>;

// What becomes of a task with this squared residual.
fn judge(iteration: u32, rr: f32, bb: f32) -> u32 {
    let threshold = max(params.tolerance * params.tolerance, SMALLEST_SQUARED_RESIDUAL);
    if bb == 0.0 || rr <= threshold * bb {
        return CG_CONVERGED;
    }
    if iteration >= params.max_iterations {
        return CG_LIMIT;
    }
    return CG_RUNNING;
}

fn start(task: u32, iteration: u32, sums: vec4<f32>) {
    let scalar = task * CG_SCALARS;
    let usable = is_finite(sums.x) && is_finite(sums.y) && is_finite(sums.z);
    for (var k = 0u; k < CG_SCALARS; k += 1u) {
        scalars[scalar + k] = 0.0;
    }
    var best = -1.0;
    var residual = 0.0;
    var state = CG_NOT_FINITE;
    if usable {
        scalars[scalar + CG_RZ] = sums.y;
        scalars[scalar + CG_RR] = sums.x;
        scalars[scalar + CG_BB] = sums.z;
        state = judge(iteration, sums.x, sums.z);
        if sums.z != 0.0 {
            best = sums.x;
            residual = sqrt(sums.x / sums.z);
        }
    }
    scalars[scalar + CG_BEST] = best;
    states[2u * task] = state;
    states[2u * task + 1u] = 0u;
    history[task * (params.max_iterations + 1u) * CG_RECORD] = residual;
}

fn advance(task: u32, iteration: u32, sums: vec4<f32>) {
    let scalar = task * CG_SCALARS;
    let curvature = scalars[scalar + CG_CURVATURE];
    let alpha = scalars[scalar + CG_ALPHA];
    if is_finite(curvature) && curvature <= 0.0 {
        states[2u * task] = CG_BREAKDOWN;
        return;
    }
    let usable = is_finite(curvature) && is_finite(alpha) && is_finite(sums.x) && is_finite(sums.y);
    if !usable {
        states[2u * task] = CG_NOT_FINITE;
        return;
    }
    let beta = sums.y / scalars[scalar + CG_RZ];
    let bb = scalars[scalar + CG_BB];
    let improved = sums.x < scalars[scalar + CG_BEST];
    scalars[scalar + CG_RZ] = sums.y;
    scalars[scalar + CG_RR] = sums.x;
    scalars[scalar + CG_BETA] = beta;
    scalars[scalar + CG_IMPROVED] = select(0.0, 1.0, improved);
    if improved {
        scalars[scalar + CG_BEST] = sums.x;
    }
    states[2u * task] = judge(iteration, sums.x, bb);
    states[2u * task + 1u] = iteration;
    let record = (task * (params.max_iterations + 1u) + iteration) * CG_RECORD;
    history[record] = sqrt(sums.x / bb);
    history[record - 2u] = alpha;
    history[record - 1u] = beta;
}

fn write_arguments(launch: u32, count: u32) {
    let rows = max((count + MAX_WORKGROUPS - 1u) / MAX_WORKGROUPS, 1u);
    arguments[4u * launch] = (count + rows - 1u) / rows;
    arguments[4u * launch + 1u] = rows;
    arguments[4u * launch + 2u] = 1u;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {

    if flat_workgroup(workgroup, workgroups) != 0u {
        return;
    }
    // A zero that lavapipe takes for a variable: where a branch or a loop's start and end follow
    // parameters and constants alone, it compiles a kernel anew at every launch, and keeps it.
    let zero = local / WORKGROUP_INVOCATIONS;
    let iteration = params.iteration + zero;
    for (var task = local; task < params.tasks; task += WORKGROUP_INVOCATIONS) {
        if iteration == 0u || states[2u * task] == CG_RUNNING {
            var sums = vec4<f32>(0.0);
            let end = (task + 1u) * params.blocks;
            for (var at = task * params.blocks; at < end; at += 1u) {
                sums += partials[at];
            }
            if iteration == 0u {
                start(task, iteration, sums);
            } else {
                advance(task, iteration, sums);
            }
        }
    }
    storageBarrier();
    if local == 0u {
        var count = 0u;
        for (var task = zero; task < params.tasks; task += 1u) {
            if states[2u * task] == CG_RUNNING {
                count += 1u;
                active_tasks[count] = task;
            }
        }
        active_tasks[0] = count;
        write_arguments(0u, count * params.workgroups_0);
        write_arguments(1u, count * params.workgroups_1);
        write_arguments(2u, count * params.workgroups_2);
        write_arguments(3u, count * params.workgroups_3);
    }
}
