//! Learners that adapt every parameter: their gradients against float64, the identities between
//! ways to cut the same work, memory that does not know K, and tasks that diverge.

use inkling_gpu::{Bytes, Gpu};
use inkling_meta::solve::SolveStatus;
use inkling_meta::{
    Estimator, FullNetworkKind, FullNetworkSettings, GradientSettings, Implicit, InnerRates, Learner, LearnerConfig,
    Model, Optimizer, Outcome, Purpose, TaskLimits, TaskStatus,
};
use inkling_nn::{Backbone, Entry, NetworkConfig, Norm, Trained};

use super::fixture::{NoiseTask, SIZE, draw, learner, message, settings, weights};
use super::gradient::{Closeness, Gradient, ROUNDING};
use super::memory::since;
use super::network64::Network64;
use crate::Case;
use crate::kernels::case_list;

pub fn cases() -> Vec<Case> {
    case_list![
        "full_network/maml_is_the_derivative_of_the_meta_loss" => maml_is_the_derivative,
        "full_network/learned_rates_have_the_derivative_of_the_meta_loss" => learned_rates_have_the_derivative,
        "full_network/fomaml_and_reptile_by_their_definitions" => first_order_by_definition,
        "full_network/imaml_solves_the_dense_system" => imaml_solves_the_dense_system,
        "full_network/an_indefinite_system_is_reported" => an_indefinite_system_is_reported,
        "full_network/chunks_change_nothing" => chunks_change_nothing,
        "full_network/tasks_side_by_side" => tasks_side_by_side,
        "full_network/memory_does_not_know_k" => memory_does_not_know_k,
        "full_network/plan_is_ledger" => plan_is_ledger,
        "full_network/diverging_tasks_are_left_out" => diverging_tasks_are_left_out,
        "full_network/first_order_maml_is_fomaml" => first_order_maml_is_fomaml,
        "full_network/settings_that_cannot_be" => settings_that_cannot_be,
    ]
}

const WAYS: u32 = 2;
/// The halves of a task.
const SUPPORT: usize = 0;
const QUERY: usize = 1;
const NORMS: [Norm; 3] = [Norm::Group { groups: 2 }, Norm::Frozen, Norm::Batch];
const KINDS: [FullNetworkKind; 4] = [FullNetworkKind::Maml, FullNetworkKind::Fomaml, FullNetworkKind::Reptile, IMAML];
const IMAML: FullNetworkKind =
    FullNetworkKind::Imaml(Implicit { prox: 3.0, cg_steps: 4, cg_tolerance: 0.0, damping: 0.0 });

/// Against float64: K inner steps of sums of some thousand products, and with Hessians as many
/// again on the way back, each rounded to 6e-8, leave about 1e-5 of a gradient's norm; a pixel whose
/// sign or order float32 sees otherwise leaves a little more.
const FLOAT64: Closeness = Closeness { relative: 1e-3, cancelling_share: 1e-2, head_floor: 0.0 };

fn adapting(kind: FullNetworkKind) -> FullNetworkSettings {
    FullNetworkSettings { kind, ways: WAYS, inner_steps: 3, inner_learning_rate: 0.2, rates: InnerRates::Fixed }
}

fn config(norm: Norm, full: FullNetworkSettings, gradient: GradientSettings) -> LearnerConfig {
    let network = NetworkConfig {
        backbone: Backbone::Conv4 { channels: 2 },
        trained: Trained::All,
        in_channels: 1,
        image_size: SIZE,
        norm,
    };
    LearnerConfig { network, kind: full.into(), film: None, gradient, source: None }
}

fn full() -> GradientSettings {
    settings(Estimator::Full, 0, 1)
}

fn task(seed: u64) -> NoiseTask {
    NoiseTask::new(seed, WAYS, 5, 4)
}

/// Outcomes and gradient of some tasks, in one call.
async fn solve_all(
    gpu: &Gpu,
    config: LearnerConfig,
    tasks: &[NoiseTask],
    at_once: u32,
) -> Result<(Vec<Outcome>, Gradient), String> {
    let limits = TaskLimits { tasks: at_once, ..tasks[0].limits() };
    let optimizer = Optimizer::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 };
    let purpose = Purpose::Train { optimizer, tasks_per_step: tasks.len() as u32 };
    let mut learner = learner(gpu, config, limits, purpose).await?;
    accumulate(&mut learner, tasks, at_once).await
}

