//! How long outer steps of several methods take on the same tasks, and what they launch.

use inkling_platform::Stopwatch;

use super::SessionError;
use super::site::Site;
use super::trial::Trial;
use crate::config::RunConfig;

/// One method with one number of tasks.
#[derive(Clone, Debug)]
pub struct StepBenchResult {
    /// The method's name, as given.
    pub method: String,
    /// Tasks of the step, all in one pass.
    pub tasks: u32,
    /// Bytes by plan.
    pub planned_bytes: u64,
    /// What was measured; none where the plan is above the budget.
    pub measured: Option<StepTimes>,
}

/// The steps of one method with one number of tasks.
#[derive(Clone, Debug)]
pub struct StepTimes {
    /// The median of all repeats.
    pub millis: f64,
    /// The fastest and the slowest repeat.
    pub range_millis: (f64, f64),
    /// Kernels launched in a step.
    pub dispatches: u64,
    /// Peak bytes in use.
    pub peak_bytes: u64,
}

/// Times one outer step (gradients of all tasks and an update) of each method, for each number of
/// tasks. The methods take turns within every repeat, so that they share whatever else the machine
/// does; `progress` hears of finished repeats and their number. What is planned above its memory
/// budget is left out, and its plan given instead.
///
/// # Errors
/// When data, a network or the device fail.
pub async fn bench_steps(
    methods: &[(String, RunConfig)],
    tasks: &[u32],
    repeats: u32,
    adapter: Option<String>,
    progress: &mut dyn FnMut(u32, u32),
) -> Result<(String, Vec<StepBenchResult>), SessionError> {
    let site = Site::on(adapter);
    let (mut benches, mut adapter) = (Vec::new(), String::new());
    for (method, config) in methods {
        for &tasks in tasks {
            let (planned_bytes, name) = Trial::plan(config, tasks, &site).await?;
            adapter = name;
            benches.push(Bench::new(method, config, (tasks, planned_bytes), &site).await?);
        }
    }
    // The first step of each compiles its kernels.
    for bench in &mut benches {
        bench.step().await?;
    }
    benches.iter_mut().for_each(|bench| bench.millis.clear());
    for repeat in 0..repeats.max(1) {
        progress(repeat, repeats.max(1));
        for bench in &mut benches {
            bench.step().await?;
        }
    }
    Ok((adapter, benches.into_iter().map(Bench::result).collect()))
}

/// A trial, if it is within its budget, and what was measured of it.
struct Bench {
    method: String,
    tasks: u32,
    planned_bytes: u64,
    trial: Option<Trial>,
    millis: Vec<f64>,
    dispatches: u64,
}

impl Bench {
    async fn new(
        method: &str,
        config: &RunConfig,
        (tasks, planned_bytes): (u32, u64),
        site: &Site,
    ) -> Result<Self, SessionError> {
        let is_within = config.memory.budget.is_none_or(|budget| planned_bytes <= budget.0);
        let trial = if is_within { Some(Trial::new(config, tasks, site).await?) } else { None };
        Ok(Self { method: method.to_owned(), tasks, planned_bytes, trial, millis: Vec::new(), dispatches: 0 })
    }

    async fn step(&mut self) -> Result<(), SessionError> {
        let Some(trial) = &mut self.trial else { return Ok(()) };
        let before = trial.dispatches();
        let clock = Stopwatch::start();
        trial.step().await?;
        self.millis.push(1e3 * clock.seconds());
        self.dispatches = trial.dispatches() - before;
        Ok(())
    }

    fn result(mut self) -> StepBenchResult {
        self.millis.sort_by(f64::total_cmp);
        let at = |index: usize| self.millis.get(index).copied().unwrap_or(f64::NAN);
        let measured = self.trial.as_ref().map(|trial| StepTimes {
            millis: at(self.millis.len() / 2),
            range_millis: (at(0), at(self.millis.len().saturating_sub(1))),
            dispatches: self.dispatches,
            peak_bytes: trial.peak_bytes(),
        });
        StepBenchResult { tasks: self.tasks, planned_bytes: self.planned_bytes, measured, method: self.method }
    }
}
