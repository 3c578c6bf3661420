//! The outputs of `inkling report adaptation`: what learning a new task costs at test time, method
//! by method (multiply-accumulates, steps, seconds), and what it comes to (accuracy).

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::atomic::write_atomically;
use crate::error::RunError;
use crate::plot::{Corner, Plot, PlotError, Scale, Series, render};
use crate::table::Table;

/// One method on tasks of one size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdaptationPoint {
    /// What adapts.
    pub method: String,
    /// Whose weights it starts from.
    pub weights: String,
    /// Classes of a task.
    pub ways: u32,
    /// Support images of a task.
    pub support: u32,
    /// Height and width of the images.
    pub image_size: u32,
    /// Gradient steps on the support.
    pub steps: u32,
    /// Support images that go forward through the network, each as often as it does.
    pub forward_images: f64,
    /// Those that come back.
    pub backward_images: f64,
    /// Multiply-accumulates of adapting: the convolutions of the network, and the head's algebra.
    pub macs: f64,
    /// Of them the head's.
    pub head_macs: f64,
    /// Multiply-accumulates of each query afterwards.
    pub query_macs: f64,
    /// Median seconds of adapting; none where it was not timed.
    pub seconds: Option<f64>,
    /// Episodes that were scored.
    pub episodes: u32,
    /// Mean accuracy, `0..=1`; none where nothing was scored.
    pub accuracy: Option<f64>,
    /// Half the width of its 95 % interval.
    pub interval: Option<f64>,
}

/// A count with a unit of a thousand.
fn rounded(macs: f64) -> String {
    let units = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    match units.into_iter().find(|(size, _)| macs >= *size) {
        Some((size, unit)) => {
            let value = macs / size;
            // Three digits, whatever the unit.
            let decimals = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
            format!("{value:.decimals$} {unit}")
        }
        None => format!("{macs:.0}"),
    }
}

/// One row for each method.
pub fn table(points: &[AdaptationPoint]) -> Table {
    let columns = [
        "method",
        "weights",
        "N",
        "steps",
        "forward",
        "backward",
        "MACs",
        "of head",
        "per query",
        "seconds",
        "accuracy",
        "± 95 %",
    ];
    let mut table = Table::new(columns);
    for point in points {
        let percent = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{:.2}", 100.0 * value));
        table.row([
            point.method.clone(),
            point.weights.clone(),
            point.support.to_string(),
            point.steps.to_string(),
            format!("{:.0}", point.forward_images),
            format!("{:.0}", point.backward_images),
            rounded(point.macs),
            rounded(point.head_macs),
            rounded(point.query_macs),
            point.seconds.map_or_else(String::new, |seconds| format!("{seconds:.3}")),
            percent(point.accuracy),
            percent(point.interval),
        ]);
    }
    table
}

/// The panels as SVG.
///
/// # Errors
/// When the drawing library fails.
pub fn svg(points: &[AdaptationPoint]) -> Result<String, PlotError> {
    render(&plots(points))
}

/// Accuracy over multiply-accumulates and over seconds, a mark for each method.
pub fn plots(points: &[AdaptationPoint]) -> Vec<Plot> {
    let panel = |title: &str, x_label: &str, x: fn(&AdaptationPoint) -> Option<f64>| {
        let mark = |(color, point): (usize, &AdaptationPoint)| {
            let (at, accuracy) = (x(point)?, 100.0 * point.accuracy?);
            Some(Series {
                name: Some(point.method.clone()),
                points: vec![(at, accuracy)],
                color,
                markers: true,
                ..Series::default()
            })
        };
        Plot {
            title: title.to_owned(),
            x_label: x_label.to_owned(),
            y_label: "accuracy in %".to_owned(),
            x_scale: Scale::Logarithmic,
            legend: Corner::LowerRight,
            series: points.iter().enumerate().filter_map(mark).collect(),
            ..Plot::default()
        }
    };
    vec![
        panel("Accuracy against the cost of adapting to a task", "multiply-accumulates", |point| Some(point.macs)),
        panel("Accuracy against the time of adapting to a task", "seconds", |point| point.seconds),
    ]
}

/// Writes `adaptation.csv`, `adaptation.md` and `adaptation.svg` into `folder`, which is created where
/// missing.
///
/// # Errors
/// When a file cannot be written.
pub fn write(folder: &Path, points: &[AdaptationPoint]) -> Result<(), RunError> {
    super::write(folder, "adaptation", points, svg(points))?;
    write_atomically(&folder.join("adaptation.md"), table(points).to_markdown().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(method: &str, macs: f64, accuracy: Option<f64>) -> AdaptationPoint {
        AdaptationPoint {
            method: method.to_owned(),
            weights: "initial".to_owned(),
            ways: 5,
            support: 25,
            image_size: 84,
            steps: 0,
            forward_images: 25.0,
            backward_images: 0.0,
            macs,
            head_macs: 40_000.0,
            query_macs: 97_172_288.0,
            seconds: accuracy.map(|_| 0.25),
            episodes: 10,
            accuracy,
            interval: accuracy.map(|_| 0.01),
        }
    }

    #[test]
    fn counts_have_three_digits_and_a_unit() {
        for (macs, text) in [
            (0.0, "0"),
            (999.0, "999"),
            (40_000.0, "40.0 k"),
            (2.43e9, "2.43 G"),
            (97_172_288.0, "97.2 M"),
            (1.5e14, "150 T"),
        ] {
            assert_eq!(rounded(macs), text);
        }
    }

    #[test]
    fn every_method_is_a_row_and_scored_ones_a_mark() {
        let points = [point("prototypes", 2.4e9, Some(0.8)), point("finetuner-all", 3e11, None)];
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &points).unwrap();
        let csv = std::fs::read_to_string(folder.path().join("adaptation.csv")).unwrap();
        let read: Vec<AdaptationPoint> =
            csv::Reader::from_reader(csv.as_bytes()).deserialize().collect::<Result<_, _>>().unwrap();
        assert_eq!(read, points);
        let markdown = std::fs::read_to_string(folder.path().join("adaptation.md")).unwrap();
        assert!(markdown.contains("prototypes") && markdown.contains("2.40 G"), "{markdown}");
        let svg = std::fs::read_to_string(folder.path().join("adaptation.svg")).unwrap();
        assert!(svg.contains("prototypes") && !svg.contains("finetuner-all"));
    }
}