async fn accumulate(
    learner: &mut Learner,
    tasks: &[NoiseTask],
    at_once: u32,
) -> Result<(Vec<Outcome>, Gradient), String> {
    for tasks in tasks.chunks(at_once as usize) {
        let pass: Vec<_> = tasks.iter().map(NoiseTask::task).collect();
        let mut numbers: Vec<_> = (0..tasks.len() as u64).map(draw).collect();
        learner.accumulate_pass(&pass, &mut numbers).await.map_err(message)?;
    }
    let outcomes = learner.outcomes().await.map_err(message)?;
    Ok((outcomes, Gradient::from(&learner.gradient().await.map_err(message)?)))
}

async fn solve(gpu: &Gpu, config: LearnerConfig, task: &NoiseTask) -> Result<(Outcome, Gradient), String> {
    let (outcomes, gradient) = solve_all(gpu, config, std::slice::from_ref(task), 1).await?;
    match outcomes.as_slice() {
        [outcome] if outcome.loss.is_finite() && gradient.norm() > 0.0 => Ok((*outcome, gradient)),
        _ => Err(format!("outcomes {outcomes:?}, a gradient of norm {}", gradient.norm())),
    }
}

/// A task and a learner in float64.
struct Exact {
    model: Model,
    start: Vec<f64>,
    running: Vec<f64>,
    task: NoiseTask,
    settings: FullNetworkSettings,
}

impl Exact {
    fn new(gpu: &Gpu, config: &LearnerConfig, settings: FullNetworkSettings, task: &NoiseTask) -> Result<Self, String> {
        let model = Model::new(config.clone(), gpu.tier()).map_err(message)?;
        let layouts = [model.layout(), model.network().running()];
        let vectors = weights(&model)?.to_flat(layouts, &[]).map_err(message)?;
        let [start, running] = vectors.map(|vector| vector.into_iter().map(f64::from).collect());
        Ok(Self { model, start, running, task: task.clone(), settings })
    }

    /// Mean loss and gradient at `w` on the support, or on the queries.
    fn loss(&self, w: &[f64], half: usize) -> (f64, Vec<f64>) {
        let network = Network64 {
            config: self.model.network().config(),
            layout: self.model.layout(),
            running_layout: self.model.network().running(),
            running: self.running.clone(),
            ways: WAYS,
        };
        let (images, labels) = &self.task.halves()[half];
        network.loss(w, images, labels)
    }

    /// Elements of a task's own parameters.
    fn stride(&self) -> usize {
        let entries = self.model.layout().entries();
        let first = entries.iter().find(|entry| entry.name.starts_with("inner_rates"));
        first.map_or(self.start.len(), |entry| entry.offset as usize)
    }

    /// The rate of an element: as configured, its own, or that of its tensor.
    fn rate(&self, start: &[f64], at: usize) -> f64 {
        match self.settings.rates {
            InnerRates::Fixed => f64::from(self.settings.inner_learning_rate),
            InnerRates::PerParameter => start[self.stride() + at],
            InnerRates::PerLayer => {
                let holds = |entry: &&Entry| entry.offset as usize <= at;
                start[self.stride() + self.model.layout().entries().iter().filter(holds).count() - 1]
            }
        }
    }

    /// w_K.
    fn adapt(&self, start: &[f64]) -> Vec<f64> {
        let prox = match self.settings.kind {
            FullNetworkKind::Imaml(implicit) => f64::from(implicit.prox),
            _ => 0.0,
        };
        let mut w = start.to_vec();
        for _ in 0..self.settings.inner_steps {
            let (_, gradient) = self.loss(&w, SUPPORT);
            for at in 0..self.stride() {
                w[at] -= self.rate(start, at) * (gradient[at] + prox * (w[at] - start[at]));
            }
        }
        w
    }

    /// The query loss after the inner steps from `start`.
    fn meta_loss(&self, start: &[f64]) -> f64 {
        self.loss(&self.adapt(start), QUERY).0
    }

