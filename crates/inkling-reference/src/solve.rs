//! Twins of conjugate gradient: vectors `[tasks, stride]`, one solve for each task.

use crate::{
    CgControlParams, CgCurvatureParams, CgDirectionParams, CgFinishParams, CgStartParams, CgStepParams,
    DiagonalLowRankParams, LowRankProjectParams, Real,
};

/// Places of a task's scalars; see `shaders/shared/cg.wgsl`.
const RZ: usize = 0;
const RR: usize = 1;
const BB: usize = 2;
const ALPHA: usize = 3;
const BETA: usize = 4;
const BEST: usize = 5;
const IMPROVED: usize = 6;
const CURVATURE: usize = 7;
const SCALARS: usize = 8;

const RUNNING: u32 = 0;
const CONVERGED: u32 = 1;
const LIMIT: u32 = 2;
const BREAKDOWN: u32 = 3;
const NOT_FINITE: u32 = 4;

/// Values of an iteration in the history.
const RECORD: usize = 3;

/// Tasks in a list of active ones: `[their number, the tasks …]`.
fn listed(active: &[u32]) -> impl Iterator<Item = usize> + '_ {
    active[1..=active[0] as usize].iter().map(|&task| task as usize)
}

fn preconditioned<F: Real>(jacobi: u32, residual: F, diagonal: F) -> F {
    if jacobi != 0 && diagonal > F::ZERO { residual / diagonal } else { residual }
}

fn finite<F: Real>(value: F) -> bool {
    value.as_f64().is_finite()
}

/// r = b − Hx − damping·x, best = x, and the sums (r·r, r·z, b·b, 0) of each block.
#[allow(clippy::too_many_arguments)]
pub fn cg_start<F: Real>(
    params: &CgStartParams,
    right_hand_side: &[F],
    solution: &[F],
    product: &[F],
    diagonal: &[F],
    residual: &mut [F],
    best: &mut [F],
    partials: &mut [F],
) {
    let [length, stride, block] = [params.length, params.stride, params.block].map(|value| value as usize);
    let (damping, blocks) = (F::of(params.damping.into()), length.div_ceil(block));
    for index in 0..params.tasks as usize * blocks {
        let (task, first) = (index / blocks, index % blocks * block);
        let mut sums = [F::ZERO; 4];
        for at in task * stride + first..task * stride + (first + block).min(length) {
            let (b, x) = (right_hand_side[at], solution[at]);
            let r = b - (product[at] + damping * x);
            let z = preconditioned(params.jacobi, r, diagonal[at] + damping);
            (residual[at], best[at]) = (r, x);
            sums[0] += r * r;
            sums[1] += r * z;
            sums[2] += b * b;
        }
        partials[4 * index..4 * index + 4].copy_from_slice(&sums);
    }
}

