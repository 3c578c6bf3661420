//! Shows the events of a run: a progress bar on a terminal, plain lines elsewhere, and JSON lines
//! for programs.

use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use inkling_session::events::{CategoryBytes, Ending, Evaluation, Event, StepMetrics};
use inkling_session::units::ByteSize;
use serde_json::json;

use crate::output::Output;

/// Plain lines come at most this often, and for the first and last step.
const LINE_PAUSE: Duration = Duration::from_secs(5);

/// Consumes the events of one run.
pub struct Printer {
    output: Output,
    bar: Option<ProgressBar>,
    planned: u64,
    first_step: u64,
    steps: u64,
    started: Instant,
    last_line: Option<Instant>,
}

impl Printer {
    pub fn new(output: Output) -> Self {
        Self { output, bar: None, planned: 0, first_step: 0, steps: 0, started: Instant::now(), last_line: None }
    }

    /// Shows one event.
    pub fn show(&mut self, event: &Event) {
        if self.output.is_json() {
            let value = serde_json::to_value(event)
                .unwrap_or_else(|error| json!({"event": "warning", "message": error.to_string()}));
            self.output.object(&value);
            return;
        }
        match event {
            Event::Planned { bytes, by_category } => {
                self.planned = *bytes;
                self.line(&plan_text(*bytes, by_category));
            }
            Event::Started { run, adapter, first_step, steps } => {
                self.line(&format!("training on {adapter} into {}", place(run.as_deref())));
                self.start(*first_step, *steps);
            }
            Event::Step(step) => self.step(step),
            Event::Validation { step, evaluation, best } => {
                let (text, mark) = (validation_text(evaluation), if *best { ", best so far" } else { "" });
                self.line(&format!("step {step}: validation {text}{mark}"));
            }
            // Where a checkpoint lies matters when the run ends; until then it is noise.
            Event::Checkpoint { .. } => {}
            // The command line asks for none of these, and reports how a run fails itself.
            Event::Paused { .. }
            | Event::Resumed { .. }
            | Event::Changed { .. }
            | Event::Snapshot(_)
            | Event::Exported { .. }
            | Event::DeviceLost { .. }
            | Event::Failed { .. } => {}
            Event::Warning { message } | Event::Refused { message } => self.above_bar(|output| output.warning(message)),
            Event::Evaluating { done, episodes, accuracy } => self.evaluating(*done, *episodes, *accuracy),
            Event::Finished { run, ending, step, seconds } => {
                self.close();
                let run = place(run.as_deref());
                let (what, next) = match ending {
                    Ending::Completed => ("done", ""),
                    Ending::Interrupted => ("interrupted", ", resumable"),
                    Ending::TimeLimit => ("time limit reached", ", resumable"),
                };
                let took = duration_text(*seconds);
                self.line(&format!("{what} after step {step}, {took}{next}: {run}"));
                let hint = match ending {
                    Ending::Completed => format!("evaluate with: inkling eval --run {run}"),
                    _ => format!("continue with: inkling train --resume {run}"),
                };
                self.line(&hint);
            }
        }
    }

    /// The bar, while there is one.
    pub fn bar(&self) -> Option<&ProgressBar> {
        self.bar.as_ref()
    }

    /// Takes the bar off the terminal.
    pub fn close(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn start(&mut self, first_step: u64, steps: u64) {
        (self.first_step, self.steps) = (first_step, steps);
        self.started = Instant::now();
        self.bar = self.output.draws_bars().then(|| new_bar(steps, first_step));
    }

    fn step(&mut self, step: &StepMetrics) {
        if let Some(bar) = &self.bar {
            bar.set_position(step.step);
            bar.set_message(step_text(step, self.planned));
            return;
        }
        let due = self.last_line.is_none_or(|last| last.elapsed() >= LINE_PAUSE);
        if due || step.step == self.steps {
            self.last_line = Some(Instant::now());
            let done = step.step.saturating_sub(self.first_step).max(1);
            let per_step = self.started.elapsed().as_secs_f64() / done as f64;
            let left = per_step * self.steps.saturating_sub(step.step) as f64;
            let left = if step.step < self.steps { format!("  {} left", duration_text(left)) } else { String::new() };
            let text = step_text(step, self.planned);
            self.output.line(&format!("step {}/{}  {text}{left}", step.step, self.steps));
        }
    }

    /// Shows how many measurements of a report are done.
    pub fn measuring(&mut self, done: u32, all: u32) {
        if !self.output.draws_bars() {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| new_bar(all.into(), 0));
        bar.set_position(done.into());
        bar.tick();
    }

    fn evaluating(&mut self, done: u32, episodes: u32, accuracy: f32) {
        if !self.output.draws_bars() {
            return;
        }
        // Within a run this is a validation; its bar counts steps.
        if let (Some(bar), true) = (&self.bar, self.steps > 0) {
            bar.set_message(format!("validating: {done} of {episodes} episodes  accuracy {:.1} %", accuracy * 100.0));
            return;
        }
        let bar = self.bar.get_or_insert_with(|| new_bar(episodes.into(), 0));
        bar.set_position(done.into());
        bar.set_message(format!("accuracy {:.1} %", accuracy * 100.0));
        if done >= episodes {
            self.close();
        }
    }

    fn line(&self, text: &str) {
        self.above_bar(|output| output.line(text));
    }

    fn above_bar(&self, write: impl FnOnce(Output)) {
        match &self.bar {
            Some(bar) => bar.suspend(|| write(self.output)),
            None => write(self.output),
        }
    }
}

/// The run folder for people.
fn place(run: Option<&Path>) -> String {
    run.map_or_else(|| "memory".to_owned(), |path| path.display().to_string())
}

fn new_bar(length: u64, position: u64) -> ProgressBar {
    let bar = ProgressBar::new(length).with_position(position);
    // The template is a constant that a test compiles; the fallback is indicatif's own.
    let style = ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style.progress_chars("━╸─"));
    bar.reset_eta();
    bar
}

