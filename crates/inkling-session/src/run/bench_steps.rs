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
/// does; `progress` hears of finished repeats and their number.
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
    let mut benches = Vec::new();
    for (method, config) in methods {
        for &tasks in tasks {
            let trial = Trial::new(config, tasks, &site).await?;
            benches.push(Bench { method: method.clone(), tasks, trial, millis: Vec::new(), dispatches: 0 });
        }
    }
    // The first step of each compiles its kernels.
    for bench in &mut benches {
        bench.trial.step().await?;
    }
    for repeat in 0..repeats.max(1) {
        progress(repeat, repeats.max(1));
        for bench in &mut benches {
            let before = bench.trial.dispatches();
            let clock = Stopwatch::start();
            bench.trial.step().await?;
            bench.millis.push(1e3 * clock.seconds());
            bench.dispatches = bench.trial.dispatches() - before;
        }
    }
    let adapter = benches.first().map_or_else(String::new, |bench| bench.trial.adapter());
    Ok((adapter, benches.into_iter().map(Bench::result).collect()))
}

/// A trial and what was measured of it.
struct Bench {
    method: String,
    tasks: u32,
    trial: Trial,
    millis: Vec<f64>,
    dispatches: u64,
}

impl Bench {
    fn result(mut self) -> StepBenchResult {
        self.millis.sort_by(f64::total_cmp);
        let at = |index: usize| self.millis.get(index).copied().unwrap_or(f64::NAN);
        StepBenchResult {
            millis: at(self.millis.len() / 2),
            range_millis: (at(0), at(self.millis.len().saturating_sub(1))),
            tasks: self.tasks,
            dispatches: self.dispatches,
            peak_bytes: self.trial.peak_bytes(),
            method: self.method,
        }
    }
}
