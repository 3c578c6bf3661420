//! The heads that solve, by themselves: on embeddings against their f64 twins.

use inkling_gpu::{Buffer, Category, Gpu, Recorder};
use inkling_meta::{
    AnyHead, Head, HeadModel, HeadReport, HeadSettings, HeadTask, HeadTensors, ImplicitSettings, LinearSettings,
    LinearStart, LowerGradient, MahalanobisSettings, MetaError, NeumannSettings, QueryBatch, RidgeSettings, TaskLimits,
    VersaSettings,
};
use inkling_nn::Layout;
use inkling_reference as twin;

use super::fixture::message;
use crate::Case;
use crate::kernels::{case_list, integers, noise};

pub fn cases() -> Vec<Case> {
    case_list![
        "heads/implicit_is_its_twin" => implicit_is_its_twin,
        "heads/unrolled_is_its_twin" => unrolled_is_its_twin,
        "heads/neumann_is_its_twin" => neumann_is_its_twin,
        "heads/ridge_is_its_twin" => ridge_is_its_twin,
        "heads/query_batches_do_not_matter" => query_batches_do_not_matter,
        "heads/a_pass_is_single_tasks" => a_pass_is_single_tasks,
        "heads/implicit_is_unrolled_in_the_limit" => implicit_is_unrolled_in_the_limit,
        "heads/preconditioner_and_tolerance_change_nothing_solved" => preconditioner_and_tolerance,
        "heads/a_diverging_task_stays_alone" => a_diverging_task_stays_alone,
        "heads/a_diverging_series_stays_alone" => a_diverging_series_stays_alone,
        "heads/a_singular_ridge_stays_alone" => a_singular_ridge_stays_alone,
        "heads/reports" => reports,
        "heads/settings_that_cannot_be" => settings_that_cannot_be,
        "heads/dispatches_do_not_grow_with_tasks" => dispatches_do_not_grow,
    ]
}

/// A linear head with a start of zero.
pub(super) fn linear(inner_steps: u32, gradient: LowerGradient) -> LinearSettings {
    LinearSettings {
        inner_steps,
        inner_learning_rate: 0.5,
        ridge: 0.25,
        proximal: false,
        start: LinearStart::Zero,
        gradient,
    }
}

pub(super) fn by_cg(cg_steps: u32) -> LowerGradient {
    LowerGradient::Implicit(ImplicitSettings {
        cg_steps,
        cg_tolerance: 0.0,
        damping: 0.0,
        preconditioned: false,
        warm: false,
    })
}

fn by_series(terms: u32, eta: f32) -> LowerGradient {
    LowerGradient::Neumann(NeumannSettings { terms, eta, estimate_steps: 6 })
}

/// Two classes at a time: the tasks here have more, so that factors are computed anew.
pub(super) const MAHALANOBIS: HeadSettings = HeadSettings::Mahalanobis(MahalanobisSettings { class_block: 2 });

pub(super) const VERSA: HeadSettings = HeadSettings::Versa(VersaSettings { hidden: 4 });

pub(super) const RIDGE: HeadSettings = HeadSettings::Ridge(RidgeSettings { lambda: 0.5, scale: 2.0 });

/// A pass on embeddings.
#[derive(Clone, Debug)]
pub(super) struct Data {
    tasks: u32,
    ways: u32,
    support: u32,
    pub(super) queries: u32,
    dimension: u32,
    pub(super) embeddings: Vec<f32>,
    support_labels: Vec<u32>,
    query_embeddings: Vec<f32>,
    query_labels: Vec<u32>,
}

impl Data {
    pub(super) fn new([tasks, ways, support, queries, dimension]: [u32; 5]) -> Self {
        Self {
            tasks,
            ways,
            support,
            queries,
            dimension,
            embeddings: noise(1, (tasks * support * dimension) as usize),
            support_labels: (0..tasks * support).map(|image| image % support % ways).collect(),
            query_embeddings: noise(2, (tasks * queries * dimension) as usize),
            query_labels: integers(3, (tasks * queries) as usize, ways),
        }
    }