/// Decides which tasks go on, and lists them.
pub fn cg_control<F: Real>(
    params: &CgControlParams,
    partials: &[F],
    scalars: &mut [F],
    states: &mut [u32],
    history: &mut [F],
    active_tasks: &mut [u32],
    arguments: &mut [u32],
) {
    let (blocks, records) = (params.blocks as usize, params.max_iterations as usize + 1);
    let threshold = F::of(f64::from(params.tolerance).powi(2).max(1e-24));
    let judge = |rr: F, bb: F| match () {
        () if bb == F::ZERO || rr <= threshold * bb => CONVERGED,
        () if params.iteration >= params.max_iterations => LIMIT,
        () => RUNNING,
    };
    for task in 0..params.tasks as usize {
        let state = 2 * task;
        if params.iteration > 0 && states[state] != RUNNING {
            continue;
        }
        let mut sums = [F::ZERO; 3];
        for block in task * blocks..(task + 1) * blocks {
            (0..3).for_each(|k| sums[k] += partials[4 * block + k]);
        }
        let [rr, rz, sum_bb] = sums;
        let scalars = &mut scalars[SCALARS * task..SCALARS * (task + 1)];
        let history = &mut history[RECORD * records * task..RECORD * records * (task + 1)];
        if params.iteration == 0 {
            let usable = sums.into_iter().all(finite);
            let zero = sum_bb == F::ZERO;
            scalars.fill(F::ZERO);
            scalars[BEST] = -F::ONE;
            if usable {
                (scalars[RZ], scalars[RR], scalars[BB]) = (rz, rr, sum_bb);
            }
            if usable && !zero {
                scalars[BEST] = rr;
            }
            states[state] = if usable { judge(rr, sum_bb) } else { NOT_FINITE };
            states[state + 1] = 0;
            history[0] = if usable && !zero { (rr / sum_bb).sqrt() } else { F::ZERO };
            continue;
        }
        let (curvature, alpha) = (scalars[CURVATURE], scalars[ALPHA]);
        if finite(curvature) && curvature <= F::ZERO {
            states[state] = BREAKDOWN;
            continue;
        }
        if ![curvature, alpha, rr, rz].into_iter().all(finite) {
            states[state] = NOT_FINITE;
            continue;
        }
        let (beta, bb) = (rz / scalars[RZ], scalars[BB]);
        let improved = rr < scalars[BEST];
        (scalars[RZ], scalars[RR], scalars[BETA]) = (rz, rr, beta);
        scalars[IMPROVED] = if improved { F::ONE } else { F::ZERO };
        if improved {
            scalars[BEST] = rr;
        }
        states[state] = judge(rr, bb);
        states[state + 1] = params.iteration;
        let record = RECORD * params.iteration as usize;
        history[record - 2..=record].copy_from_slice(&[alpha, beta, (rr / bb).sqrt()]);
    }
    let running: Vec<u32> = (0..params.tasks).filter(|&task| states[2 * task as usize] == RUNNING).collect();
    active_tasks[0] = running.len() as u32;
    active_tasks[1..=running.len()].copy_from_slice(&running);
    let workgroups = [params.workgroups_0, params.workgroups_1, params.workgroups_2, params.workgroups_3];
    for (launch, workgroups) in workgroups.into_iter().enumerate() {
        let count = running.len() as u32 * workgroups;
        let rows = count.div_ceil(65_535).max(1);
        arguments[4 * launch..4 * launch + 3].copy_from_slice(&[count.div_ceil(rows), rows, 1]);
    }
}

/// p ← z + beta p; best ← x where the present iterate is the best so far.
#[allow(clippy::too_many_arguments)]
pub fn cg_direction<F: Real>(
    params: &CgDirectionParams,
    active_tasks: &[u32],
    scalars: &[F],
    residual: &[F],
    diagonal: &[F],
    solution: &[F],
    direction: &mut [F],
    best: &mut [F],
) {
    for task in listed(active_tasks) {
        let (beta, improved) = (scalars[SCALARS * task + BETA], scalars[SCALARS * task + IMPROVED]);
        let first = task * params.stride as usize;
        for at in first..first + params.length as usize {
            let z = preconditioned(params.jacobi, residual[at], diagonal[at] + F::of(params.damping.into()));
            direction[at] = if beta == F::ZERO { z } else { z + beta * direction[at] };
            if improved != F::ZERO {
                best[at] = solution[at];
            }
        }
    }
}

/// The sums of p·(Hp + damping·p) of each block, as the last of its four partials.
pub fn cg_curvature<F: Real>(
    params: &CgCurvatureParams,
    active_tasks: &[u32],
    direction: &[F],
    product: &[F],
    partials: &mut [F],
) {
    let [length, stride, block] = [params.length, params.stride, params.block].map(|value| value as usize);
    let blocks = length.div_ceil(block);
    for task in listed(active_tasks) {
        for index in 0..blocks {
            let mut sum = F::ZERO;
            for at in task * stride + index * block..task * stride + ((index + 1) * block).min(length) {
                sum += direction[at] * (product[at] + F::of(params.damping.into()) * direction[at]);
            }
            partials[4 * (task * blocks + index) + 3] = sum;
        }
    }
}