    /// A flat vector by name.
    fn by_name(&self, vector: &[f64]) -> Gradient {
        let mut gradient = Gradient::default();
        for entry in self.model.layout().entries() {
            let from = entry.offset as usize;
            gradient.insert(&entry.name, vector[from..from + entry.length as usize].iter().copied());
        }
        gradient
    }

    /// Central differences of the meta-loss, element by element.
    ///
    /// In float64 a step of 1e-6 leaves rounding of 1e-10 and a curvature term of 1e-12, and crosses
    /// no kink of the ReLUs on these images.
    fn differences(&self) -> Gradient {
        let h = 1e-6;
        let difference = |at: usize| {
            let shifted = |shift: f64| {
                let mut start = self.start.clone();
                start[at] += shift;
                self.meta_loss(&start)
            };
            (shifted(h) - shifted(-h)) / (2.0 * h)
        };
        let mut gradient = Gradient::default();
        for entry in self.model.layout().entries() {
            let from = entry.offset as usize;
            gradient.insert(&entry.name, (from..from + entry.length as usize).map(difference));
        }
        gradient
    }

    /// Where a flat vector holds parameters, its padding left out.
    fn places(&self) -> Vec<usize> {
        let range = |entry: &Entry| entry.offset as usize..(entry.offset + entry.length) as usize;
        self.model.layout().entries().iter().flat_map(range).collect()
    }
}

async fn maml_is_the_derivative(gpu: &Gpu) -> Result<(), String> {
    for norm in NORMS {
        let settings = adapting(FullNetworkKind::Maml);
        let (config, task) = (config(norm, settings, full()), task(1));
        let exact = Exact::new(gpu, &config, settings, &task)?;
        let (outcome, found) = solve(gpu, config.clone(), &task).await?;
        let loss = exact.meta_loss(&exact.start);
        if (outcome.loss - loss).abs() > 1e-5 * loss {
            return Err(format!("{norm:?}: loss {}, in float64 {loss}", outcome.loss));
        }
        found.check(&format!("{norm:?}"), &exact.differences(), FLOAT64)?;
        // The test would see Hessians that are left out.
        let (_, first_order) =
            solve(gpu, LearnerConfig { kind: adapting(FullNetworkKind::Fomaml).into(), ..config }, &task).await?;
        let share = found.minus(&first_order).norm() / found.norm();
        if share < 0.05 {
            return Err(format!("{norm:?}: Hessians are but {share:.3} of the gradient, too little to be seen"));
        }
    }
    Ok(())
}

async fn learned_rates_have_the_derivative(gpu: &Gpu) -> Result<(), String> {
    for rates in [InnerRates::PerLayer, InnerRates::PerParameter] {
        let settings = FullNetworkSettings { rates, ..adapting(FullNetworkKind::Maml) };
        let (config, task) = (config(NORMS[0], settings, full()), task(2));
        let exact = Exact::new(gpu, &config, settings, &task)?;
        let (_, found) = solve(gpu, config, &task).await?;
        found.check(&format!("{rates:?}"), &exact.differences(), FLOAT64)?;
    }
    Ok(())
}

async fn first_order_by_definition(gpu: &Gpu) -> Result<(), String> {
    for norm in NORMS {
        for kind in [FullNetworkKind::Fomaml, FullNetworkKind::Reptile] {
            let settings = adapting(kind);
            let (config, task) = (config(norm, settings, full()), task(3));
            let exact = Exact::new(gpu, &config, settings, &task)?;
            let w = exact.adapt(&exact.start);
            let expected = match kind {
                FullNetworkKind::Reptile => exact.start.iter().zip(&w).map(|(first, last)| first - last).collect(),
                _ => exact.loss(&w, QUERY).1,
            };
            let (_, found) = solve(gpu, config, &task).await?;
            found.check(&format!("{norm:?}, {kind:?}"), &exact.by_name(&expected), FLOAT64)?;
        }
    }
    Ok(())
}

