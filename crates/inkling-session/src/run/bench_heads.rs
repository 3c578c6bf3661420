//! How long heads take by themselves, many tasks side by side and one after the other: fit, score
//! and gradients on random embeddings, without a network.

use inkling_data::Numbers;
use inkling_gpu::{Allocate, Buffer, Category, Gpu, Recorder};
use inkling_meta::{AnyHead, Head, HeadModel, HeadTask, HeadTensors, QueryBatch, TaskLimits};
use inkling_nn::Layout;
use inkling_platform::Stopwatch;

use super::SessionError;
use super::model::{head, open_gpu, training_limits};
use crate::config::RunConfig;

/// One head, with all its tasks.
#[derive(Clone, Debug)]
pub struct HeadBenchResult {
    /// The head's name, as given.
    pub head: String,
    /// Tasks.
    pub tasks: u32,
    /// Milliseconds with all tasks side by side: the median of all repeats.
    pub together_millis: f64,
    /// Milliseconds with one task after the other.
    pub one_by_one_millis: f64,
    /// Kernels launched with all tasks side by side.
    pub together_dispatches: u64,
    /// Kernels launched with one task after the other.
    pub one_by_one_dispatches: u64,
}

/// Times every head on `tasks` tasks of the configured shape, with embeddings of `dimension` values.
///
/// # Errors
/// When a head refuses its settings or the device fails.
pub async fn bench_heads(
    heads: &[(String, RunConfig)],
    (tasks, dimension): (u32, u32),
    repeats: u32,
    adapter: Option<String>,
) -> Result<(String, Vec<HeadBenchResult>), SessionError> {
    let gpu = open_gpu(adapter, false).await?;
    let mut results = Vec::new();
    for (name, config) in heads {
        let mut together = HeadBench::new(&gpu, config, tasks, dimension).await?;
        let mut single = HeadBench::new(&gpu, config, 1, dimension).await?;
        let (mut together_times, mut single_times) = (Vec::new(), Vec::new());
        let (mut together_dispatches, mut single_dispatches) = (0, 0);
        for repeat in 0..=repeats.max(1) {
            let (millis, dispatches) = together.run(1).await?;
            let (single_millis, single_count) = single.run(tasks).await?;
            // The first run compiles the kernels.
            if repeat > 0 {
                together_times.push(millis);
                single_times.push(single_millis);
                (together_dispatches, single_dispatches) = (dispatches, single_count);
            }
        }
        results.push(HeadBenchResult {
            head: name.clone(),
            tasks,
            together_millis: median(together_times),
            one_by_one_millis: median(single_times),
            together_dispatches,
            one_by_one_dispatches: single_dispatches,
        });
    }
    Ok((format!("{} ({})", gpu.adapter().name, gpu.adapter().backend), results))
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A head with its tensors.
struct HeadBench {
    recorder: Recorder,
    head: AnyHead<Buffer>,
    task: HeadTask,
    parameters: Buffer,
    gradient: Buffer,
    embeddings: Buffer,
    rows: Buffer,
    support_labels: Buffer,
    query_labels: Buffer,
    outcomes: Buffer,
}

impl HeadBench {
    async fn new(gpu: &Gpu, config: &RunConfig, tasks: u32, dimension: u32) -> Result<Self, SessionError> {
        let limits = TaskLimits { tasks, ..training_limits(&config.task, &config.training) };
        let (ways, support, queries) = (limits.ways, limits.support, limits.queries);
        let mut layout = Layout::default();
        let model = HeadModel::new(head(&config.head, ways), &mut layout, dimension)?;
        model.check(limits, queries)?;
        let mut gpu = gpu.clone();
        let elements = u64::from(layout.elements().max(1));
        let head = model.allocate(&mut gpu, limits, queries, 0)?;
        let mut values = |name: &str, count: u64| gpu.values(Category::Embeddings, name, count);
        let (all_support, all_queries) = (u64::from(tasks * support), u64::from(tasks * queries));
        let (parameters, gradient) = (values("parameters", elements)?, values("gradient", elements)?);
        let embeddings = values("embeddings", all_support * u64::from(dimension))?;
        let rows = values("rows", all_support * u64::from(dimension))?;
        let (support_labels, query_labels) =
            (values("support.labels", all_support)?, values("query.labels", all_queries)?);
        let outcomes = values("outcomes", 2 * all_queries)?;
        let mut recorder = gpu.recorder()?;
        let mut numbers = Numbers::new(b"bench___", 0, 0, 0);
        let mut first = vec![0.0_f32; elements as usize];
        model.initialize(&mut first, &mut || numbers.unit() as f32 - 0.5);
        let mut noise = |count: u64| -> Vec<f32> { (0..count).map(|_| numbers.unit() as f32 - 0.5).collect() };
        recorder.upload_values(parameters.all(), &first).await?;
        recorder.upload_values(embeddings.all(), &noise(all_support * u64::from(dimension))).await?;
        recorder.upload_values(head.queries().all(), &noise(all_queries * u64::from(dimension))).await?;
        let labels = |count: u64| -> Vec<u32> { (0..count as u32).map(|index| index % ways).collect() };
        recorder.upload_values(support_labels.all(), &labels(all_support)).await?;
        recorder.upload_values(query_labels.all(), &labels(all_queries)).await?;
        recorder.finish().await?;
        let task = HeadTask { tasks, ways, support, queries, place: None };
        Ok(Self {
            recorder,
            head,
            task,
            parameters,
            gradient,
            embeddings,
            rows,
            support_labels,
            query_labels,
            outcomes,
        })
    }

    /// Milliseconds and launches of so many runs.
    async fn run(&mut self, times: u32) -> Result<(f64, u64), SessionError> {
        let tensors = HeadTensors {
            parameters: &self.parameters,
            embeddings: &self.embeddings,
            support_labels: &self.support_labels,
            query_labels: &self.query_labels,
            outcomes: &self.outcomes,
            first_outcome: 0,
        };
        let (head, task, recorder) = (&self.head, self.task, &mut self.recorder);
        let batch = QueryBatch { first: 0, queries: task.queries };
        let before = recorder.stats().dispatches;
        let clock = Stopwatch::start();
        for _ in 0..times {
            head.fit(recorder, task, tensors).await?;
            head.score(recorder, task, batch, tensors).await?;
            head.backward(recorder, task, batch, tensors, &self.gradient).await?;
            head.finish(recorder, task, tensors, &self.rows, &self.gradient).await?;
            recorder.breathe().await?;
        }
        recorder.finish().await?;
        Ok((1e3 * clock.seconds(), recorder.stats().dispatches - before))
    }
}