    /// One of its tasks.
    pub(super) fn task(&self, task: u32) -> Self {
        fn part<T: Copy>(values: &[T], tasks: u32, task: u32) -> Vec<T> {
            let each = values.len() / tasks as usize;
            values[task as usize * each..(task as usize + 1) * each].to_vec()
        }
        Self {
            tasks: 1,
            embeddings: part(&self.embeddings, self.tasks, task),
            support_labels: part(&self.support_labels, self.tasks, task),
            query_embeddings: part(&self.query_embeddings, self.tasks, task),
            query_labels: part(&self.query_labels, self.tasks, task),
            ..*self
        }
    }

    pub(super) fn with_twin<T>(&self, run: impl FnOnce(&twin::HeadInput<'_, f64>) -> T) -> T {
        let wide = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<_>>();
        let (embeddings, queries) = (wide(&self.embeddings), wide(&self.query_embeddings));
        run(&twin::HeadInput {
            tasks: self.tasks,
            ways: self.ways,
            dimension: self.dimension,
            embeddings: &embeddings,
            support_labels: &self.support_labels,
            queries: &queries,
            query_labels: &self.query_labels,
        })
    }
}

/// What a head gives for a pass.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// Σ_t (1/M) Σ_m loss.
    loss: f64,
    pub(super) outcomes: Vec<f32>,
    pub(super) rows: Vec<f32>,
    pub(super) d_queries: Vec<f32>,
    /// The head's own parameters, without padding, in the order of their layout.
    gradient: Vec<f32>,
    pub(super) reports: Vec<HeadReport>,
}

/// A head on the device with a pass of its own.
struct Rig {
    recorder: Recorder,
    head: AnyHead<Buffer>,
    layout: Layout,
    parameters: Buffer,
    gradient: Buffer,
}

impl Rig {
    async fn new(gpu: &Gpu, head: HeadSettings, data: &Data, learned: &[f32]) -> Result<Self, String> {
        let mut layout = Layout::default();
        let model = HeadModel::new(head, &mut layout, data.dimension).map_err(message)?;
        let limits = TaskLimits { tasks: data.tasks, ways: data.ways, support: data.support, queries: data.queries };
        model.check(limits, data.queries).map_err(message)?;
        let head = model.allocate(&mut gpu.clone(), limits, data.queries, 0).map_err(message)?;
        let mut flat = vec![0.0; layout.elements().max(1) as usize];
        let mut numbers = noise(7, flat.len()).into_iter().cycle();
        model.initialize(&mut flat, &mut || numbers.next().unwrap_or(0.0));
        let mut learned = learned.iter();
        for entry in layout.entries() {
            for (at, &value) in (entry.offset..entry.offset + entry.length).zip(learned.by_ref()) {
                flat[at as usize] = value;
            }
        }
        let buffer = |name| gpu.buffer(Category::Workspace, name, 4 * flat.len() as u64).map_err(message);
        let mut rig = Self {
            recorder: gpu.recorder().map_err(message)?,
            head,
            layout,
            parameters: buffer("parameters")?,
            gradient: buffer("gradient")?,
        };
        rig.recorder.upload_values(rig.parameters.all(), &flat).await.map_err(message)?;
        Ok(rig)
    }

    async fn upload<T: bytemuck::NoUninit>(&mut self, values: &[T]) -> Result<Buffer, String> {
        let bytes = size_of_val(values) as u64;
        let buffer = self.recorder.gpu().buffer(Category::Workspace, "data", bytes).map_err(message)?;
        self.recorder.upload_values(buffer.all(), values).await.map_err(message)?;
        Ok(buffer)
    }

