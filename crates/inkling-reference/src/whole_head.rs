//! Whole heads as their twins compose them: from embeddings to the loss and its gradients.
//!
//! The loss is Σ_t (1/M) Σ_m cross-entropy, of all tasks of the pass. All queries come at once.

use crate::{
    LinearBackwardInputParams, LinearBackwardWeightParams, LinearForwardParams, LinearHeadCombineParams,
    LinearHeadResidualParams, LinearHeadRowsParams, LinearHeadTangentParams, Real, RidgeBackwardTaskParams,
    RidgeCholeskyParams, RidgeGramParams, RidgeScaleParams, RidgeSolveParams, RidgeTargetsParams, Solve,
    linear_backward_input, linear_backward_weight, linear_forward, linear_head_combine, linear_head_residual,
    linear_head_rows, linear_head_tangent, ridge_backward_task, ridge_cholesky, ridge_gram, ridge_scale, ridge_solve,
    ridge_targets,
};

/// What a head sees of a pass.
#[derive(Clone, Copy, Debug)]
pub struct HeadInput<'i, F> {
    /// Tasks of the pass.
    pub tasks: u32,
    /// W.
    pub ways: u32,
    /// d.
    pub dimension: u32,
    /// E, `[tasks, N, d]`.
    pub embeddings: &'i [F],
    /// `[tasks, N]`.
    pub support_labels: &'i [u32],
    /// E_q, `[tasks, M, d]`.
    pub queries: &'i [F],
    /// `[tasks, M]`.
    pub query_labels: &'i [u32],
}

/// A head's loss and gradients.
#[derive(Clone, Debug)]
pub struct HeadGradient<F> {
    /// Σ_t (1/M) Σ_m cross-entropy.
    pub loss: F,
    /// dL/dE, `[tasks, N, d]`.
    pub rows: Vec<F>,
    /// dL/dE_q, `[tasks, M, d]`.
    pub d_queries: Vec<F>,
    /// Gradient of the head's own parameters: the start `[W·(d + 1)]`, or (λ, scale, bias).
    pub parameters: Vec<F>,
}

