//! The outputs of `inkling report convergence`: both algorithms on quadratic tasks against the
//! closed form, and conjugate gradient on matrix-free systems.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::RunError;
use crate::plot::{Corner, Plot, PlotError, Scale, Series, render};
use crate::table::Table;

/// What a point belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Experiment {
    /// Algorithm 2: ‖∇F‖ relative to its start, over the iterations.
    Deterministic,
    /// Algorithm 1: E‖∇F‖² over the second half of the runs, over |B|.
    Stochastic,
    /// The relative error of the hypergradient over N_cg, with K large.
    CgSteps,
    /// The relative error of the hypergradient over K, with N_cg large.
    InnerSteps,
}

impl Experiment {
    const ALL: [Self; 4] = [Self::Deterministic, Self::Stochastic, Self::CgSteps, Self::InnerSteps];

    fn title(self) -> &'static str {
        match self {
            Self::Deterministic => "Algorithm 2: hypergradient norm",
            Self::Stochastic => "Algorithm 1: error floor over the batch size",
            Self::CgSteps => "Error of the hypergradient over the steps of conjugate gradient, K large",
            Self::InnerSteps => "Error of the hypergradient over the inner steps, N_cg large",
        }
    }

    fn labels(self) -> (&'static str, &'static str) {
        match self {
            Self::Deterministic => ("iteration", "‖∇F‖ / ‖∇F‖ at the start"),
            Self::Stochastic => ("|B|", "E‖∇F‖²"),
            Self::CgSteps => ("N_cg", "‖h − ∇F‖ / ‖∇F‖"),
            Self::InnerSteps => ("K", "‖h − ∇F‖ / ‖∇F‖"),
        }
    }
}

/// One measurement of an algorithm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConvergencePoint {
    /// What it belongs to.
    pub experiment: Experiment,
    /// The line.
    pub series: String,
    /// The iteration, |B|, N_cg or K.
    pub value: u32,
    /// See [`Experiment`].
    pub measured: f64,
    /// The standard error of the mean over seeds, where there are any.
    pub standard_error: Option<f64>,
    /// What theory says, where it does.
    pub predicted: Option<f64>,
}

/// One matrix-free system.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SystemPoint {
    /// Unknowns.
    pub unknowns: u32,
    /// The condition it was drawn for.
    pub condition: f64,
    /// The rank of what is added to the diagonal.
    pub rank: u32,
    /// How the solve ended.
    pub status: String,
    /// Iterations on the device.
    pub iterations: u32,
    /// Iterations of the same algorithm in f64.
    pub f64_iterations: u32,
    /// ‖r‖/‖b‖ at the end, r by the recursion.
    pub recursive_residual: f32,
    /// ‖b − Hx‖/‖b‖ in f64.
    pub true_residual: f64,
}

impl SystemPoint {
    /// Iterations relative to those in f64.
    pub fn ratio(&self) -> f64 {
        f64::from(self.iterations) / f64::from(self.f64_iterations.max(1))
    }
}

/// The slope of log E‖∇F‖² over log |B|, by least squares over all points of Algorithm 1; none with
/// fewer than two.
pub fn floor_slope(points: &[ConvergencePoint]) -> Option<f64> {
    let logarithms = |point: &ConvergencePoint| (libm::log(point.value.into()), libm::log(point.measured));
    let points: Vec<(f64, f64)> = of(points, Experiment::Stochastic).map(logarithms).collect();
    let count = points.len() as f64;
    let mean = |value: fn(&(f64, f64)) -> f64| points.iter().map(value).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let along: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    let both: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    (points.len() > 1 && along > 0.0).then(|| both / along)
}

/// The first iteration of Algorithm 2 (the first line of its points) at which ‖∇F‖ is at most
/// `target` of its start.
pub fn first_below(points: &[ConvergencePoint], target: f64) -> Option<u32> {
    let line = of(points, Experiment::Deterministic).next()?.series.clone();
    let mut own = of(points, Experiment::Deterministic).filter(|point| point.series == line);
    own.find(|point| point.measured <= target).map(|point| point.value)
}

fn of(points: &[ConvergencePoint], experiment: Experiment) -> impl Iterator<Item = &ConvergencePoint> {
    points.iter().filter(move |point| point.experiment == experiment)
}

/// Iterations of Algorithm 2 that the table shows: every so many.
const SHOWN: u32 = 10;

