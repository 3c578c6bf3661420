//! The two logs of a run. `metrics.csv` holds only what the configuration determines, so that a
//! resumed run repeats an uninterrupted one to the bit; `timing.csv` holds what the machine and
//! the hour determine. Rows are appended whole; a kill may leave half a line, which resuming
//! removes together with the rows past the checkpoint.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::RunError;
use crate::store::Store;

/// One row of `metrics.csv`: one optimiser step. Floats are printed so that they read back exactly.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MetricsRow {
    /// The optimiser step, from one.
    pub step: u64,
    /// Training episodes seen so far.
    pub episodes: u64,
    /// Mean query cross-entropy of the step's episodes.
    pub loss: f32,
    /// Mean query accuracy of the step's episodes, `0..=1`.
    pub accuracy: f32,
    /// The learning rate of the step.
    pub learning_rate: f64,
    /// The gradient's Euclidean norm before clipping; absent where it is not computed.
    pub gradient_norm: Option<f32>,
    /// Tasks whose inner loop or solve failed, for methods that can fail.
    pub failed_tasks: Option<u32>,
    /// Iterations of conjugate gradient, the mean over tasks.
    pub solve_iterations: Option<f32>,
    /// The largest estimate of a system's condition number.
    pub condition: Option<f32>,
    /// ‖r‖/‖b‖ at the start and after each iteration, separated by spaces: means over tasks.
    pub solve_residuals: Option<String>,
    /// Mean loss of the validation after this step, where there was one.
    pub validation_loss: Option<f32>,
    /// Mean accuracy of that validation.
    pub validation_accuracy: Option<f32>,
    /// Half the width of its 95 % confidence interval.
    pub validation_interval: Option<f32>,
}

/// One row of `timing.csv`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TimingRow {
    /// The optimiser step, from one.
    pub step: u64,
    /// The wall clock at the end of the step, in seconds since 1970.
    pub unix_seconds: f64,
    /// Seconds that this step took, without validation and checkpoints.
    pub step_seconds: f64,
    /// Training episodes per second, averaged over the last steps.
    pub episodes_per_second: f64,
    /// Bytes of GPU buffers alive at the end of the step.
    pub bytes_in_use: u64,
    /// The most bytes alive so far.
    pub bytes_peak: u64,
}

/// A kind of row that a log holds.
pub trait LogRow: Serialize + DeserializeOwned {
    /// The header, in the order of the fields.
    const HEADER: &'static str;
    /// The step that the row belongs to.
    fn step(&self) -> u64;
}

impl LogRow for MetricsRow {
    const HEADER: &'static str = "step,episodes,loss,accuracy,learning_rate,gradient_norm,failed_tasks,solve_iterations,condition,solve_residuals,validation_loss,validation_accuracy,validation_interval";
    fn step(&self) -> u64 {
        self.step
    }
}

impl LogRow for TimingRow {
    const HEADER: &'static str = "step,unix_seconds,step_seconds,episodes_per_second,bytes_in_use,bytes_peak";
    fn step(&self) -> u64 {
        self.step
    }
}

/// Begins a log with nothing but its header.
pub(crate) fn begin_log<R: LogRow>(store: &mut Store, name: &str) -> Result<(), RunError> {
    store.write(name, format!("{}\n", R::HEADER).as_bytes())
}

/// Cuts a log back to the rows up to `step`. Returns the last step that it holds then, zero when it
/// is empty. A log that is missing is begun anew.
///
/// # Errors
/// When the file cannot be read or written, or has another header.
pub(crate) fn resume_log<R: LogRow>(store: &mut Store, name: &str, step: u64) -> Result<u64, RunError> {
    let (kept, last) = match store.read(name)? {
        Some(bytes) => kept_rows::<R>(&store.path(name), &String::from_utf8_lossy(&bytes), step)?,
        None => (format!("{}\n", R::HEADER), 0),
    };
    store.write(name, kept.as_bytes())?;
    Ok(last)
}

/// All bytes of a log.
///
/// # Errors
/// With the library's message.
pub(crate) fn log_bytes<R: LogRow>(rows: &[R]) -> Result<Vec<u8>, String> {
    let mut text = format!("{}\n", R::HEADER);
    for row in rows {
        text.push_str(&line_of(row)?);
    }
    Ok(text.into_bytes())
}

/// Appends a row.
///
/// # Errors
/// When it cannot be written; what was written of it is taken back then.
pub(crate) fn append_row<R: LogRow>(store: &mut Store, name: &str, row: &R) -> Result<(), RunError> {
    let line = line_of(row).map_err(|reason| RunError::corrupt(&store.path(name), reason))?;
    store.append(name, line.as_bytes())
}

fn line_of<R: LogRow>(row: &R) -> Result<String, String> {
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    writer.serialize(row).map_err(|error| error.to_string())?;
    let bytes = writer.into_inner().map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|error| error.to_string())
}

fn row_of<R: LogRow>(line: &str) -> Option<R> {
    csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes()).deserialize().next()?.ok()
}