/// The support loss's Hessian column by column, by central differences of the gradient in float64.
fn hessian(exact: &Exact, w: &[f64], places: &[usize]) -> Vec<Vec<f64>> {
    let h = 1e-6;
    let column = |&at: &usize| {
        let gradient = |shift: f64| {
            let mut w = w.to_vec();
            w[at] += shift;
            exact.loss(&w, SUPPORT).1
        };
        let (above, below) = (gradient(h), gradient(-h));
        places.iter().map(|&row| (above[row] - below[row]) / (2.0 * h)).collect()
    };
    places.iter().map(column).collect()
}

/// Elimination without pivots: those of a symmetric matrix are all positive where it is definite.
fn solve_dense(mut matrix: Vec<Vec<f64>>, mut b: Vec<f64>) -> Result<Vec<f64>, String> {
    let n = b.len();
    for k in 0..n {
        if matrix[k][k] <= 0.0 {
            return Err(format!("the matrix is not positive definite: pivot {k} is {}", matrix[k][k]));
        }
        let row = matrix[k].clone();
        for i in k + 1..n {
            let factor = matrix[i][k] / row[k];
            matrix[i].iter_mut().zip(&row).skip(k).for_each(|(value, above)| *value -= factor * above);
            b[i] -= factor * b[k];
        }
    }
    for k in (0..n).rev() {
        let known: f64 = (k + 1..n).map(|j| matrix[k][j] * b[j]).sum();
        b[k] = (b[k] - known) / matrix[k][k];
    }
    Ok(b)
}

async fn imaml_solves_the_dense_system(gpu: &Gpu) -> Result<(), String> {
    for norm in NORMS {
        let implicit = Implicit { prox: 30.0, cg_steps: 60, cg_tolerance: 1e-6, damping: 5.0 };
        let kind = FullNetworkKind::Imaml(implicit);
        let settings = FullNetworkSettings { inner_learning_rate: 0.02, ..adapting(kind) };
        let (config, task) = (config(norm, settings, full()), task(4));
        let exact = Exact::new(gpu, &config, settings, &task)?;
        let w = exact.adapt(&exact.start);
        let places = exact.places();
        let mut matrix = hessian(&exact, &w, &places);
        for (at, row) in matrix.iter_mut().enumerate() {
            row.iter_mut().for_each(|value| *value /= f64::from(implicit.prox));
            row[at] += 1.0 + f64::from(implicit.damping / implicit.prox);
        }
        let first_order = exact.loss(&w, QUERY).1;
        let solution = solve_dense(matrix, places.iter().map(|&at| first_order[at]).collect())?;
        let mut expected = vec![0.0; w.len()];
        places.iter().zip(solution).for_each(|(&at, value)| expected[at] = value);
        let expected = exact.by_name(&expected);
        let share = expected.minus(&exact.by_name(&first_order)).norm() / expected.norm();
        if share < 0.05 {
            return Err(format!("{norm:?}: the Hessian is but {share:.3} of the gradient, too little to be seen"));
        }
        let (_, found) = solve(gpu, config, &task).await?;
        found.check(&format!("{norm:?}"), &expected, FLOAT64)?;
    }
    Ok(())
}

/// A weak proximal term leaves directions of negative curvature: the solve ends there with its
/// best iterate, says so, and the gradient is finite.
async fn an_indefinite_system_is_reported(gpu: &Gpu) -> Result<(), String> {
    let implicit = Implicit { prox: 1e-3, cg_steps: 100, cg_tolerance: 1e-6, damping: 0.0 };
    let (config, task) = (config(NORMS[0], adapting(FullNetworkKind::Imaml(implicit)), full()), task(4));
    let mut learner = learner(gpu, config, task.limits(), Purpose::Gradient).await?;
    let (outcomes, gradient) = accumulate(&mut learner, std::slice::from_ref(&task), 1).await?;
    let reports = learner.solve_reports().await.map_err(message)?;
    match (outcomes.as_slice(), reports.as_slice()) {
        ([outcome], [report]) if outcome.status == TaskStatus::Solved && gradient.norm().is_finite() => {
            let residuals = report.relative_residuals.len();
            if report.status != SolveStatus::Breakdown || residuals != report.iterations as usize + 1 {
                return Err(format!("{report:?}"));
            }
            Ok(())
        }
        _ => Err(format!("{outcomes:?}, {reports:?}, a gradient of norm {}", gradient.norm())),
    }
}