/// The points as a table, in the order given, with every tenth iteration of Algorithm 2.
pub fn table(points: &[ConvergencePoint]) -> Table {
    let mut table = Table::new(["measured", "line", "over", "value", "result", "s.e.", "predicted", "ratio"]);
    let is_shown =
        |point: &&ConvergencePoint| point.experiment != Experiment::Deterministic || point.value.is_multiple_of(SHOWN);
    for point in points.iter().filter(is_shown) {
        let (over, what) = point.experiment.labels();
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3e}"));
        let ratio = point.predicted.map(|predicted| point.measured / predicted);
        table.row([
            what.to_owned(),
            point.series.clone(),
            over.to_owned(),
            point.value.to_string(),
            format!("{:.3e}", point.measured),
            number(point.standard_error),
            number(point.predicted),
            ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.3}")),
        ]);
    }
    table
}

/// The systems as a table.
pub fn systems_table(systems: &[SystemPoint]) -> Table {
    let columns = [
        "unknowns",
        "condition",
        "rank",
        "end",
        "steps",
        "steps in f64",
        "ratio",
        "recursive residual",
        "true residual",
    ];
    let mut table = Table::new(columns);
    for system in systems {
        table.row([
            system.unknowns.to_string(),
            system.condition.to_string(),
            system.rank.to_string(),
            system.status.clone(),
            system.iterations.to_string(),
            system.f64_iterations.to_string(),
            format!("{:.3}", system.ratio()),
            format!("{:.2e}", system.recursive_residual),
            format!("{:.2e}", system.true_residual),
        ]);
    }
    table
}

/// What the claims come down to: iterations of Algorithm 2 to 1e-5 of the start and where it ends,
/// and the slope of the floor of Algorithm 1.
pub fn summary(points: &[ConvergencePoint]) -> Table {
    let mut table = Table::new(["claim", "measured"]);
    let none = || "never".to_owned();
    let reached = first_below(points, 1e-5).map_or_else(none, |iteration| iteration.to_string());
    table.row(["Algorithm 2: iterations to 1e-5 of the start".to_owned(), reached]);
    let smallest = of(points, Experiment::Deterministic).map(|point| point.measured).fold(f64::INFINITY, f64::min);
    table.row(["Algorithm 2: the smallest ‖∇F‖ of its start".to_owned(), format!("{smallest:.1e}")]);
    let slope = floor_slope(points).map_or_else(|| "-".to_owned(), |slope| format!("{slope:.4}"));
    table.row(["Algorithm 1: slope of log E‖∇F‖² over log |B|".to_owned(), slope]);
    table
}

/// The panels as SVG.
///
/// # Errors
/// When the drawing library fails.
pub fn svg(points: &[ConvergencePoint]) -> Result<String, PlotError> {
    render(&plots(points))
}

/// One panel for each experiment that has points.
pub fn plots(points: &[ConvergencePoint]) -> Vec<Plot> {
    Experiment::ALL
        .into_iter()
        .filter(|&experiment| of(points, experiment).next().is_some())
        .map(|experiment| Plot {
            title: experiment.title().to_owned(),
            x_label: experiment.labels().0.to_owned(),
            y_label: experiment.labels().1.to_owned(),
            x_scale: if experiment == Experiment::Deterministic { Scale::Linear } else { Scale::Logarithmic },
            y_scale: Scale::Logarithmic,
            legend: Corner::UpperRight,
            series: lines(points, experiment),
            ..Plot::default()
        })
        .collect()
}

fn lines(points: &[ConvergencePoint], experiment: Experiment) -> Vec<Series> {
    let mut names: Vec<&str> = Vec::new();
    for point in of(points, experiment) {
        if !names.contains(&point.series.as_str()) {
            names.push(&point.series);
        }
    }
    let mut series = Vec::new();
    for (color, name) in names.into_iter().enumerate() {
        let own: Vec<&ConvergencePoint> = of(points, experiment).filter(|point| point.series == name).collect();
        let band = |point: &&ConvergencePoint| {
            let error = 2.0 * point.standard_error?;
            Some((point.measured - error, point.measured + error))
        };
        series.push(Series {
            name: Some(name.to_owned()),
            points: own.iter().map(|point| (point.value.into(), point.measured)).collect(),
            band: own.iter().map(band).collect::<Option<_>>().unwrap_or_default(),
            color,
            markers: experiment != Experiment::Deterministic,
            ..Series::default()
        });
        let predicted: Vec<(f64, f64)> =
            own.iter().filter_map(|point| Some((point.value.into(), point.predicted?))).collect();
        if !predicted.is_empty() {
            series.push(Series {
                name: Some("closed form".to_owned()),
                points: predicted,
                color: color + 1,
                ..Series::default()
            });
        }
    }
    series
}

