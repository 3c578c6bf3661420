//! The outputs of `inkling report peers`: Inkling beside other systems, row by row.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::atomic::write_atomically;
use crate::error::RunError;
use crate::plot::{Bars, PlotError, render_bars};
use crate::table::Table;
use crate::units::ByteSize;

/// The system that the others are compared with.
const OURS: &str = "Inkling";
/// The row whose milliseconds count from the opening of a page to the end of its first step.
const FIRST_STEP: &str = "first-step";
/// The row whose bytes are those that a page loads.
const BUNDLE: &str = "bundle";

/// Where a measurement was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// A program of the machine.
    #[default]
    Native,
    /// A page.
    Browser,
}

/// One row of one system, or why there is none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Measurement {
    /// The system.
    pub peer: String,
    /// Its version.
    pub version: Option<String>,
    /// The adapter or processor.
    pub device: Option<String>,
    /// See [`Place`].
    pub place: Place,
    /// The name of the row; all rows of the system where it is absent.
    pub row: Option<String>,
    /// Milliseconds: the median.
    pub median_ms: Option<f64>,
    /// The fastest run.
    pub fastest_ms: Option<f64>,
    /// The slowest run.
    pub slowest_ms: Option<f64>,
    /// Timed runs.
    pub repeats: Option<u32>,
    /// The most memory in use.
    pub peak_bytes: Option<u64>,
    /// What a page loads, compressed.
    pub bytes: Option<u64>,
    /// Why there is no figure.
    pub missing: Option<String>,
}

impl Measurement {
    /// With the milliseconds of all timed runs.
    pub fn with_times(self, mut millis: Vec<f64>) -> Self {
        millis.sort_by(f64::total_cmp);
        Self {
            median_ms: millis.get(millis.len() / 2).copied(),
            fastest_ms: millis.first().copied(),
            slowest_ms: millis.last().copied(),
            repeats: u32::try_from(millis.len()).ok(),
            ..self
        }
    }
}

/// The names and titles of the rows, in their order, and what was measured of them.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    /// Name and title.
    pub rows: Vec<(String, String)>,
    /// In any order.
    pub measurements: Vec<Measurement>,
}