/// The header and the whole rows up to `step`, byte for byte, and the last of their steps.
fn kept_rows<R: LogRow>(path: &Path, text: &str, step: u64) -> Result<(String, u64), RunError> {
    let mut lines = text.split_inclusive('\n');
    let header = lines.next().unwrap_or_default();
    if header.trim_end() != R::HEADER {
        return Err(RunError::corrupt(
            path,
            "its header is not the one that this version writes; move the file away to continue without its rows",
        ));
    }
    let mut kept = format!("{}\n", R::HEADER);
    let mut last = 0;
    for line in lines {
        match row_of::<R>(line) {
            Some(row) if line.ends_with('\n') && row.step() <= step => {
                kept.push_str(line);
                last = row.step();
            }
            _ => break,
        }
    }
    Ok((kept, last))
}

/// All whole rows of a log.
///
/// # Errors
/// When the file cannot be read or has another header.
pub fn read_log<R: LogRow>(path: &Path) -> Result<Vec<R>, RunError> {
    rows_of(path, &std::fs::read(path).map_err(RunError::io("read", path))?)
}

/// All whole rows of the bytes of a log; `path` names it in messages.
///
/// # Errors
/// When it has another header.
pub(crate) fn rows_of<R: LogRow>(path: &Path, bytes: &[u8]) -> Result<Vec<R>, RunError> {
    let (kept, _) = kept_rows::<R>(path, &String::from_utf8_lossy(bytes), u64::MAX)?;
    Ok(kept.lines().skip(1).filter_map(row_of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row(step: u64) -> MetricsRow {
        MetricsRow {
            step,
            episodes: step * 4,
            loss: 1.0 / step as f32,
            accuracy: 0.1,
            learning_rate: 1e-3 / 3.0,
            validation_accuracy: step.is_multiple_of(2).then_some(f32::MIN_POSITIVE),
            ..MetricsRow::default()
        }
    }

    #[test]
    fn headers_are_the_fields() {
        fn check<R: LogRow + Default>() {
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.serialize(R::default()).unwrap();
            let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            assert_eq!(text.lines().next(), Some(R::HEADER));
        }
        check::<MetricsRow>();
        check::<TimingRow>();
    }

    fn appended(store: &mut Store, name: &str, steps: std::ops::RangeInclusive<u64>) {
        steps.for_each(|step| append_row(store, name, &row(step)).unwrap());
    }

    #[test]
    fn resuming_cuts_later_rows_and_half_lines() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::disk(folder.path());
        begin_log::<MetricsRow>(&mut store, "whole.csv").unwrap();
        appended(&mut store, "whole.csv", 1..=9);
        begin_log::<MetricsRow>(&mut store, "cut.csv").unwrap();
        appended(&mut store, "cut.csv", 1..=7);
        store.append("cut.csv", b"8,32,0.1").unwrap();
        assert_eq!(resume_log::<MetricsRow>(&mut store, "cut.csv", 5).unwrap(), 5);
        appended(&mut store, "cut.csv", 6..=9);
        assert_eq!(store.read("whole.csv").unwrap(), store.read("cut.csv").unwrap());
        let rows: Vec<MetricsRow> = read_log(&folder.path().join("cut.csv")).unwrap();
        assert_eq!(rows, (1..=9).map(row).collect::<Vec<_>>());
    }

    #[test]
    fn a_half_line_at_the_checkpoints_own_step_is_cut() {
        let mut store = Store::memory();
        begin_log::<MetricsRow>(&mut store, "a.csv").unwrap();
        appended(&mut store, "a.csv", 1..=1);
        store.append("a.csv", line_of(&row(2)).unwrap().trim_end().as_bytes()).unwrap();
        assert_eq!(resume_log::<MetricsRow>(&mut store, "a.csv", 2).unwrap(), 1);
    }

    #[test]
    fn other_headers_are_refused_and_missing_logs_begun() {
        let mut store = Store::memory();
        assert_eq!(resume_log::<MetricsRow>(&mut store, "a.csv", 3).unwrap(), 0);
        store.write("a.csv", b"step,loss\n1,2\n").unwrap();
        assert!(resume_log::<MetricsRow>(&mut store, "a.csv", 3).is_err());
    }

    proptest! {
        #[test]
        fn floats_read_back_exactly(bits: u32, rate: f64, norm: Option<f32>) {
            let loss = f32::from_bits(bits);
            let row = MetricsRow { step: 1, loss, learning_rate: rate, gradient_norm: norm, ..MetricsRow::default() };
            let back: MetricsRow = row_of(&line_of(&row).unwrap()).unwrap();
            prop_assert!(back.loss.to_bits() == loss.to_bits() || (loss.is_nan() && back.loss.is_nan()));
            prop_assert_eq!(back.learning_rate.to_bits(), rate.to_bits());
            prop_assert_eq!(back.gradient_norm.map(f32::to_bits), norm.map(f32::to_bits));
        }

        #[test]
        fn damaged_logs_never_panic(text in "[0-9a-z,.\n\"-]{0,80}") {
            let all = format!("{}\n{text}", TimingRow::HEADER);
            let _ = kept_rows::<TimingRow>(Path::new("x"), &all, 5);
        }
    }
}
