//! Conjugate gradient as its twins compose it: the order of launches, without a device.

use crate::{
    CgControlParams, CgCurvatureParams, CgDirectionParams, CgFinishParams, CgStartParams, CgStepParams, Real,
    cg_control, cg_curvature, cg_direction, cg_finish, cg_start, cg_step,
};

/// A batch of systems (H + damping·I) x = b; vectors `[tasks, length]`.
#[derive(Clone, Copy, Debug)]
pub struct Solve<'s, F> {
    /// Systems.
    pub tasks: usize,
    /// Unknowns of each.
    pub length: usize,
    /// Iterations at most.
    pub max_iterations: u32,
    /// Relative residual at which a task stops.
    pub tolerance: f32,
    /// Added to the diagonal.
    pub damping: f32,
    /// The diagonal of H, to precondition with.
    pub diagonal: Option<&'s [F]>,
    /// Where the solution starts; zero without.
    pub start: Option<&'s [F]>,
}

/// What a solve gives.
#[derive(Clone, Debug)]
pub struct SolveOutcome<F> {
    /// x, `[tasks, length]`.
    pub solution: Vec<F>,
    /// What became of each task: 1 converged, 2 all iterations, 3 breakdown, 4 not finite.
    pub states: Vec<u32>,
    /// Iterations of each task.
    pub iterations: Vec<u32>,
}

impl<F: Real> Solve<'_, F> {
    /// Solves for `right_hand_side`; `apply` gets the list of active tasks, p, and H p to write.
    pub fn run(&self, right_hand_side: &[F], mut apply: impl FnMut(&[u32], &[F], &mut [F])) -> SolveOutcome<F> {
        let (tasks, length) = (self.tasks as u32, self.length as u32);
        let (damping, jacobi, block) = (self.damping, u32::from(self.diagonal.is_some()), length);
        let zeros = vec![F::ZERO; self.tasks * self.length];
        let diagonal = self.diagonal.unwrap_or(&zeros);
        let mut solution = self.start.unwrap_or(&zeros).to_vec();
        let [mut product, mut residual, mut direction, mut best] = std::array::from_fn(|_| zeros.clone());
        let mut partials = vec![F::ZERO; 4 * self.tasks];
        let mut scalars = vec![F::ZERO; 8 * self.tasks];
        let mut states = vec![0; 2 * self.tasks];
        let mut history = vec![F::ZERO; 3 * self.tasks * (self.max_iterations as usize + 1)];
        let mut active: Vec<u32> = std::iter::once(tasks).chain(0..tasks).collect();
        let mut control = |iteration, partials: &[F], scalars: &mut [F], active: &mut [u32], states: &mut [u32]| {
            let params = CgControlParams {
                tasks,
                blocks: 1,
                iteration,
                max_iterations: self.max_iterations,
                tolerance: self.tolerance,
                workgroups_0: 1,
                workgroups_1: 0,
                workgroups_2: 0,
                workgroups_3: 0,
            };
            cg_control(&params, partials, scalars, states, &mut history, active, &mut [0; 16]);
        };
        if self.start.is_some() {
            apply(&active, &solution, &mut product);
        }
        let params = CgStartParams { tasks, length, stride: length, block, damping, jacobi };
        cg_start(&params, right_hand_side, &solution, &product, diagonal, &mut residual, &mut best, &mut partials);
        control(0, &partials, &mut scalars, &mut active, &mut states);
        for iteration in 1..=self.max_iterations {
            let params = CgDirectionParams { length, stride: length, block, damping, jacobi };
            cg_direction(&params, &active, &scalars, &residual, diagonal, &solution, &mut direction, &mut best);
            apply(&active, &direction, &mut product);
            let params = CgCurvatureParams { length, stride: length, block, damping };
            cg_curvature(&params, &active, &direction, &product, &mut partials);
            let params = CgStepParams { length, stride: length, block, damping, jacobi };
            cg_step(
                &params,
                &active,
                &direction,
                &product,
                diagonal,
                &mut scalars,
                &mut solution,
                &mut residual,
                &mut partials,
            );
            control(iteration, &partials, &mut scalars, &mut active, &mut states);
        }
        let params = CgFinishParams { tasks, length, stride: length };
        cg_finish(&params, &scalars, &states, &best, &mut solution);
        SolveOutcome {
            solution,
            iterations: states.iter().skip(1).step_by(2).copied().collect(),
            states: states.iter().step_by(2).copied().collect(),
        }
    }
}