impl Comparison {
    /// Reads measurements, one JSON object per line.
    ///
    /// # Errors
    /// The number of a line that is none.
    pub fn read(rows: Vec<(String, String)>, lines: &str) -> Result<Self, String> {
        let mut measurements = Vec::new();
        for (number, line) in lines.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let read = serde_json::from_str(line)
                .map_err(|error| format!("line {}: not a measurement: {error}", number + 1))?;
            measurements.push(read);
        }
        Ok(Self { rows, measurements })
    }

    fn at(&self, place: Place) -> impl Iterator<Item = &Measurement> {
        self.measurements.iter().filter(move |measurement| measurement.place == place)
    }

    /// The systems in a place, ours first.
    fn peers(&self, place: Place) -> Vec<&str> {
        let mut peers: Vec<&str> = Vec::new();
        for measurement in self.at(place) {
            if !peers.contains(&measurement.peer.as_str()) {
                peers.push(&measurement.peer);
            }
        }
        peers.sort_by_key(|peer| *peer != OURS);
        peers
    }

    fn find(&self, place: Place, peer: &str, row: &str) -> Option<&Measurement> {
        self.at(place).find(|measurement| measurement.peer == peer && measurement.row.as_deref() == Some(row))
    }

    fn millis(&self, place: Place, peer: &str, row: &str) -> Option<f64> {
        self.find(place, peer, row)?.median_ms
    }

    /// Milliseconds, their ratio to ours, and peak memory of every system in a place.
    fn table(&self, place: Place) -> Table {
        let peers = self.peers(place);
        let mut columns = vec!["row".to_owned()];
        for peer in &peers {
            columns.push(format!("{peer}, ms"));
            if *peer != OURS {
                columns.push("times ours".to_owned());
            }
            columns.push("peak".to_owned());
        }
        let mut table = Table::new(columns);
        let mut row = |name: &str, title: &str| {
            let ours = self.millis(place, OURS, name);
            let mut cells = vec![title.to_owned()];
            for peer in &peers {
                let found = self.find(place, peer, name);
                let theirs = found.and_then(|measurement| measurement.median_ms);
                cells.push(theirs.map_or_else(String::new, |millis| format!("{millis:.1}")));
                if *peer != OURS {
                    let ratio = theirs.zip(ours).map(|(theirs, ours)| format!("{:.2}", theirs / ours));
                    cells.push(ratio.unwrap_or_default());
                }
                let bytes = found.and_then(|measurement| measurement.peak_bytes.or(measurement.bytes));
                cells.push(bytes.map_or_else(String::new, |bytes| ByteSize(bytes).rounded()));
            }
            table.row(cells);
        };
        self.rows.iter().for_each(|(name, title)| row(name, title));
        if place == Place::Browser {
            row(FIRST_STEP, "from opening the page to its first ProtoNet step");
            row(BUNDLE, "code that the page loads, compressed (bytes)");
        }
        table
    }

    /// One line for each system: its version and device, and each reason why a row is empty.
    fn notes(&self, place: Place) -> String {
        let mut notes = String::new();
        for peer in self.peers(place) {
            let lines = || self.at(place).filter(|measurement| measurement.peer == peer);
            let version = lines().find_map(|line| line.version.clone()).unwrap_or_default();
            let device = lines().find_map(|line| line.device.clone()).unwrap_or_default();
            let words = [version, device].into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(", ");
            notes.push_str(&format!("- {peer}: {words}\n"));
            for line in lines() {
                let Some(reason) = &line.missing else { continue };
                let what = line.row.as_deref().map_or("every row", |row| self.title(row));
                notes.push_str(&format!("  - {what}: not measured. {reason}\n"));
            }
        }
        notes
    }

    fn title<'a>(&'a self, row: &'a str) -> &'a str {
        self.rows.iter().find(|(name, _)| name == row).map_or(row, |(_, title)| title)
    }

    /// Where another system needs less time, and by how much.
    fn faster(&self, place: Place) -> String {
        let mut lines = String::new();
        for peer in self.peers(place).into_iter().filter(|peer| *peer != OURS) {
            let ratio = |row: &str| Some(self.millis(place, OURS, row)? / self.millis(place, peer, row)?);
            let mut faster: Vec<f64> = Vec::new();
            let measured = self.rows.iter().filter_map(|(row, _)| ratio(row));
            let count = measured.clone().count();
            faster.extend(measured.filter(|ratio| *ratio > 1.0));
            faster.sort_by(f64::total_cmp);
            if let (Some(least), Some(most)) = (faster.first(), faster.last()) {
                let rows = faster.len();
                lines.push_str(&format!(
                    "{peer} is faster than Inkling on {rows} of {count} rows: {least:.1} to {most:.1} times.\n"
                ));
            } else if count > 0 {
                lines.push_str(&format!("{peer} is faster than Inkling on none of {count} rows.\n"));
            }
        }
        lines
    }

    /// Both places: the table, what was compared, and where another system is faster.
    pub fn to_markdown(&self) -> String {
        let mut text = String::new();
        for (place, heading) in [(Place::Native, "Native"), (Place::Browser, "In the browser")] {
            if self.at(place).next().is_some() {
                let (table, notes, faster) = (self.table(place).to_markdown(), self.notes(place), self.faster(place));
                text.push_str(&format!("**{heading}**\n\n{table}\n{faster}\n{notes}\n"));
            }
        }
        text
    }

    /// A panel of bars for each place.
    ///
    /// # Errors
    /// When the drawing library fails.
    pub fn svg(&self) -> Result<String, PlotError> {
        let panel = |(place, title): (Place, &str)| {
            let mut peers = self.peers(place);
            peers.retain(|peer| self.rows.iter().any(|(row, _)| self.millis(place, peer, row).is_some()));
            (!peers.is_empty()).then(|| Bars {
                title: title.to_owned(),
                x_label: "milliseconds (median), logarithmic".to_owned(),
                rows: self.rows.iter().map(|(_, title)| title.clone()).collect(),
                series: peers
                    .iter()
                    .map(|peer| {
                        let values = self.rows.iter().map(|(row, _)| self.millis(place, peer, row)).collect();
                        ((*peer).to_owned(), values)
                    })
                    .collect(),
            })
        };
        let places = [(Place::Native, "Native"), (Place::Browser, "In the browser")];
        render_bars(&places.into_iter().filter_map(panel).collect::<Vec<_>>())
    }
}