    async fn run(&mut self, data: &Data, query_batch: u32) -> Result<Found, String> {
        let task =
            HeadTask { tasks: data.tasks, ways: data.ways, support: data.support, queries: data.queries, place: None };
        let embeddings = self.upload(&data.embeddings).await?;
        let support_labels = self.upload(&data.support_labels).await?;
        let query_labels = self.upload(&data.query_labels).await?;
        let outcomes = self.upload(&vec![0.0_f32; 2 * (data.tasks * data.queries) as usize]).await?;
        // Poison: every row must be written.
        let rows = self.upload(&vec![f32::NAN; data.embeddings.len()]).await?;
        self.recorder.clear(self.gradient.all());
        let tensors = HeadTensors {
            parameters: &self.parameters,
            embeddings: &embeddings,
            support_labels: &support_labels,
            query_labels: &query_labels,
            outcomes: &outcomes,
            first_outcome: 0,
        };
        let recorder = &mut self.recorder;
        self.head.fit(recorder, task, tensors).await.map_err(message)?;
        let d = data.dimension as usize;
        let mut d_queries = vec![f32::NAN; data.query_embeddings.len()];
        let mut first = 0;
        while first < data.queries {
            let batch = QueryBatch { first, queries: query_batch.min(data.queries - first) };
            let at = |task: u32| (task * data.queries + first) as usize * d;
            let length = batch.queries as usize * d;
            let images: Vec<f32> = (0..data.tasks)
                .flat_map(|task| data.query_embeddings[at(task)..at(task) + length].iter().copied())
                .collect();
            recorder.upload_values(self.head.queries().all(), &images).await.map_err(message)?;
            self.head.score(recorder, task, batch, tensors).await.map_err(message)?;
            self.head.backward(recorder, task, batch, tensors, &self.gradient).await.map_err(message)?;
            let slice = self.head.d_queries().slice(0, 4 * images.len() as u64).map_err(message)?;
            let found: Vec<f32> = recorder.read(slice).await.map_err(message)?;
            for task in 0..data.tasks {
                let from = task as usize * length;
                d_queries[at(task)..at(task) + length].copy_from_slice(&found[from..from + length]);
            }
            first += batch.queries;
        }
        self.head.finish(recorder, task, tensors, &rows, &self.gradient).await.map_err(message)?;
        let outcomes: Vec<f32> = recorder.read(outcomes.all()).await.map_err(message)?;
        let flat: Vec<f32> = recorder.read(self.gradient.all()).await.map_err(message)?;
        let entries = self.layout.entries().iter();
        let part = |entry: &inkling_nn::Entry| flat[entry.offset as usize..][..entry.length as usize].to_vec();
        Ok(Found {
            loss: outcomes.iter().step_by(2).map(|&loss| f64::from(loss)).sum::<f64>() / f64::from(data.queries),
            outcomes,
            rows: recorder.read(rows.all()).await.map_err(message)?,
            d_queries,
            gradient: entries.flat_map(part).collect(),
            reports: self.head.reports(recorder).await.map_err(message)?,
        })
    }
}

pub(super) async fn run(gpu: &Gpu, head: HeadSettings, data: &Data, query_batch: u32) -> Result<Found, String> {
    Rig::new(gpu, head, data, &[]).await?.run(data, query_batch).await
}

/// With these parameters of the head's own, all queries at once.
pub(super) async fn run_with(gpu: &Gpu, head: HeadSettings, data: &Data, parameters: &[f32]) -> Result<Found, String> {
    Rig::new(gpu, head, data, parameters).await?.run(data, data.queries).await
}

/// The relative distance of two vectors.
fn distance(found: &[f32], expected: &[f64]) -> f64 {
    let square = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>();
    let mut difference = found.iter().zip(expected).map(|(&found, expected)| f64::from(found) - expected);
    let error = square(&mut difference).sqrt();
    let size = square(&mut expected.iter().copied()).sqrt();
    if size == 0.0 && error == 0.0 { 0.0 } else { error / size }
}

/// Whether an error is too large, or no number.
fn beyond(error: f64, allowed: f64) -> bool {
    let within = error <= allowed;
    !within
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| value.into()).collect()
}

/// Each step of a loop rounds sums of some tens of terms, and steps contract: a hundred roundings.
pub(super) const CLOSE: f64 = 100.0 * f32::EPSILON as f64;

pub(super) fn check(what: &str, found: &Found, expected: &twin::HeadGradient<f64>, allowed: f64) -> Result<(), String> {
    let loss = (found.loss - expected.loss).abs() / expected.loss;
    let mut errors = vec![
        ("loss", loss),
        ("rows", distance(&found.rows, &expected.rows)),
        ("d_queries", distance(&found.d_queries, &expected.d_queries)),
    ];
    if !found.gradient.is_empty() {
        errors.push(("parameters", distance(&found.gradient, &expected.parameters)));
    }
    match errors.iter().find(|(_, error)| beyond(*error, allowed)) {
        Some((part, error)) => Err(format!("{what}: {part} is off by {error:.2e}, allowed {allowed:.0e}")),
        None => Ok(()),
    }
}

