//! How far files have come that are being fetched.

use indicatif::{ProgressBar, ProgressStyle};
use inkling_data::fetch::Progress;

use crate::output::Output;

/// A bar per file, on a terminal only.
pub struct FetchBars {
    output: Output,
    bar: Option<(String, ProgressBar)>,
}

impl FetchBars {
    /// No bar yet.
    pub fn new(output: Output) -> Self {
        Self { output, bar: None }
    }

    /// Moves the bar of the file that is on its way.
    pub fn show(&mut self, progress: Progress<'_>) {
        if !self.output.draws_bars() {
            return;
        }
        if self.bar.as_ref().is_none_or(|(file, _)| file != progress.file) {
            self.close();
            let bar = ProgressBar::new(progress.total_bytes.unwrap_or(0));
            if let Ok(style) = ProgressStyle::with_template(FETCH_TEMPLATE) {
                bar.set_style(style);
            }
            bar.set_message(progress.file.to_owned());
            self.bar = Some((progress.file.to_owned(), bar));
        }
        if let Some((_, bar)) = &self.bar {
            bar.set_position(progress.received_bytes);
        }
    }

    /// Takes the bar away.
    pub fn close(&mut self) {
        if let Some((_, bar)) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

const FETCH_TEMPLATE: &str = "{msg}  {bar:30.cyan/blue} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fetch_template_compiles() {
        assert!(ProgressStyle::with_template(FETCH_TEMPLATE).is_ok());
    }
}