/// Writes `peers.csv` (every measurement with every digit), `peers.md` and `peers.svg` into `folder`.
///
/// # Errors
/// When a file cannot be written.
pub fn write(folder: &Path, comparison: &Comparison) -> Result<(), RunError> {
    super::write(folder, "peers", &comparison.measurements, comparison.svg())?;
    write_atomically(&folder.join("peers.md"), comparison.to_markdown().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comparison() -> Comparison {
        let rows = [("a", "the first"), ("b", "the second")].map(|(name, title)| (name.to_owned(), title.to_owned()));
        let lines = r#"
            {"peer":"Burn","version":"1","device":"llvmpipe","place":"native","row":"a","median_ms":30.0,"peak_bytes":1048576}
            {"peer":"Burn","place":"native","row":"b","missing":"it cannot"}
            {"peer":"Inkling","version":"2","place":"native","row":"a","median_ms":10.0,"peak_bytes":2097152}
            {"peer":"Inkling","place":"native","row":"b","median_ms":8.0}
            {"peer":"PyTorch","place":"native","row":"a","median_ms":2.5}
            {"peer":"PyTorch","place":"native","row":"b","median_ms":16.0}
            {"peer":"TensorFlow.js","place":"browser","missing":"no npm"}
            {"peer":"Inkling","place":"browser","row":"bundle","bytes":1048576}
        "#;
        Comparison::read(rows.to_vec(), lines).unwrap()
    }

    #[test]
    fn ratios_are_to_ours_and_reasons_are_kept() {
        let text = comparison().to_markdown();
        let line = |start: &str| text.lines().find(|line| line.contains(start)).unwrap_or_default().to_owned();
        let cells: Vec<String> = line("| the first").split('|').map(|cell| cell.trim().to_owned()).collect();
        assert_eq!(cells, ["", "the first", "10.0", "2.00 MiB", "30.0", "3.00", "1.00 MiB", "2.5", "0.25", "", ""]);
        assert!(text.contains("- Burn: 1, llvmpipe\n  - the second: not measured. it cannot"), "{text}");
        assert!(text.contains("PyTorch is faster than Inkling on 1 of 2 rows: 4.0 to 4.0 times."), "{text}");
        assert!(text.contains("Burn is faster than Inkling on none of 1 rows."), "{text}");
        assert!(text.contains("every row: not measured. no npm"), "{text}");
        assert!(line("| code that the page loads").contains("1.00 MiB"), "{text}");
    }

    #[test]
    fn files_have_every_measurement() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &comparison()).unwrap();
        for (file, text) in [("peers.csv", "PyTorch,,,native,a,2.5"), ("peers.md", "| the"), ("peers.svg", "<svg")] {
            let written = std::fs::read_to_string(folder.path().join(file)).unwrap();
            assert!(written.contains(text), "{file}: {written}");
        }
    }

    #[test]
    fn a_line_that_is_no_measurement_is_named() {
        let error = Comparison::read(Vec::new(), "{\"peer\":\"a\"}\nTraceback").unwrap_err();
        assert!(error.starts_with("line 2"), "{error}");
    }

    #[test]
    fn medians_are_of_the_sorted_runs() {
        let measured = Measurement::default().with_times(vec![3.0, 1.0, 2.0]);
        assert_eq!((measured.median_ms, measured.fastest_ms, measured.repeats), (Some(2.0), Some(1.0), Some(3)));
    }
}