/// The numbers have a line of their own: beside a bar they would not fit 80 columns.
const TEMPLATE: &str = "{wide_bar:.cyan/blue} {pos}/{len}  {eta} left\n{msg}";

/// Categories that the plan names; the rest of them is summed.
const NAMED_CATEGORIES: usize = 2;

/// `memory plan: 120 MiB (activations 80.0 MiB, workspace 30.0 MiB, rest 10.0 MiB)`.
fn plan_text(bytes: u64, by_category: &[CategoryBytes]) -> String {
    let mut parts: Vec<(&str, u64)> = by_category.iter().map(|part| (part.category.as_str(), part.bytes)).collect();
    parts.sort_by_key(|part| std::cmp::Reverse(part.1));
    let others: u64 = parts.iter().skip(NAMED_CATEGORIES).map(|part| part.1).sum();
    parts.truncate(NAMED_CATEGORIES);
    if others > 0 {
        parts.push(("rest", others));
    }
    let parts: Vec<String> =
        parts.iter().map(|(name, bytes)| format!("{name} {}", ByteSize(*bytes).rounded())).collect();
    format!("memory plan: {} ({})", ByteSize(bytes).rounded(), parts.join(", "))
}

/// `loss 0.512  accuracy 81.2 %  12.3 episodes/s  118 MiB of 120 MiB`.
fn step_text(step: &StepMetrics, planned: u64) -> String {
    let bytes = if planned > 0 {
        format!("{} of {}", ByteSize(step.bytes_in_use).rounded(), ByteSize(planned).rounded())
    } else {
        ByteSize(step.bytes_in_use).rounded()
    };
    let failed = match step.solve.as_ref().map_or(0, |solve| solve.failed_tasks) {
        0 => String::new(),
        tasks => format!("  {tasks} tasks diverged"),
    };
    format!(
        "loss {:.3}  accuracy {:.1} %{failed}  {:.1} episodes/s  {bytes}",
        step.loss,
        step.accuracy * 100.0,
        step.episodes_per_second
    )
}

/// `accuracy 96.31 ± 0.42 %, loss 0.123`.
fn validation_text(evaluation: &Evaluation) -> String {
    let (accuracy, interval) = (evaluation.accuracy * 100.0, evaluation.interval * 100.0);
    format!("accuracy {accuracy:.2} ± {interval:.2} %, loss {:.3}", evaluation.loss)
}

/// `accuracy 96.31 ± 0.42 % (600 episodes), loss 0.123`.
pub fn evaluation_text(evaluation: &Evaluation) -> String {
    format!(
        "accuracy {:.2} ± {:.2} % ({} episodes), loss {:.3}",
        evaluation.accuracy * 100.0,
        evaluation.interval * 100.0,
        evaluation.episodes,
        evaluation.loss
    )
}

fn duration_text(seconds: f64) -> String {
    // Beyond this nobody waits, and a conversion could not hold it.
    let whole = if seconds.is_finite() { seconds.clamp(0.0, 1e9).round() as u64 } else { 0 };
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_compiles() {
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
    }

    #[test]
    fn steps_and_evaluations_read_well() {
        let step = StepMetrics {
            loss: 0.5123,
            accuracy: 0.812,
            episodes_per_second: 12.34,
            bytes_in_use: 118 << 20,
            ..StepMetrics::default()
        };
        assert_eq!(step_text(&step, 120 << 20), "loss 0.512  accuracy 81.2 %  12.3 episodes/s  118 MiB of 120 MiB");
        let evaluation = Evaluation { episodes: 600, loss: 0.1234, accuracy: 0.96312, interval: 0.0042 };
        assert_eq!(evaluation_text(&evaluation), "accuracy 96.31 ± 0.42 % (600 episodes), loss 0.123");
    }

    #[test]
    fn plans_name_what_is_largest() {
        let part = |category: &str, bytes| CategoryBytes { category: category.to_owned(), bytes };
        let parts = [part("images", 1024), part("gradient", 10), part("activations", 5120), part("rows", 2048)];
        assert_eq!(
            plan_text(8202, &parts),
            "memory plan: 8.01 KiB (activations 5.00 KiB, rows 2.00 KiB, rest 1.01 KiB)"
        );
    }

    #[test]
    fn durations_read_well() {
        for (seconds, text) in [(12.4, "12 s"), (125.0, "2 min 05 s"), (7300.0, "2 h 01 min"), (f64::NAN, "0 s")] {
            assert_eq!(duration_text(seconds), text);
        }
    }
}