impl<F: Real> HeadInput<'_, F> {
    pub(crate) fn support(&self) -> u32 {
        self.support_labels.len() as u32 / self.tasks
    }

    pub(crate) fn query_count(&self) -> u32 {
        self.query_labels.len() as u32 / self.tasks
    }

    /// Elements of a task's classifier: weight `[W, d]`, bias `[W]`.
    fn stride(&self) -> u32 {
        self.ways * (self.dimension + 1)
    }

    fn everyone(&self) -> Vec<u32> {
        std::iter::once(self.tasks).chain(0..self.tasks).collect()
    }

    fn classifiers(&self) -> Vec<F> {
        vec![F::ZERO; (self.tasks * self.stride()) as usize]
    }

    fn products(&self, images: &[F], weights: &[F]) -> Vec<F> {
        let count = images.len() as u32 / self.dimension;
        let mut output = vec![F::ZERO; (count * self.ways) as usize];
        let params = LinearForwardParams {
            first_image: 0,
            accumulate: 0,
            images: count,
            in_features: self.dimension,
            out_features: self.ways,
            images_per_task: count / self.tasks,
            parameter_stride: self.stride(),
            weight_offset: 0,
            bias_offset: self.ways * self.dimension,
        };
        linear_forward(&params, images, weights, &mut output);
        output
    }

    /// (loss, dL/d logits) of the queries' logits `[tasks, M, W]`.
    pub(crate) fn cross_entropy(&self, logits: &[F]) -> (F, Vec<F>) {
        let scale = F::ONE / F::count(self.query_count() as usize);
        let mut loss = F::ZERO;
        let mut d_logits = Vec::with_capacity(logits.len());
        for (row, &label) in logits.chunks(self.ways as usize).zip(self.query_labels) {
            let largest = row.iter().fold(row[0], |largest, &logit| largest.at_least(logit));
            let total = row.iter().fold(F::ZERO, |sum, &logit| sum + (logit - largest).exp());
            loss += scale * (total.ln() - (row[label as usize] - largest));
            d_logits.extend(row.iter().enumerate().map(|(way, &logit)| {
                let one = if way == label as usize { F::ONE } else { F::ZERO };
                scale * ((logit - largest).exp() / total - one)
            }));
        }
        (loss, d_logits)
    }

    /// (loss, dL/dE_q, dL/dw) of the queries.
    fn score(&self, weights: &[F]) -> (F, Vec<F>, Vec<F>) {
        let images = self.query_labels.len();
        let (loss, d_logits) = self.cross_entropy(&self.products(self.queries, weights));
        let (images, in_features, out_features) = (images as u32, self.dimension, self.ways);
        let images_per_task = self.query_count();
        let mut d_queries = vec![F::ZERO; self.queries.len()];
        let params = LinearBackwardInputParams {
            first_image: 0,
            accumulate: 0,
            images,
            in_features,
            out_features,
            images_per_task,
            parameter_stride: self.stride(),
            weight_offset: 0,
        };
        linear_backward_input(&params, &d_logits, weights, &mut d_queries);
        let mut d_weights = self.classifiers();
        let params = LinearBackwardWeightParams {
            first_image: 0,
            images,
            in_features,
            out_features,
            images_per_task,
            gradient_stride: self.stride(),
            weight_offset: 0,
            bias_offset: self.ways * self.dimension,
        };
        linear_backward_weight(&params, self.queries, &d_logits, &mut d_weights);
        (loss, d_queries, d_weights)
    }

    fn residuals(&self, weights: &[F]) -> Vec<F> {
        let mut residuals = vec![F::ZERO; self.support_labels.len() * self.ways as usize];
        let params = LinearHeadResidualParams {
            tasks: self.tasks,
            support: self.support(),
            ways: self.ways,
            dimension: self.dimension,
            stride: self.stride(),
        };
        linear_head_residual(&params, self.embeddings, self.support_labels, weights, &mut residuals);
        residuals
    }

    fn tangents(&self, active: &[u32], residuals: &[F], direction: &[F]) -> Vec<F> {
        let mut tangents = vec![F::ZERO; residuals.len()];
        let params = LinearHeadTangentParams {
            support: self.support(),
            ways: self.ways,
            dimension: self.dimension,
            stride: self.stride(),
        };
        let (x, y) = (self.embeddings, self.support_labels);
        linear_head_tangent(&params, active, x, y, residuals, direction, &mut tangents);
        tangents
    }

    /// factors = (keep, scale, pull)
    fn combine(&self, active: &[u32], coefficients: &[F], factors: [f32; 3], input: &[F], other: &[F]) -> Vec<F> {
        let [keep, scale, pull] = factors;
        let mut output = self.classifiers();
        let params = LinearHeadCombineParams {
            support: self.support(),
            ways: self.ways,
            dimension: self.dimension,
            stride: self.stride(),
            workgroups: 0,
            bias: 1,
            keep,
            scale,
            pull,
        };
        linear_head_combine(&params, active, self.embeddings, coefficients, input, other, &mut output);
        output
    }

    #[allow(clippy::too_many_arguments)]
    fn add_rows(
        &self,
        scale: f32,
        factor: f32,
        residuals: &[F],
        tangents: &[F],
        direction: &[F],
        weights: &[F],
        rows: &mut [F],
    ) {
        let params = LinearHeadRowsParams {
            tasks: self.tasks,
            support: self.support(),
            ways: self.ways,
            dimension: self.dimension,
            stride: self.stride(),
            keep: 1.0,
            scale,
            factor,
        };
        let states = vec![0; self.tasks as usize];
        linear_head_rows(&params, &states, residuals, tangents, direction, weights, rows);
    }
}

/// How the gradient goes through the lower level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LowerGradient {
    /// Back through every inner step.
    Unrolled,
    /// Implicitly, by conjugate gradient with so many steps.
    Implicit(u32),
    /// Implicitly, by so many terms of Neumann's series with this η.
    Neumann(u32, f32),
}

/// A linear classifier that K gradient steps fit.
#[derive(Clone, Copy, Debug)]
pub struct LinearHead {
    /// K.
    pub inner_steps: u32,
    /// The inner learning rate.
    pub rate: f32,
    /// λ.
    pub ridge: f32,
    /// Whether the ridge pulls towards the start instead of zero.
    pub proximal: bool,
    /// How the gradient comes.
    pub gradient: LowerGradient,
}

impl LinearHead {
    /// w_0 … w_K of all tasks, from a start that they share.
    fn iterates<F: Real>(&self, input: &HeadInput<'_, F>, start: &[F]) -> Vec<Vec<F>> {
        let everyone = input.everyone();
        let origin: Vec<F> = (0..input.tasks).flat_map(|_| start.iter().copied()).collect();
        let mut iterates = vec![origin.clone()];
        for _ in 0..self.inner_steps {
            let w = &iterates[iterates.len() - 1];
            iterates.push(input.combine(&everyone, &input.residuals(w), self.step(input), w, &origin));
        }
        iterates
    }

