//! What `inkling report` shows: each report has its points as CSV with every digit, as a table and
//! as a plot. The numbers come from the experiments in `run`; these modules show them.

pub mod ablation;
pub mod adaptation;
pub mod convergence;
pub mod estimators;
pub mod memory;
pub mod methods;
pub mod peers;

use std::path::Path;

use serde::Serialize;

use crate::atomic::write_atomically;
use crate::error::RunError;
use crate::plot::PlotError;

/// Writes `<name>.csv` and `<name>.svg` into `folder`, which is created where missing.
fn write<T: Serialize>(
    folder: &Path,
    name: &str,
    points: &[T],
    svg: Result<String, PlotError>,
) -> Result<(), RunError> {
    std::fs::create_dir_all(folder).map_err(RunError::io("create", folder))?;
    let (csv_path, svg_path) = (folder.join(format!("{name}.csv")), folder.join(format!("{name}.svg")));
    let csv = csv(points).map_err(|reason| RunError::corrupt(&csv_path, reason))?;
    let svg = svg.map_err(|error| RunError::corrupt(&svg_path, error))?;
    write_atomically(&csv_path, csv.as_bytes())?;
    write_atomically(&svg_path, svg.as_bytes())
}

/// The points as CSV with every digit.
///
/// # Errors
/// What the writer says; there is no input for which it is known to fail.
pub fn csv<T: Serialize>(points: &[T]) -> Result<String, String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for point in points {
        writer.serialize(point).map_err(|error| error.to_string())?;
    }
    let bytes = writer.into_inner().map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|error| error.to_string())
}
