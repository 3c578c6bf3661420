//! Training with LITE at several H, for as many steps each, on the same tasks.

use std::path::PathBuf;

use super::SessionError;
use super::methods::one_run;
use super::model::training_limits;
use crate::config::{EstimatorKind, RunConfig};
use crate::events::Event;
use crate::metrics::{TimingRow, read_log};
use crate::report::ablation::AblationPoint;
use crate::run_folder::TIMING_FILE;

/// Which runs there are, and where they go.
#[derive(Clone, Debug)]
pub struct Ablation {
    /// Support images to back-propagate.
    pub h: Vec<u32>,
    /// A run of each H for each of these.
    pub seeds: Vec<u64>,
    /// The folder of the report; runs lie under `runs/` in it.
    pub folder: PathBuf,
}

/// Trains the configuration with `lite` and each H, and evaluates the last weights on the fixed test
/// episodes. A run that is there already goes on where it ended, and is not trained again when it is
/// complete.
///
/// # Errors
/// When data, device or files fail, a run diverges, or an H exceeds the support.
pub async fn ablation_report(
    config: &RunConfig,
    ablation: &Ablation,
    adapter: Option<String>,
    stop: &dyn Fn() -> bool,
    emit: &mut dyn FnMut(Event),
) -> Result<Vec<AblationPoint>, SessionError> {
    let support = training_limits(&config.task, &config.training).support;
    if let Some(h) = ablation.h.iter().find(|&&h| h > support) {
        return Err(SessionError::Setting(format!(
            "H = {h}, but training tasks have {support} support images at most; leave out what is above"
        )));
    }
    let mut points = Vec::new();
    for &h in &ablation.h {
        for &seed in &ablation.seeds {
            let mut config = config.clone();
            (config.gradient.estimator, config.gradient.h) = (EstimatorKind::Lite, h);
            config.training.seed = seed;
            config.training.time_limit = None;
            let name = format!("h-{h}");
            let folder = ablation.folder.join("runs").join(format!("{name}-{seed}"));
            let (result, _) = one_run((&name, seed), &config, &folder, adapter.clone(), (stop, emit)).await?;
            let mut times: Vec<f64> =
                read_log(&folder.join(TIMING_FILE))?.iter().map(|row: &TimingRow| row.step_seconds).collect();
            times.sort_by(f64::total_cmp);
            points.push(AblationPoint {
                h,
                support,
                seed,
                steps: result.steps,
                step_seconds: times.get(times.len() / 2).copied().unwrap_or(f64::NAN),
                peak_bytes: result.peak_bytes,
                accuracies: result.accuracies,
                accuracy: result.accuracy,
                interval: result.interval,
            });
            if stop() {
                return Ok(points);
            }
        }
    }
    Ok(points)
}