    /// The factors of an inner step.
    fn step<F: Real>(&self, input: &HeadInput<'_, F>) -> [f32; 3] {
        let pull = if self.proximal { self.rate * self.ridge } else { 0.0 };
        [1.0 - self.rate * self.ridge, -self.rate / input.support() as f32, pull]
    }

    /// Reptile's direction for the start: Σ_t (w_0 − w_K).
    pub fn travel<F: Real>(&self, input: &HeadInput<'_, F>, start: &[F]) -> Vec<F> {
        let mut travel = vec![F::ZERO; start.len()];
        if let [.., solved] = self.iterates(input, start).as_slice() {
            for (at, &w) in solved.iter().enumerate() {
                travel[at % start.len()] += start[at % start.len()] - w;
            }
        }
        travel
    }

    /// Loss and gradients from the start `[W·(d + 1)]`, which all tasks share. The gradient of the
    /// start is exact for `Unrolled`; implicitly it is λ v of the proximal term, or zero.
    pub fn run<F: Real>(&self, input: &HeadInput<'_, F>, start: &[F]) -> HeadGradient<F> {
        let everyone = input.everyone();
        let images = input.support() as f32;
        let step = self.step(input);
        let mut iterates = self.iterates(input, start);
        let solved = iterates.pop().unwrap_or_default();
        let (loss, d_queries, d_weights) = input.score(&solved);
        let mut rows = vec![F::ZERO; input.embeddings.len()];
        let mut parameters = vec![F::ZERO; start.len()];
        if self.gradient == LowerGradient::Unrolled {
            let mut adjoint = d_weights;
            for w in iterates.iter().rev() {
                let residuals = input.residuals(w);
                let tangents = input.tangents(&everyone, &residuals, &adjoint);
                input.add_rows(-self.rate / images, 1.0, &residuals, &tangents, &adjoint, w, &mut rows);
                for (at, value) in adjoint.iter().enumerate() {
                    parameters[at % start.len()] += F::of(step[2].into()) * *value;
                }
                let back = [step[0], step[1], 0.0];
                adjoint = input.combine(&everyone, &tangents, back, &adjoint, &adjoint);
            }
            adjoint.iter().enumerate().for_each(|(at, value)| parameters[at % start.len()] += *value);
            return HeadGradient { loss, rows, d_queries, parameters };
        }
        let residuals = input.residuals(&solved);
        let (v, scale) = self.solve(input, &residuals, &d_weights);
        let tangents = input.tangents(&everyone, &residuals, &v);
        input.add_rows(-scale / images, 1.0, &residuals, &tangents, &v, &solved, &mut rows);
        if self.proximal {
            let factor = F::of((scale * self.ridge).into());
            v.iter().enumerate().for_each(|(at, value)| parameters[at % start.len()] += factor * *value);
        }
        HeadGradient { loss, rows, d_queries, parameters }
    }

    /// The inverse Hessian times `b`, and the factor that it still lacks.
    fn solve<F: Real>(&self, input: &HeadInput<'_, F>, residuals: &[F], b: &[F]) -> (Vec<F>, f32) {
        let images = input.support() as f32;
        let apply = |active: &[u32], p: &[F], hp: &mut [F]| {
            let tangents = input.tangents(active, residuals, p);
            hp.copy_from_slice(&input.combine(active, &tangents, [self.ridge, 1.0 / images, 0.0], p, p));
        };
        match self.gradient {
            LowerGradient::Implicit(max_iterations) => {
                let solve = Solve {
                    tasks: input.tasks as usize,
                    length: input.stride() as usize,
                    max_iterations,
                    tolerance: 0.0,
                    damping: 0.0,
                    diagonal: None,
                    start: None,
                };
                (solve.run(b, apply).solution, 1.0)
            }
            LowerGradient::Neumann(terms, eta) => {
                let everyone = input.everyone();
                let mut sum = b.to_vec();
                for _ in 1..terms {
                    let tangents = input.tangents(&everyone, residuals, &sum);
                    let factors = [1.0 - eta * self.ridge, -eta / images, 1.0];
                    sum = input.combine(&everyone, &tangents, factors, &sum, b);
                }
                (sum, eta)
            }
            LowerGradient::Unrolled => (b.to_vec(), 1.0),
        }
    }
}

/// Ridge regression; the parameters are (λ, scale, bias).
#[derive(Clone, Copy, Debug)]
pub struct RidgeHead;