/// `[tasks, ways, support, queries, dimension]`: one, odd, prime, larger than a workgroup.
pub(super) const SHAPES: [[u32; 5]; 4] = [[1, 2, 2, 1, 1], [3, 3, 5, 7, 6], [2, 5, 13, 4, 67], [2, 6, 71, 3, 10]];

async fn against_twin(gpu: &Gpu, settings: LinearSettings, gradient: twin::LowerGradient) -> Result<(), String> {
    for shape in SHAPES {
        let data = Data::new(shape);
        let elements = (data.ways * (data.dimension + 1)) as usize;
        for (learned, proximal) in [(false, false), (true, false), (true, true)] {
            let start = if learned { noise(9, elements) } else { vec![0.0; elements] };
            let settings = LinearSettings {
                proximal,
                start: if learned { LinearStart::Learned { ways: data.ways } } else { LinearStart::Zero },
                ..settings
            };
            let mut rig = Rig::new(gpu, HeadSettings::Linear(settings), &data, &start).await?;
            let mut found = rig.run(&data, data.queries).await?;
            let head = twin::LinearHead {
                inner_steps: settings.inner_steps,
                rate: settings.inner_learning_rate,
                ridge: settings.ridge,
                proximal,
                gradient,
            };
            let expected = data.with_twin(|input| head.run(input, &wide(&start)));
            let what = format!("{shape:?}, learned {learned}, proximal {proximal}");
            if learned && !proximal && gradient != twin::LowerGradient::Unrolled {
                // Reptile's direction, which is no derivative: the twin knows nothing of it.
                let moved = data.with_twin(|input| head.travel(input, &wide(&start)));
                let error = distance(&found.gradient, &moved);
                if beyond(error, CLOSE) {
                    return Err(format!("{what}: w_0 − w_K is off by {error:.2e}"));
                }
                found.gradient.clear();
            }
            check(&what, &found, &expected, CLOSE)?;
        }
    }
    Ok(())
}

async fn implicit_is_its_twin(gpu: &Gpu) -> Result<(), String> {
    for steps in [1, 3] {
        against_twin(gpu, linear(4, by_cg(steps)), twin::LowerGradient::Implicit(steps)).await?;
    }
    Ok(())
}

async fn unrolled_is_its_twin(gpu: &Gpu) -> Result<(), String> {
    for steps in [1, 4] {
        against_twin(gpu, linear(steps, LowerGradient::Unrolled), twin::LowerGradient::Unrolled).await?;
    }
    Ok(())
}

async fn neumann_is_its_twin(gpu: &Gpu) -> Result<(), String> {
    for terms in [1, 4] {
        let gradient = twin::LowerGradient::Neumann(terms, 0.125);
        against_twin(gpu, linear(3, by_series(terms, 0.125)), gradient).await?;
    }
    Ok(())
}

async fn ridge_is_its_twin(gpu: &Gpu) -> Result<(), String> {
    let parameters = [-0.7_f32, 1.5, 0.3];
    for shape in SHAPES {
        let data = Data::new(shape);
        let found = Rig::new(gpu, RIDGE, &data, &parameters).await?.run(&data, data.queries).await?;
        let expected = data.with_twin(|input| twin::RidgeHead.run(input, &parameters.map(f64::from)));
        // Condition numbers up to a hundred (71 images of ten features against λ = 0.5) multiply the
        // roundings of sums of up to 71 terms.
        check(&format!("{shape:?}"), &found, &expected, 1e-4)?;
        if found.reports.iter().any(|report| report.failed) {
            return Err(format!("{shape:?}: {:?}", found.reports));
        }
    }
    Ok(())
}

/// The heads of the tests that hold for all of them.
pub(super) fn all_heads() -> [HeadSettings; 8] {
    let learned = LinearSettings { start: LinearStart::Learned { ways: 3 }, ..linear(4, LowerGradient::Unrolled) };
    [
        HeadSettings::Linear(linear(4, by_cg(2))),
        HeadSettings::Linear(linear(4, LowerGradient::Unrolled)),
        HeadSettings::Linear(learned),
        HeadSettings::Linear(linear(4, by_series(3, 0.125))),
        RIDGE,
        MAHALANOBIS,
        HeadSettings::Mahalanobis(MahalanobisSettings::default()),
        VERSA,
    ]
}