/// Steps over the unknowns, one pair of lines for each condition.
///
/// # Errors
/// When the drawing library fails.
pub fn systems_svg(systems: &[SystemPoint]) -> Result<String, PlotError> {
    let mut conditions: Vec<f64> = Vec::new();
    for system in systems {
        if !conditions.contains(&system.condition) {
            conditions.push(system.condition);
        }
    }
    let mut series = Vec::new();
    for (color, condition) in conditions.into_iter().enumerate() {
        for (what, is_device) in [("f64", false), ("device", true)] {
            let own = systems.iter().filter(|system| system.condition == condition);
            let steps = |system: &SystemPoint| if is_device { system.iterations } else { system.f64_iterations };
            series.push(Series {
                name: Some(format!("condition {condition}, {what}")),
                points: own.map(|system| (system.unknowns.into(), steps(system).into())).collect(),
                color,
                faint: !is_device,
                markers: is_device,
                ..Series::default()
            });
        }
    }
    render(&[Plot {
        title: "Conjugate gradient on diagonal plus low rank: steps to a residual of 1e-6".to_owned(),
        x_label: "unknowns".to_owned(),
        y_label: "steps".to_owned(),
        x_scale: Scale::Logarithmic,
        y_scale: Scale::Logarithmic,
        legend: Corner::UpperRight,
        series,
        ..Plot::default()
    }])
}

/// Writes `convergence.csv`, `convergence.svg`, `systems.csv` and `systems.svg` into `folder`, which
/// is created where missing.
///
/// # Errors
/// When a file cannot be written.
pub fn write(folder: &Path, points: &[ConvergencePoint], systems: &[SystemPoint]) -> Result<(), RunError> {
    super::write(folder, "convergence", points, svg(points))?;
    super::write(folder, "systems", systems, systems_svg(systems))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(experiment: Experiment, series: &str, value: u32, measured: f64) -> ConvergencePoint {
        let is_stochastic = experiment == Experiment::Stochastic;
        ConvergencePoint {
            experiment,
            series: series.to_owned(),
            value,
            measured,
            standard_error: is_stochastic.then_some(0.1 * measured),
            predicted: is_stochastic.then_some(2.0 * measured),
        }
    }

    fn points() -> Vec<ConvergencePoint> {
        vec![
            point(Experiment::Deterministic, "warm starts", 0, 1.0),
            point(Experiment::Deterministic, "warm starts", 1, 2e-5),
            point(Experiment::Deterministic, "warm starts", 2, 1e-5),
            point(Experiment::Deterministic, "cold starts", 0, 1.0),
            point(Experiment::Deterministic, "cold starts", 1, 1e-7),
            point(Experiment::Stochastic, "Algorithm 1", 1, 0.5),
            point(Experiment::Stochastic, "Algorithm 1", 4, 0.125),
            point(Experiment::CgSteps, "condition 4", 2, 0.3),
        ]
    }

    #[test]
    fn every_experiment_comes_in_every_form() {
        let systems = [SystemPoint {
            unknowns: 1_000,
            condition: 100.0,
            rank: 32,
            status: "converged".to_owned(),
            iterations: 60,
            f64_iterations: 48,
            recursive_residual: 9e-7,
            true_residual: 2e-6,
        }];
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &points(), &systems).unwrap();
        let text = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        let csv = text("convergence.csv");
        let read: Vec<ConvergencePoint> =
            csv::Reader::from_reader(csv.as_bytes()).deserialize().collect::<Result<_, _>>().unwrap();
        assert_eq!(read, points());
        let csv = text("systems.csv");
        let read: Vec<SystemPoint> =
            csv::Reader::from_reader(csv.as_bytes()).deserialize().collect::<Result<_, _>>().unwrap();
        assert_eq!(read, systems);
        let svg = text("convergence.svg");
        assert!(svg.contains("warm starts") && svg.contains("closed form") && svg.contains("N_cg"));
        assert!(!svg.contains("over the inner steps"), "a panel without points");
        assert!(text("systems.svg").contains("condition 100, device"));
        assert_eq!(systems_table(&systems).to_json()[0]["ratio"], 1.25);
        let rows = table(&points()).to_json();
        assert_eq!(rows.len(), 5, "the iterations between two tens are not shown");
        assert_eq!(rows[2]["ratio"], 0.5);
    }

    #[test]
    fn claims_are_read_off_the_points() {
        let slope = floor_slope(&points()).unwrap();
        assert!((slope + 1.0).abs() < 1e-12, "{slope}");
        assert_eq!(floor_slope(&points()[..6]), None);
        assert_eq!(first_below(&points(), 1e-5), Some(2));
        assert_eq!(first_below(&points(), 1e-6), None);
        assert_eq!(summary(&points()).to_json()[0]["measured"], 2);
    }
}
