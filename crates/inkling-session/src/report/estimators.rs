//! The outputs of `inkling report estimators`: bias and root-mean-square error of the sampled
//! estimators against the exact gradient, over the share H/N of the support that is
//! back-propagated. Where norms adapt to the task, the gradient of the set encoder is a nested sum
//! and has points of its own. The numbers come from the experiment; this module shows them.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::RunError;
use crate::plot::{Plot, PlotError, Scale, Series, render};
use crate::table::Table;

/// The part that is all parameters.
pub const ALL: &str = "all";

/// What many draws of one estimator with one H measured. All values are relative to the norm of
/// the exact gradient.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EstimatorPoint {
    /// The estimator, `lite` or `subsampled`, and what is special about its draw.
    pub estimator: String,
    /// The parameters whose gradient it is.
    pub part: String,
    /// Support images H back-propagated.
    pub h: u32,
    /// All support images N.
    pub support: u32,
    /// How many draws.
    pub draws: u32,
    /// ‖mean of the draws − exact‖ / ‖exact‖.
    pub bias: f64,
    /// The size that `bias` has from sampling alone: the root-mean-square error of the mean of
    /// this many draws of an unbiased estimator with the same variance.
    pub bias_standard_error: f64,
    /// √(mean of ‖draw − exact‖²) / ‖exact‖.
    pub rmse: f64,
}

impl EstimatorPoint {
    /// The estimator, with the part of the parameters where there are several.
    fn series(&self) -> String {
        if self.part == ALL { self.estimator.clone() } else { format!("{}, {}", self.part, self.estimator) }
    }

    /// H/N.
    pub fn share(&self) -> f64 {
        f64::from(self.h) / f64::from(self.support.max(1))
    }
}

/// The points as a table, in the order given.
pub fn table(points: &[EstimatorPoint]) -> Table {
    let mut table =
        Table::new(["estimator", "part", "h", "n", "h/n", "draws", "bias", "bias s.e.", "bias/s.e.", "rmse"]);
    for point in points {
        let ratio = if point.bias_standard_error > 0.0 {
            format!("{:.2}", point.bias / point.bias_standard_error)
        } else {
            "-".to_owned()
        };
        table.row([
            point.estimator.clone(),
            point.part.clone(),
            point.h.to_string(),
            point.support.to_string(),
            format!("{:.2}", point.share()),
            point.draws.to_string(),
            format!("{:.4}", point.bias),
            format!("{:.4}", point.bias_standard_error),
            ratio,
            format!("{:.4}", point.rmse),
        ]);
    }
    table
}

/// The panels as SVG.
///
/// # Errors
/// When the drawing library fails.
pub fn svg(points: &[EstimatorPoint]) -> Result<String, PlotError> {
    render(&plots(points))
}

/// Two panels over H/N: the bias with the band that sampling alone explains (two standard
/// errors), and the root-mean-square error. H = N is exact and has no place on a logarithmic axis.
pub fn plots(points: &[EstimatorPoint]) -> Vec<Plot> {
    let panel = |title: &str, y_label: &str, y: fn(&EstimatorPoint) -> f64, band: bool| {
        let mut series = Vec::new();
        let mut names: Vec<String> = Vec::new();
        for point in points.iter().map(EstimatorPoint::series) {
            if !names.contains(&point) {
                names.push(point);
            }
        }
        for (color, name) in names.into_iter().enumerate() {
            let mine: Vec<&EstimatorPoint> = points.iter().filter(|p| p.series() == name && p.h < p.support).collect();
            if mine.is_empty() {
                continue;
            }
            if band {
                series.push(Series {
                    points: mine.iter().map(|p| (p.share(), 2.0 * p.bias_standard_error)).collect(),
                    band: mine.iter().map(|p| (0.0, 2.0 * p.bias_standard_error)).collect(),
                    color,
                    faint: true,
                    ..Series::default()
                });
            }
            series.push(Series {
                name: Some(name),
                points: mine.iter().map(|p| (p.share(), y(p))).collect(),
                color,
                markers: true,
                ..Series::default()
            });
        }
        Plot {
            title: title.to_owned(),
            x_label: "H/N (both are exact at 1)".to_owned(),
            y_label: y_label.to_owned(),
            y_scale: Scale::Logarithmic,
            series,
            ..Plot::default()
        }
    };
    vec![
        panel("Bias, and what sampling alone explains (shaded)", "‖bias‖ / ‖gradient‖", |p| p.bias, true),
        panel("Root-mean-square error", "RMSE / ‖gradient‖", |p| p.rmse, false),
    ]
}

/// Writes `estimators.csv` and `estimators.svg` into `folder`, which is created where missing.
///
/// # Errors
/// When a file cannot be written.
pub fn write(folder: &Path, points: &[EstimatorPoint]) -> Result<(), RunError> {
    super::write(folder, "estimators", points, svg(points))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::EstimatorKind;

    #[test]
    fn reports_hold_every_point_in_every_form() {
        let point = |estimator, h, bias| EstimatorPoint {
            estimator: EstimatorKind::name(estimator).to_owned(),
            part: ALL.to_owned(),
            h,
            support: 10,
            draws: 200,
            bias,
            bias_standard_error: if h == 10 { 0.0 } else { 0.05 },
            rmse: 0.5,
        };
        let points = [
            point(EstimatorKind::Lite, 2, 0.04),
            point(EstimatorKind::Lite, 5, 0.03),
            point(EstimatorKind::Subsampled, 5, 0.4),
            point(EstimatorKind::Lite, 10, 0.0),
        ];
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("new/report");
        write(&out, &points).unwrap();
        let csv = std::fs::read_to_string(out.join("estimators.csv")).unwrap();
        let read: Vec<EstimatorPoint> =
            csv::Reader::from_reader(csv.as_bytes()).deserialize().collect::<Result<_, _>>().unwrap();
        assert_eq!(read, points);
        let svg = std::fs::read_to_string(out.join("estimators.svg")).unwrap();
        assert!(svg.contains("lite") && svg.contains("subsampled"));
        let rows = table(&points).to_json();
        assert_eq!(rows[2]["bias/s.e."], 8.0);
        assert_eq!(rows[3]["bias/s.e."], "-");
    }
}