async fn chunks_change_nothing(gpu: &Gpu) -> Result<(), String> {
    let task = task(5);
    for norm in [Norm::Group { groups: 2 }, Norm::Frozen] {
        for kind in KINDS {
            let whole = solve(gpu, config(norm, adapting(kind), full()), &task).await?;
            for (chunk, query_batch) in [(1, 0), (2, 3), (4, 1)] {
                let gradient = GradientSettings { query_batch, ..settings(Estimator::Chunked, 0, chunk) };
                let found = solve(gpu, config(norm, adapting(kind), gradient), &task).await?;
                let what = format!("{norm:?}, {kind:?}, chunks of {chunk}");
                if (found.0.loss - whole.0.loss).abs() > 1e-5 {
                    return Err(format!("{what}: {:?}, in one piece {:?}", found.0, whole.0));
                }
                found.1.check(&what, &whole.1, CHUNKED)?;
            }
        }
    }
    Ok(())
}

/// Sums in another order, whose rounding the inner steps carry on.
const CHUNKED: Closeness = Closeness { relative: 1e-4, ..ROUNDING };

async fn tasks_side_by_side(gpu: &Gpu) -> Result<(), String> {
    let tasks: Vec<_> = (6..9).map(task).collect();
    for norm in NORMS {
        for kind in KINDS {
            // All three in one chunk, two and one, and a task in two chunks.
            for gradient in [full(), settings(Estimator::Chunked, 0, 12), settings(Estimator::Chunked, 0, 3)] {
                let one_by_one = solve_all(gpu, config(norm, adapting(kind), gradient.clone()), &tasks, 1).await?;
                let found = solve_all(gpu, config(norm, adapting(kind), gradient.clone()), &tasks, 3).await?;
                let what = format!("{norm:?}, {kind:?}, {gradient:?}");
                for (found, one) in found.0.iter().zip(&one_by_one.0) {
                    if (found.loss - one.loss).abs() > 1e-5 || found.accuracy != one.accuracy {
                        return Err(format!("{what}: {found:?}, by itself {one:?}"));
                    }
                }
                found.1.check(&what, &one_by_one.1, CHUNKED)?;
            }
        }
    }
    Ok(())
}

const PURPOSE: Purpose = Purpose::Train {
    optimizer: Optimizer::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0, decoupled: false },
    tasks_per_step: 2,
};

fn planned(gpu: &Gpu, full: FullNetworkSettings, limits: TaskLimits) -> Result<Bytes, String> {
    let model = Model::new(config(NORMS[0], full, settings(Estimator::Chunked, 0, 2)), gpu.tier()).map_err(message)?;
    model.planned_bytes(limits, PURPOSE).map_err(message)
}

async fn memory_does_not_know_k(gpu: &Gpu) -> Result<(), String> {
    let limits = task(1).limits();
    let of = |kind, inner_steps| planned(gpu, FullNetworkSettings { inner_steps, ..adapting(kind) }, limits);
    for kind in [FullNetworkKind::Fomaml, FullNetworkKind::Reptile, IMAML] {
        if of(kind, 1)? != of(kind, 100)? {
            return Err(format!("{kind:?}: {:?} for K = 1, {:?} for K = 100", of(kind, 1)?, of(kind, 100)?));
        }
    }
    // MAML stores one vector for each step after the first, and nothing else.
    let (few, many) = (of(FullNetworkKind::Maml, 2)?.total(), of(FullNetworkKind::Maml, 12)?.total());
    let model = Model::new(config(NORMS[0], adapting(FullNetworkKind::Maml), full()), gpu.tier()).map_err(message)?;
    let vector = 4 * u64::from(model.layout().elements());
    if many - few != 10 * vector {
        return Err(format!("ten more steps cost MAML {} bytes, not {}", many - few, 10 * vector));
    }
    // A graph that is kept grows with the activations of every step.
    let unrolled = |inner_steps| -> Result<u64, String> {
        let settings = FullNetworkSettings { inner_steps, ..adapting(FullNetworkKind::Maml) };
        let model = Model::new(config(NORMS[0], settings, full()), gpu.tier()).map_err(message)?;
        let plan = model.unrolled_graph_plan(limits, PURPOSE).map_err(message)?;
        Ok(plan.ok_or("no plan of an unrolled graph")?.bytes().total())
    };
    let step = (unrolled(12)? - unrolled(2)?) / 10;
    // At least the outputs of the four convolutions, and their gradients.
    let convolutions = 2 * 4 * u64::from(limits.support) * 2 * (16 * 16 + 8 * 8 + 4 * 4 + 2 * 2);
    if step < convolutions || step > 4 * convolutions {
        return Err(format!("a step of the unrolled graph takes {step} bytes, its convolutions {convolutions}"));
    }
    Ok(())
}