async fn query_batches_do_not_matter(gpu: &Gpu) -> Result<(), String> {
    let data = Data::new([2, 3, 5, 7, 6]);
    for head in all_heads() {
        let at_once = run(gpu, head, &data, 7).await?;
        for query_batch in [1, 2, 3, 5] {
            let found = run(gpu, head, &data, query_batch).await?;
            let what = format!("{head:?}, batches of {query_batch}");
            if found.outcomes != at_once.outcomes || found.d_queries != at_once.d_queries {
                return Err(format!("{what}: scores depend on the batch"));
            }
            // The sum over queries is cut elsewhere, and conjugate gradient feels it.
            let error = distance(&found.rows, &wide(&at_once.rows));
            if beyond(error, CLOSE) {
                return Err(format!("{what}: rows are off by {error:.2e}"));
            }
        }
    }
    Ok(())
}

async fn a_pass_is_single_tasks(gpu: &Gpu) -> Result<(), String> {
    let data = Data::new([3, 3, 5, 4, 6]);
    for head in all_heads() {
        let pass = run(gpu, head, &data, 4).await?;
        let (mut rows, mut d_queries, mut outcomes) = (Vec::new(), Vec::new(), Vec::new());
        for task in 0..3 {
            let single = run(gpu, head, &data.task(task), 4).await?;
            rows.extend(single.rows);
            d_queries.extend(single.d_queries);
            outcomes.extend(single.outcomes);
        }
        if pass.rows != rows || pass.d_queries != d_queries || pass.outcomes != outcomes {
            return Err(format!("{head:?}: three tasks in a pass have other bits than one by one"));
        }
    }
    Ok(())
}

/// A step shrinks the inner error by 1 − 0.5 · 0.25 at least, so 150 leave 2e-9.
async fn implicit_is_unrolled_in_the_limit(gpu: &Gpu) -> Result<(), String> {
    let data = Data::new([2, 3, 5, 4, 6]);
    let implicit = run(gpu, HeadSettings::Linear(linear(150, by_cg(30))), &data, 4).await?;
    let unrolled = run(gpu, HeadSettings::Linear(linear(150, LowerGradient::Unrolled)), &data, 4).await?;
    let series = run(gpu, HeadSettings::Linear(linear(150, by_series(250, 0.25))), &data, 4).await?;
    for (what, found) in [("unrolled", &unrolled), ("series", &series)] {
        let error = distance(&found.rows, &wide(&implicit.rows));
        if beyond(error, 10.0 * CLOSE) {
            return Err(format!("{what} and implicit rows differ by {error:.2e}"));
        }
    }
    let short = run(gpu, HeadSettings::Linear(linear(150, by_cg(2))), &data, 4).await?;
    let error = distance(&short.rows, &wide(&implicit.rows));
    if error < 1e-3 { Err(format!("two steps of conjugate gradient are off by {error:.2e} only")) } else { Ok(()) }
}

async fn preconditioner_and_tolerance(gpu: &Gpu) -> Result<(), String> {
    let data = Data::new([2, 3, 5, 4, 6]);
    let exact = run(gpu, HeadSettings::Linear(linear(5, by_cg(30))), &data, 4).await?;
    for (cg_tolerance, preconditioned) in [(0.0, true), (1e-6, false), (1e-6, true)] {
        let gradient = LowerGradient::Implicit(ImplicitSettings {
            cg_steps: 30,
            cg_tolerance,
            damping: 0.0,
            preconditioned,
            warm: false,
        });
        let found = run(gpu, HeadSettings::Linear(linear(5, gradient)), &data, 4).await?;
        let error = distance(&found.rows, &wide(&exact.rows));
        let steps = found.reports[0].solve.as_ref().map_or(0, |solve| solve.iterations);
        if beyond(error, 1e-5) || (cg_tolerance > 0.0 && !(1..30).contains(&steps)) {
            return Err(format!("tolerance {cg_tolerance}, Jacobi {preconditioned}: {error:.2e} after {steps} steps"));
        }
    }
    Ok(())
}

