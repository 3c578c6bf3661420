//! The outputs of `inkling report memory`: peak bytes by plan and as the ledger counted them, over
//! the inner steps K of bilevel methods, and over the support N, the subset H and the image size
//! for the gradient estimators.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::RunError;
use crate::plot::{Corner, Plot, PlotError, Scale, Series, render};
use crate::table::Table;
use crate::units::ByteSize;

/// What a point is measured over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// K, the steps of the inner loop.
    InnerSteps,
    /// N, the support images of a task.
    Support,
    /// H, the support images that are back-propagated.
    Subset,
    /// Height and width of the images.
    Pixels,
}

impl Axis {
    const ALL: [Self; 4] = [Self::InnerSteps, Self::Support, Self::Subset, Self::Pixels];

    fn title(self) -> &'static str {
        match self {
            Self::InnerSteps => "Peak bytes of one outer step over the inner steps K",
            Self::Support => "Peak bytes of one outer step over the support images N",
            Self::Subset => "Peak bytes of one outer step over the subset H",
            Self::Pixels => "Peak bytes of one outer step over the image size",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::InnerSteps => "K",
            Self::Support => "N",
            Self::Subset => "H",
            Self::Pixels => "pixels",
        }
    }
}

/// The memory of one configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryPoint {
    /// What changes along the line.
    pub axis: Axis,
    /// The method or estimator.
    pub series: String,
    /// K, N, H or pixels.
    pub value: u32,
    /// Peak bytes by plan.
    pub planned_bytes: u64,
    /// Peak bytes that the ledger counted over one outer step; none where only a plan exists.
    pub measured_bytes: Option<u64>,
}

/// The points as a table, in the order given.
pub fn table(points: &[MemoryPoint]) -> Table {
    let mut table = Table::new(["over", "value", "method", "planned bytes", "measured bytes", "peak"]);
    for point in points {
        table.row([
            point.axis.label().to_owned(),
            point.value.to_string(),
            point.series.clone(),
            point.planned_bytes.to_string(),
            point.measured_bytes.map_or_else(|| "by plan only".to_owned(), |bytes| bytes.to_string()),
            ByteSize(point.measured_bytes.unwrap_or(point.planned_bytes)).rounded(),
        ]);
    }
    table
}

/// The panels as SVG.
///
/// # Errors
/// When the drawing library fails.
pub fn svg(points: &[MemoryPoint]) -> Result<String, PlotError> {
    render(&plots(points))
}

/// One panel for each axis that has points.
pub fn plots(points: &[MemoryPoint]) -> Vec<Plot> {
    Axis::ALL
        .into_iter()
        .filter(|&axis| points.iter().any(|point| point.axis == axis))
        .map(|axis| Plot {
            title: axis.title().to_owned(),
            x_label: axis.label().to_owned(),
            y_label: "MiB".to_owned(),
            x_scale: Scale::Logarithmic,
            y_scale: Scale::Logarithmic,
            legend: Corner::UpperLeft,
            series: lines(points, axis),
            ..Plot::default()
        })
        .collect()
}

fn lines(points: &[MemoryPoint], axis: Axis) -> Vec<Series> {
    let mut names: Vec<&str> = Vec::new();
    for point in points.iter().filter(|point| point.axis == axis) {
        if !names.contains(&point.series.as_str()) {
            names.push(&point.series);
        }
    }
    let line = |(color, name): (usize, &str)| Series {
        name: Some(name.to_owned()),
        points: points
            .iter()
            .filter(|point| point.axis == axis && point.series == name)
            .map(|point| (point.value.into(), point.measured_bytes.unwrap_or(point.planned_bytes) as f64 / MEBIBYTE))
            .collect(),
        color,
        markers: true,
        ..Series::default()
    };
    names.into_iter().enumerate().map(line).collect()
}

const MEBIBYTE: f64 = (1 << 20) as f64;

/// Writes `memory.csv` and `memory.svg` into `folder`, which is created where missing.
///
/// # Errors
/// When a file cannot be written.
pub fn write(folder: &Path, points: &[MemoryPoint]) -> Result<(), RunError> {
    super::write(folder, "memory", points, svg(points))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_axis_and_method_is_shown() {
        let point = |axis, series: &str, value, measured_bytes| MemoryPoint {
            axis,
            series: series.to_owned(),
            value,
            planned_bytes: 3 << 20,
            measured_bytes,
        };
        let points = [
            point(Axis::InnerSteps, "implicit", 1, Some(3 << 20)),
            point(Axis::InnerSteps, "implicit", 100, Some(3 << 20)),
            point(Axis::InnerSteps, "maml, whole graph", 5, None),
            point(Axis::Support, "lite", 25, Some(3 << 20)),
            point(Axis::Subset, "lite", 5, None),
        ];
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &points).unwrap();
        let svg = std::fs::read_to_string(folder.path().join("memory.svg")).unwrap();
        assert!(svg.contains("implicit") && svg.contains("whole graph") && svg.contains("support images N"));
        assert!(svg.contains("subset H"));
        let csv = std::fs::read_to_string(folder.path().join("memory.csv")).unwrap();
        let read: Vec<MemoryPoint> =
            csv::Reader::from_reader(csv.as_bytes()).deserialize().collect::<Result<_, _>>().unwrap();
        assert_eq!(read, points);
        assert_eq!(table(&points).to_json()[2]["measured bytes"], "by plan only");
    }
}