/// x ← x + alpha p, r ← r − alpha (Hp + damping·p), and the sums (r·r, r·z) of each block.
#[allow(clippy::too_many_arguments)]
pub fn cg_step<F: Real>(
    params: &CgStepParams,
    active_tasks: &[u32],
    direction: &[F],
    product: &[F],
    diagonal: &[F],
    scalars: &mut [F],
    solution: &mut [F],
    residual: &mut [F],
    partials: &mut [F],
) {
    let [length, stride, block] = [params.length, params.stride, params.block].map(|value| value as usize);
    let (damping, blocks) = (F::of(params.damping.into()), length.div_ceil(block));
    for task in listed(active_tasks) {
        let first = task * blocks;
        let curvature = (first..first + blocks).fold(F::ZERO, |sum, index| sum + partials[4 * index + 3]);
        let alpha = scalars[SCALARS * task + RZ] / curvature;
        let steps = finite(curvature) && finite(alpha) && curvature > F::ZERO;
        (scalars[SCALARS * task + ALPHA], scalars[SCALARS * task + CURVATURE]) = (alpha, curvature);
        for index in 0..blocks {
            let (mut rr, mut rz) = (F::ZERO, F::ZERO);
            for at in task * stride + index * block..task * stride + ((index + 1) * block).min(length) {
                if !steps {
                    break;
                }
                solution[at] += alpha * direction[at];
                residual[at] -= alpha * (product[at] + damping * direction[at]);
                rr += residual[at] * residual[at];
                rz += residual[at] * preconditioned(params.jacobi, residual[at], diagonal[at] + damping);
            }
            (partials[4 * (first + index)], partials[4 * (first + index) + 1]) = (rr, rz);
        }
    }
}

/// x ← 0 where no iterate is of use, best where the solve ended badly, else as it is.
pub fn cg_finish<F: Real>(params: &CgFinishParams, scalars: &[F], states: &[u32], best: &[F], solution: &mut [F]) {
    for task in 0..params.tasks as usize {
        let first = task * params.stride as usize;
        for at in first..first + params.length as usize {
            if scalars[SCALARS * task + BEST] < F::ZERO {
                solution[at] = F::ZERO;
            } else if states[2 * task] >= BREAKDOWN {
                solution[at] = best[at];
            }
        }
    }
}

/// projection_k = Σ_i factor_ki p_i.
pub fn low_rank_project<F: Real>(
    params: &LowRankProjectParams,
    active_tasks: &[u32],
    factors: &[F],
    direction: &[F],
    projections: &mut [F],
) {
    let [length, stride, rank] = [params.length, params.stride, params.rank].map(|value| value as usize);
    for task in listed(active_tasks) {
        for factor in task * rank..(task + 1) * rank {
            let products = (0..length).map(|i| factors[factor * stride + i] * direction[task * stride + i]);
            projections[factor] = products.fold(F::ZERO, |sum, product| sum + product);
        }
    }
}

/// (Hp)_i = diagonal_i p_i + Σ_k factor_ki projection_k.
pub fn diagonal_low_rank<F: Real>(
    params: &DiagonalLowRankParams,
    active_tasks: &[u32],
    diagonal: &[F],
    factors: &[F],
    projections: &[F],
    direction: &[F],
    product: &mut [F],
) {
    let [length, stride, rank] = [params.length, params.stride, params.rank].map(|value| value as usize);
    for task in listed(active_tasks) {
        for i in 0..length {
            let at = task * stride + i;
            let mut sum = diagonal[at] * direction[at];
            for factor in task * rank..(task + 1) * rank {
                sum += factors[factor * stride + i] * projections[factor];
            }
            product[at] = sum;
        }
    }
}