impl RidgeHead {
    /// Loss and gradients, by the smaller of the two systems.
    pub fn run<F: Real>(&self, input: &HeadInput<'_, F>, parameters: &[F; 3]) -> HeadGradient<F> {
        let HeadInput { tasks, ways, dimension, .. } = *input;
        let (support, stride) = (input.support(), input.stride());
        let dual = support < dimension;
        let (size, terms) = if dual { (support, dimension) } else { (dimension, support) };
        let (row_stride, column_stride) = if dual { (dimension, 1) } else { (1, dimension) };
        let mut factor = vec![F::ZERO; (tasks * size * size) as usize];
        let params = RidgeGramParams { tasks, size, terms, row_stride, column_stride, lambda_offset: 0 };
        ridge_gram(&params, input.embeddings, parameters, &mut factor);
        let mut states = vec![0; tasks as usize];
        ridge_cholesky(&RidgeCholeskyParams { tasks, size, first_row: 0, end_row: size }, &mut states, &mut factor);
        let solve = |right_hand_side: &mut [F]| {
            let (stride, row_stride, way_stride) =
                if dual { (support * ways, ways, 1) } else { (stride, 1, dimension) };
            ridge_solve(
                &RidgeSolveParams { tasks, size, ways, stride, row_stride, way_stride },
                &factor,
                right_hand_side,
            );
        };
        let rows = tasks * support;
        let mut targets = vec![F::ZERO; (rows * ways) as usize];
        let params = RidgeTargetsParams { rows, ways, subtract: 0 };
        ridge_targets(&params, input.support_labels, &[], &mut targets);

        let weights = if dual {
            solve(&mut targets);
            self.gather(input, &targets, [0.0, 1.0], &input.classifiers())
        } else {
            let mut weights = self.gather(input, &targets, [0.0, 1.0], &input.classifiers());
            solve(&mut weights);
            let predictions = input.products(input.embeddings, &weights);
            let params = RidgeTargetsParams { rows, ways, subtract: 1 };
            ridge_targets(&params, input.support_labels, &predictions, &mut targets);
            weights
        };
        let scaled = |vector: &[F], bias_offset| {
            let mut output = input.classifiers();
            let params = RidgeScaleParams { tasks, ways, dimension, stride, scale_offset: 1, bias_offset };
            ridge_scale(&params, &states, parameters, vector, &mut output);
            output
        };
        let (loss, d_queries, d_weights) = input.score(&scaled(&weights, 2));

        // dL/dE = S Dᵀ − Q W*ᵀ with S = A⁻¹Y or Y − EW*, D = G − EᵀQ or B⁻¹G, Q = A⁻¹EG or ED.
        let upstream = scaled(&d_weights, u32::MAX);
        let (direction, second) = if dual {
            let mut second = input.products(input.embeddings, &upstream);
            solve(&mut second);
            (self.gather(input, &second, [1.0, -1.0], &upstream), second)
        } else {
            let mut direction = upstream;
            solve(&mut direction);
            let second = input.products(input.embeddings, &direction);
            (direction, second)
        };
        let mut gradient = vec![F::ZERO; input.embeddings.len()];
        input.add_rows(1.0, -1.0, &targets, &second, &direction, &weights, &mut gradient);
        let mut partials = vec![F::ZERO; 4 * tasks as usize];
        let (length, first_stride) = if dual { (support * ways, support * ways) } else { (ways * dimension, stride) };
        let (first, other) = if dual { (&second, &targets) } else { (&direction, &weights) };
        let params = RidgeBackwardTaskParams { tasks, length, first_stride, ways, dimension, stride };
        ridge_backward_task(&params, &states, first, other, &weights, &d_weights, &mut partials);
        let sum = |k: usize| partials.iter().skip(k).step_by(4).fold(F::ZERO, |sum, &value| sum + value);
        let parameters = vec![sum(0), sum(1), sum(2)];
        HeadGradient { loss, rows: gradient, d_queries, parameters }
    }

    /// keep · input + scale · Eᵀ C, without biases.
    fn gather<F: Real>(
        &self,
        input: &HeadInput<'_, F>,
        coefficients: &[F],
        [keep, scale]: [f32; 2],
        kept: &[F],
    ) -> Vec<F> {
        let mut output = input.classifiers();
        let params = LinearHeadCombineParams {
            support: input.support(),
            ways: input.ways,
            dimension: input.dimension,
            stride: input.stride(),
            workgroups: 0,
            bias: 0,
            keep,
            scale,
            pull: 0.0,
        };
        linear_head_combine(&params, &input.everyone(), input.embeddings, coefficients, kept, kept, &mut output);
        output
    }
}
