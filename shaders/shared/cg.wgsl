// The places of a task's scalars in conjugate gradient, what has become of its solve, and the
// Jacobi preconditioner.

#import shared/finite.wgsl

// r·z of the present iterate.
const CG_RZ: u32 = 0u;
// r·r of the present iterate.
const CG_RR: u32 = 1u;
// b·b.
const CG_BB: u32 = 2u;
// The length of the last step.
const CG_ALPHA: u32 = 3u;
// The share of the last direction in the next.
const CG_BETA: u32 = 4u;
// The smallest r·r so far; negative when no iterate is of use and the solution is zero.
const CG_BEST: u32 = 5u;
// One when the present iterate is the best so far.
const CG_IMPROVED: u32 = 6u;
// p·Hp of the last step.
const CG_CURVATURE: u32 = 7u;
const CG_SCALARS: u32 = 8u;

const CG_RUNNING: u32 = 0u;
const CG_CONVERGED: u32 = 1u;
const CG_LIMIT: u32 = 2u;
// A direction of curvature that is not positive.
const CG_BREAKDOWN: u32 = 3u;
const CG_NOT_FINITE: u32 = 4u;

// Relative residual, alpha and beta of an iteration.
const CG_RECORD: u32 = 3u;

fn preconditioned(residual: f32, diagonal: f32) -> f32 {
    if diagonal > 0.0 {
        return residual / diagonal;
    }
    return residual;
}