/// Task 1 has embeddings at which steps of this size overshoot beyond f32.
async fn a_diverging_task_stays_alone(gpu: &Gpu) -> Result<(), String> {
    let mut data = Data::new([3, 3, 5, 4, 6]);
    for at in 5 * 6..2 * 5 * 6 {
        data.embeddings[at] *= 1e25;
    }
    for gradient in [by_cg(3), LowerGradient::Unrolled, by_series(3, 0.125)] {
        let head = HeadSettings::Linear(linear(40, gradient));
        let found = run(gpu, head, &data, 2).await?;
        let failed: Vec<bool> = found.reports.iter().map(|report| report.failed).collect();
        if failed != [false, true, false] {
            return Err(format!("{gradient:?}: failed {failed:?}"));
        }
        let all = found.rows.iter().chain(&found.d_queries).chain(&found.outcomes);
        if all.into_iter().any(|value| !value.is_finite()) {
            return Err(format!("{gradient:?}: something is not finite"));
        }
        if found.rows[30..60].iter().any(|&row| row != 0.0) {
            return Err(format!("{gradient:?}: the diverged task has rows"));
        }
        let alone = run(gpu, head, &data.task(2), 2).await?;
        if found.rows[60..] != alone.rows {
            return Err(format!("{gradient:?}: a diverging neighbour changed bits"));
        }
    }
    Ok(())
}

/// η far above 2/λ_max: the sum overflows, in all tasks.
async fn a_diverging_series_stays_alone(gpu: &Gpu) -> Result<(), String> {
    let data = Data::new([2, 3, 5, 4, 6]);
    let head = HeadSettings::Linear(LinearSettings { ridge: 1e-3, ..linear(4, by_series(100, 200.0)) });
    let found = run(gpu, head, &data, 4).await?;
    let fine = found.rows.iter().all(|&row| row == 0.0) && found.reports.iter().all(|report| report.failed);
    let largest = found.reports[0].solve.as_ref().and_then(|solve| solve.spectrum).map_or(0.0, |found| found.largest);
    // The report says why: η λ_max is beyond two.
    if fine && largest * 200.0 > 2.0 { Ok(()) } else { Err(format!("{found:?}")) }
}

/// Twenty copies of one feature in the first task, and a λ that f32 loses beside them.
async fn a_singular_ridge_stays_alone(gpu: &Gpu) -> Result<(), String> {
    let mut data = Data::new([2, 3, 20, 4, 3]);
    for image in 0..20 {
        let value = 1_000.0 * data.embeddings[3 * image];
        data.embeddings[3 * image..3 * image + 3].fill(value);
    }
    let head = HeadSettings::Ridge(RidgeSettings { lambda: 1e-9, scale: 1.0 });
    let found = run(gpu, head, &data, 4).await?;
    let all = found.rows.iter().chain(&found.d_queries).chain(&found.outcomes).chain(&found.gradient);
    if all.into_iter().any(|value| !value.is_finite()) {
        return Err("something is not finite".into());
    }
    let alone = run(gpu, head, &data.task(1), 4).await?;
    if found.rows[60..] != alone.rows {
        return Err("a singular neighbour changed bits".into());
    }
    if !found.reports[0].failed {
        return Ok(());
    }
    if found.rows[..60].iter().any(|&row| row != 0.0) { Err("a failed task has rows".into()) } else { Ok(()) }
}

async fn reports(gpu: &Gpu) -> Result<(), String> {
    let data = Data::new([3, 3, 5, 4, 6]);
    let found = run(gpu, HeadSettings::Linear(linear(4, by_cg(5))), &data, 4).await?;
    for report in &found.reports {
        let solve = report.solve.as_ref().ok_or("no report of the solve")?;
        let history = &solve.relative_residuals;
        let spectrum = solve.spectrum.ok_or("no spectrum")?;
        let falls = history.len() == 6 && history[0] == 1.0 && history[5] < 0.5 * history[0];
        // Ritz values lie between the ridge and the ridge plus ½ max ‖x‖², x with its constant.
        let within = spectrum.smallest > 0.249 && spectrum.largest < 0.25 + 0.5 * 7.0;
        if report.failed || solve.iterations != 5 || !falls || !within {
            return Err(format!("{report:?}"));
        }
    }
    if found.reports.len() == 3 { Ok(()) } else { Err(format!("{} reports", found.reports.len())) }
}

