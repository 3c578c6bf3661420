//! The outputs of `inkling report methods`: validation accuracy of several methods against the
//! wall-clock time of their training, and their accuracy on the same test episodes.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::RunError;
use crate::plot::{Corner, Plot, PlotError, Series, render};
use crate::statistics::mean_and_interval;
use crate::table::Table;

/// One validation of one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MethodPoint {
    /// The preset or file that configures the method.
    pub method: String,
    /// The seed of the run.
    pub seed: u64,
    /// The optimiser step.
    pub step: u64,
    /// Seconds of training steps until then, without validations.
    pub seconds: f64,
    /// Mean accuracy of the validation, `0..=1`.
    pub accuracy: f32,
}

/// The final evaluation of one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MethodResult {
    /// The preset or file that configures the method.
    pub method: String,
    /// The seed of the run.
    pub seed: u64,
    /// Optimiser steps.
    pub steps: u64,
    /// Training episodes.
    pub episodes: u64,
    /// Seconds of training steps.
    pub seconds: f64,
    /// Peak bytes in use.
    pub peak_bytes: u64,
    /// Accuracies of the fixed test episodes: the same episodes for every method and seed.
    #[serde(skip)]
    pub accuracies: Vec<f64>,
    /// Their mean.
    pub accuracy: f64,
    /// Half the width of its 95 % interval.
    pub interval: f64,
}

/// Methods in the order in which they come.
fn methods(results: &[MethodResult]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for result in results {
        if !names.contains(&result.method.as_str()) {
            names.push(&result.method);
        }
    }
    names
}

/// One row for each method: the mean over its seeds, and the difference to the first method over
/// the same seeds and test episodes.
pub fn table(results: &[MethodResult]) -> Table {
    let columns = ["method", "seeds", "episodes", "seconds", "peak MiB", "accuracy", "± 95 %", "minus first", "± 95 %"];
    let mut table = Table::new(columns);
    let first = results.first().map(|result| result.method.clone());
    for method in methods(results) {
        let runs: Vec<&MethodResult> = results.iter().filter(|result| result.method == method).collect();
        let count = runs.len().max(1) as f64;
        let mean = |value: &dyn Fn(&MethodResult) -> f64| runs.iter().map(|run| value(run)).sum::<f64>() / count;
        let all: Vec<f64> = runs.iter().flat_map(|run| run.accuracies.iter().copied()).collect();
        let (accuracy, interval) = mean_and_interval(&all);
        let differences: Vec<f64> = runs.iter().flat_map(|run| paired(run, results, first.as_deref())).collect();
        let (difference, half) = mean_and_interval(&differences);
        let is_first = Some(method) == first.as_deref();
        let percent = |value: f64| format!("{:.2}", 100.0 * value);
        table.row([
            method.to_owned(),
            runs.len().to_string(),
            format!("{:.0}", mean(&|run| run.episodes as f64)),
            format!("{:.0}", mean(&|run| run.seconds)),
            format!("{:.1}", mean(&|run| run.peak_bytes as f64) / f64::from(1 << 20)),
            percent(accuracy),
            percent(interval),
            if is_first { String::new() } else { format!("{:+.2}", 100.0 * difference) },
            if is_first { String::new() } else { percent(half) },
        ]);
    }
    table
}

/// Episode by episode, a run minus the first method's run of the same seed.
fn paired(run: &MethodResult, results: &[MethodResult], first: Option<&str>) -> Vec<f64> {
    let other = results.iter().find(|other| Some(other.method.as_str()) == first && other.seed == run.seed);
    other.map_or_else(Vec::new, |other| {
        run.accuracies.iter().zip(&other.accuracies).map(|(own, other)| own - other).collect()
    })
}

/// Validation accuracy over seconds of training, one line for each run.
///
/// # Errors
/// When the drawing library fails.
pub fn svg(points: &[MethodPoint]) -> Result<String, PlotError> {
    let mut names: Vec<&str> = Vec::new();
    let mut series: Vec<Series> = Vec::new();
    let mut runs: Vec<(&str, u64)> = Vec::new();
    for point in points {
        let run = (point.method.as_str(), point.seed);
        if !runs.contains(&run) {
            runs.push(run);
        }
    }
    for (method, seed) in runs {
        let known = names.contains(&method);
        if !known {
            names.push(method);
        }
        let mine = points.iter().filter(|point| point.method == method && point.seed == seed);
        series.push(Series {
            name: (!known).then(|| method.to_owned()),
            points: mine.map(|point| (point.seconds, 100.0 * f64::from(point.accuracy))).collect(),
            color: names.iter().position(|name| *name == method).unwrap_or(0),
            markers: true,
            ..Series::default()
        });
    }
    render(&[Plot {
        title: "Validation accuracy against training time".to_owned(),
        x_label: "seconds of training steps".to_owned(),
        y_label: "accuracy in %".to_owned(),
        legend: Corner::LowerRight,
        series,
        ..Plot::default()
    }])
}

/// Writes `methods.csv` (one row for each run), `curves.csv` (one for each validation) and
/// `curves.svg` into `folder`.
///
/// # Errors
/// When a file cannot be written.
pub fn write(folder: &Path, results: &[MethodResult], points: &[MethodPoint]) -> Result<(), RunError> {
    super::write(folder, "methods", results, svg(points))?;
    super::write(folder, "curves", points, svg(points))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(method: &str, seed: u64, accuracies: &[f64]) -> MethodResult {
        let (accuracy, interval) = mean_and_interval(accuracies);
        MethodResult {
            method: method.to_owned(),
            seed,
            steps: 10,
            episodes: 40,
            seconds: 2.0,
            peak_bytes: 1 << 20,
            accuracies: accuracies.to_vec(),
            accuracy,
            interval,
        }
    }

    #[test]
    fn differences_are_paired_by_episode_and_seed() {
        let results = [
            result("maml", 0, &[0.2, 0.9, 0.4]),
            result("maml", 1, &[0.5, 0.5, 0.5]),
            result("implicit", 0, &[0.3, 1.0, 0.5]),
            result("implicit", 1, &[0.6, 0.6, 0.6]),
        ];
        let rows = table(&results).to_json();
        assert_eq!(rows[1]["method"], "implicit");
        assert_eq!(rows[1]["minus first"].to_string().trim_matches('"'), "+10.00");
    }

    #[test]
    fn every_run_is_a_line_and_every_method_a_name() {
        let point = |method: &str, seed, seconds| MethodPoint {
            method: method.to_owned(),
            seed,
            step: 1,
            seconds,
            accuracy: 0.5,
        };
        let points = [point("maml", 0, 1.0), point("maml", 1, 2.0), point("implicit", 0, 1.0)];
        let svg = svg(&points).unwrap();
        assert_eq!(svg.matches("maml").count(), 1);
        assert!(svg.contains("implicit"));
    }
}