async fn plan_is_ledger(gpu: &Gpu) -> Result<(), String> {
    let tasks = [task(10), task(11)];
    let per_layer = FullNetworkSettings { rates: InnerRates::PerLayer, ..adapting(FullNetworkKind::Maml) };
    let per_parameter = FullNetworkSettings { rates: InnerRates::PerParameter, ..adapting(FullNetworkKind::Fomaml) };
    for settings in KINDS.map(adapting).into_iter().chain([per_layer, per_parameter]) {
        let config = config(NORMS[0], settings, super::fixture::settings(Estimator::Chunked, 0, 10));
        let limits = TaskLimits { tasks: 2, ..tasks[0].limits() };
        for purpose in [PURPOSE, Purpose::Gradient, Purpose::Evaluate] {
            let model = Model::new(config.clone(), gpu.tier()).map_err(message)?;
            let planned = model.planned_bytes(limits, purpose).map_err(message)?;
            let before = gpu.ledger().live();
            gpu.ledger().reset_peak();
            let mut learner = learner(gpu, config.clone(), limits, purpose).await?;
            learner.evaluate(&tasks[0].task()).await.map_err(message)?;
            if purpose != Purpose::Evaluate {
                accumulate(&mut learner, &tasks, 2).await?;
            }
            if purpose == PURPOSE {
                learner.update(1, 1e-3, 1.0).await.map_err(message)?;
            }
            let peak = since(gpu.ledger().peak(), before);
            if peak != planned {
                return Err(format!("{settings:?}, {purpose:?}: {peak:?}, planned {planned:?}"));
            }
        }
    }
    Ok(())
}

/// A rate beyond all bounds, and a task that holds no numbers among others that do.
async fn diverging_tasks_are_left_out(gpu: &Gpu) -> Result<(), String> {
    let tasks = [task(12), task(13), task(14)];
    let mut broken = tasks.clone();
    broken[1] = tasks[1].with_pixel(f32::NAN);
    for kind in KINDS {
        let (outcomes, gradient) = solve_all(gpu, config(NORMS[0], adapting(kind), full()), &broken, 3).await?;
        let statuses: Vec<_> = outcomes.iter().map(|outcome| outcome.status).collect();
        if statuses != [TaskStatus::Solved, TaskStatus::InnerLoop, TaskStatus::Solved] {
            return Err(format!("{kind:?}: {statuses:?}"));
        }
        let sound = [tasks[0].clone(), tasks[2].clone()];
        let (_, expected) = solve_all(gpu, config(NORMS[0], adapting(kind), full()), &sound, 2).await?;
        gradient.check(&format!("{kind:?} without the broken task"), &expected, ROUNDING)?;

        let wild = FullNetworkSettings { inner_learning_rate: 1e30, inner_steps: 6, ..adapting(kind) };
        let (outcomes, gradient) = solve_all(gpu, config(NORMS[1], wild, full()), &tasks, 3).await?;
        if outcomes.iter().any(|outcome| outcome.status == TaskStatus::Solved) || gradient.norm() != 0.0 {
            return Err(format!("{kind:?} at a rate of 1e30: {outcomes:?}, a gradient of norm {}", gradient.norm()));
        }
    }
    // Weights stay as they are, and the next step is told nothing of this one.
    let limits = TaskLimits { tasks: 3, ..tasks[0].limits() };
    let mut learner = learner(gpu, config(NORMS[0], adapting(FullNetworkKind::Maml), full()), limits, PURPOSE).await?;
    let before = learner.weights().await.map_err(message)?;
    accumulate(&mut learner, &broken[1..2], 1).await?;
    let (outcomes, norm) = learner.update(1, 1e-3, 1.0).await.map_err(message)?;
    if outcomes[0].status != TaskStatus::InnerLoop || norm != 0.0 || learner.weights().await.map_err(message)? != before
    {
        return Err(format!("a step of one broken task: {outcomes:?}, norm {norm}"));
    }
    let (outcomes, _) = accumulate(&mut learner, &tasks[..1], 1).await?;
    if outcomes[0].status != TaskStatus::Solved {
        return Err(format!("the step after: {outcomes:?}"));
    }
    Ok(())
}