async fn settings_that_cannot_be(_: &Gpu) -> Result<(), String> {
    let implicit =
        ImplicitSettings { cg_steps: 5, cg_tolerance: 0.0, damping: 0.0, preconditioned: false, warm: false };
    let by = LowerGradient::Implicit;
    let series = |terms, eta| LowerGradient::Neumann(NeumannSettings { terms, eta, estimate_steps: 0 });
    let fine = linear(3, by(implicit));
    let wrong = [
        ("head.inner_steps", linear(0, by(implicit))),
        ("head.inner_steps", linear(0, LowerGradient::Unrolled)),
        ("head.inner_lr", LinearSettings { inner_learning_rate: 0.0, ..fine }),
        ("head.inner_lr", LinearSettings { inner_learning_rate: f32::NAN, ..fine }),
        ("head.inner_lr", LinearSettings { inner_learning_rate: 9.0, ..fine }),
        ("head.ridge", LinearSettings { ridge: 0.0, ..fine }),
        ("head.ridge", LinearSettings { ridge: -1.0, ..fine }),
        ("head.ridge", LinearSettings { ridge: 0.0, ..linear(3, series(2, 0.1)) }),
        ("head.proximal", LinearSettings { proximal: true, ..fine }),
        ("head.cg_steps", linear(3, by(ImplicitSettings { cg_steps: 0, ..implicit }))),
        ("head.cg_tolerance", linear(3, by(ImplicitSettings { cg_tolerance: 1.0, ..implicit }))),
        ("head.damping", linear(3, by(ImplicitSettings { damping: -1.0, ..implicit }))),
        ("head.terms", linear(3, series(0, 0.1))),
        ("head.eta", linear(3, series(2, 0.0))),
        ("head.eta", linear(3, series(2, 8.0))),
    ];
    let model = |head| HeadModel::new(head, &mut Layout::default(), 6);
    let wrong = wrong.map(|(key, settings)| (key, HeadSettings::Linear(settings)));
    let ridges = [
        ("head.lambda", HeadSettings::Ridge(RidgeSettings { lambda: 0.0, scale: 1.0 })),
        ("head.scale", HeadSettings::Ridge(RidgeSettings { lambda: 1.0, scale: 0.0 })),
    ];
    for (wanted, head) in wrong.into_iter().chain(ridges) {
        match model(head) {
            Err(MetaError::Config { key, .. }) if key == wanted => {}
            other => return Err(format!("{wanted}, {head:?}: {other:?}")),
        }
    }
    // Damping in place of the ridge, and a ridge of zero where nothing is solved.
    let damped = LinearSettings { ridge: 0.0, ..linear(3, by(ImplicitSettings { damping: 0.1, ..implicit })) };
    let unrolled = LinearSettings { ridge: 0.0, ..linear(3, LowerGradient::Unrolled) };
    for settings in [damped, unrolled] {
        model(HeadSettings::Linear(settings)).map_err(message)?;
    }
    // What only the tasks can tell.
    let limits = TaskLimits { tasks: 1, ways: 5, support: 10, queries: 5 };
    let start = LinearStart::Learned { ways: 3 };
    let narrow = HeadModel::new(HeadSettings::Linear(LinearSettings { start, ..fine }), &mut Layout::default(), 6);
    let huge = HeadModel::new(RIDGE, &mut Layout::default(), 2_000);
    let many = TaskLimits { support: 2_000, ..limits };
    let vast = HeadModel::new(MAHALANOBIS, &mut Layout::default(), 3_000);
    let found = [
        narrow.map_err(message)?.check(limits, 5),
        huge.map_err(message)?.check(many, 5),
        vast.map_err(message)?.check(TaskLimits { support: 3_000, ..limits }, 5),
    ];
    if found.iter().all(|found| matches!(found, Err(MetaError::Config { .. }))) {
        return Ok(());
    }
    Err(format!("{found:?}"))
}

async fn dispatches_do_not_grow(gpu: &Gpu) -> Result<(), String> {
    for head in all_heads() {
        let mut counts = Vec::new();
        for tasks in [1, 3] {
            let data = Data::new([tasks, 3, 5, 4, 6]);
            let mut rig = Rig::new(gpu, head, &data, &[]).await?;
            let before = rig.recorder.stats().dispatches;
            rig.run(&data, 4).await?;
            counts.push(rig.recorder.stats().dispatches - before);
        }
        if counts[0] != counts[1] {
            return Err(format!("{head:?}: {counts:?} launches for one task and for three"));
        }
    }
    Ok(())
}