async fn first_order_maml_is_fomaml(gpu: &Gpu) -> Result<(), String> {
    let task = task(15);
    let (_, expected) = solve(gpu, config(NORMS[0], adapting(FullNetworkKind::Fomaml), full()), &task).await?;
    let config = config(NORMS[0], adapting(FullNetworkKind::Maml), full());
    let mut learner = learner(gpu, config.clone(), task.limits(), Purpose::Gradient).await?;
    learner.set_first_order(true);
    let (_, found) = accumulate(&mut learner, std::slice::from_ref(&task), 1).await?;
    if found != expected {
        return Err("MAML at first order is not FOMAML to the bit".into());
    }
    learner.set_first_order(false);
    learner.clear_gradient();
    let (_, found) = accumulate(&mut learner, std::slice::from_ref(&task), 1).await?;
    found.check("second order again", &solve(gpu, config, &task).await?.1, ROUNDING)
}

async fn settings_that_cannot_be(gpu: &Gpu) -> Result<(), String> {
    let maml = adapting(FullNetworkKind::Maml);
    let imaml = |implicit| adapting(FullNetworkKind::Imaml(implicit));
    let implicit = Implicit { prox: 1.0, cg_steps: 3, cg_tolerance: 0.0, damping: 0.0 };
    let wrong = [
        (FullNetworkSettings { inner_steps: 0, ..maml }, full(), "learner.inner_steps"),
        (FullNetworkSettings { inner_learning_rate: 0.0, ..maml }, full(), "learner.inner_lr"),
        (FullNetworkSettings { inner_learning_rate: f32::NAN, ..maml }, full(), "learner.inner_lr"),
        (FullNetworkSettings { ways: 1, ..maml }, full(), "two classes"),
        (imaml(Implicit { prox: 0.0, ..implicit }), full(), "learner.prox"),
        (imaml(Implicit { prox: -1.0, ..implicit }), full(), "learner.prox"),
        (imaml(Implicit { cg_steps: 0, ..implicit }), full(), "learner.cg_steps"),
        (imaml(Implicit { cg_tolerance: -1.0, ..implicit }), full(), "learner.cg_tolerance"),
        (imaml(Implicit { damping: f32::INFINITY, ..implicit }), full(), "learner.damping"),
        (FullNetworkSettings { rates: InnerRates::PerLayer, ..imaml(implicit) }, full(), "learner.rates"),
        (
            FullNetworkSettings { rates: InnerRates::PerParameter, ..adapting(FullNetworkKind::Reptile) },
            full(),
            "Reptile",
        ),
        (maml, settings(Estimator::Lite, 2, 2), "biased"),
        (maml, settings(Estimator::Subsampled, 2, 2), "biased"),
    ];
    for (full, gradient, words) in wrong {
        match Model::new(config(NORMS[0], full, gradient.clone()), gpu.tier()) {
            Err(error) if error.to_string().contains(words) => {}
            other => return Err(format!("{full:?}, {gradient:?}: {:?} does not say {words:?}", other.err())),
        }
    }
    // The classifier has as many rows as configured, and a task as many classes.
    let three = NoiseTask::new(1, 3, 6, 3);
    let limits = TaskLimits { ways: 3, ..three.limits() };
    let mut learner = learner(gpu, config(NORMS[0], maml, full()), limits, Purpose::Gradient).await?;
    match learner.accumulate(&three.task(), &mut draw(0)).await {
        Err(error) if error.to_string().contains("2 classes") => Ok(()),
        other => Err(format!("three classes for two: {other:?}")),
    }
}
