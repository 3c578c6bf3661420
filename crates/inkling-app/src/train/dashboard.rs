//! The run as the panel shows it: where it stands, its figures, curves and episodes.

use egui::{RichText, Ui};
use inkling_session::events::Ending;
use inkling_session::units::{ByteSize, TimeSpan};

use super::curves::CurvesView;
use super::episode::EpisodeView;
use super::view::{Phase, RunView};
use crate::chart::short;
use crate::teach::thousands;
use crate::theme::{Palette, figure_style, space};
use crate::widgets::{card, empty_state, meter};

/// Where a run stands, in one line with a meter.
pub(super) fn progress_ui(ui: &mut Ui, run: &RunView) {
    let palette = Palette::of(ui);
    let color = match run.phase {
        Phase::Failed | Phase::DeviceLost => palette.bad,
        Phase::Paused | Phase::Pausing | Phase::Finished(Ending::Interrupted | Ending::TimeLimit) => palette.warn,
        Phase::Finished(Ending::Completed) => palette.good,
        Phase::Starting | Phase::Running | Phase::Stopping => palette.accent,
    };
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new(run.phase.word()).color(color));
        if run.steps > 0 {
            ui.label(format!("step {} of {}", thousands(run.step()), thousands(run.steps)));
        }
        if run.phase == Phase::Starting {
            ui.spinner();
            ui.weak("Opening the device and compiling kernels…");
        }
        if let Some(seconds) = run.seconds_left().filter(|seconds| run.phase == Phase::Running && *seconds >= 1.0) {
            ui.weak(format!("about {} left", rough(seconds)));
        }
        if let Some(step) = run.last_checkpoint {
            ui.weak(format!("checkpoint of step {}", thousands(step)));
        }
    });
    let label = format!("{} of {} steps", run.step(), run.steps);
    meter(ui, run.share(), color, &label);
}

/// A span of time to the two units that matter.
fn rough(seconds: f64) -> String {
    let whole = std::time::Duration::from_secs(seconds.clamp(0.0, 1e9) as u64);
    let text = TimeSpan(whole).to_string();
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

/// Figures, curves, and the newest episode.
pub(super) fn run_ui(ui: &mut Ui, run: &RunView, curves: &mut CurvesView, episode: &mut EpisodeView) {
    figures_ui(ui, run);
    ui.add_space(space::M);
    if run.history.rows().is_empty() {
        card(ui, "", |ui| match run.phase {
            Phase::Failed | Phase::DeviceLost => {
                empty_state(ui, "No step was done", "Put the cause right and start again.")
            }
            _ => empty_state(
                ui,
                "No step yet",
                "Curves begin with the first step. Compiling kernels for the first time takes a while.",
            ),
        });
    } else {
        curves.ui(ui, &run.history, run.revision, run.phase == Phase::Running);
    }
    ui.add_space(space::XS);
    card(ui, "Episode", |ui| match &run.snapshot {
        Some(snapshot) => episode.ui(ui, snapshot),
        None => empty_state(
            ui,
            "No episode yet",
            "Support and query images appear here with what the learner makes of them.",
        ),
    });
}

/// Room for the longest figure, `89.7 ± 2.0 %`.
const FIGURE_WIDTH: f32 = 150.0;

/// The numbers that matter, each with its unit and what it is.
fn figures_ui(ui: &mut Ui, run: &RunView) {
    let mut figures: Vec<(&str, String, String)> = Vec::new();
    if let Some(row) = run.history.last() {
        figures.push(("Query loss", short(row.loss.into()), String::new()));
        figures.push(("Query accuracy", format!("{:.1} %", row.accuracy * 100.0), String::new()));
        let speed = (row.episodes_per_second > 0.0).then(|| short_speed(row.episodes_per_second));
        figures.push(("Speed", speed.unwrap_or_else(|| "–".to_owned()), "episodes/s".to_owned()));
    }
    if let Some(best) = &run.best {
        let (accuracy, half) = (best.evaluation.accuracy * 100.0, best.evaluation.interval * 100.0);
        figures.push((
            "Best validation",
            format!("{accuracy:.1} ± {half:.1} %"),
            format!("step {}", thousands(best.step)),
        ));
    }
    if let Some((planned, _)) = &run.planned {
        let in_use = run.history.last().map_or(0, |row| row.bytes_peak);
        let peak = if in_use > 0 { format!("peak {}", ByteSize(in_use).rounded()) } else { String::new() };
        figures.push(("Planned memory", ByteSize(*planned).rounded(), peak));
    }
    if figures.is_empty() {
        return;
    }
    card(ui, "", |ui| {
        let columns = ((ui.available_width() / FIGURE_WIDTH) as usize).clamp(1, figures.len());
        for row in figures.chunks(columns) {
            let has_remarks = row.iter().any(|(_, _, remark)| !remark.is_empty());
            ui.columns(columns, |columns| {
                for (column, (name, value, remark)) in columns.iter_mut().zip(row) {
                    figure_ui(column, name, value, remark);
                }
            });
            // Without remarks nothing stands between a number and the next row's name.
            ui.add_space(if has_remarks { space::XS } else { space::S });
        }
        let place = run.folder.as_ref().map_or_else(|| "in memory".to_owned(), |path| path.display().to_string());
        if !run.adapter.is_empty() {
            ui.add(egui::Label::new(RichText::new(format!("On {}, {place}", run.adapter)).small().weak()).wrap());
        }
    });
}

fn short_speed(speed: f64) -> String {
    if speed >= 100.0 { format!("{speed:.0}") } else { format!("{speed:.1}") }
}

fn figure_ui(ui: &mut Ui, name: &str, value: &str, remark: &str) {
    ui.vertical(|ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        ui.label(RichText::new(name).small().weak());
        ui.label(RichText::new(value).text_style(figure_style()));
        if !remark.is_empty() {
            ui.label(RichText::new(remark).small().weak());
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_rough() {
        assert_eq!(rough(3.9), "3s");
        assert_eq!(rough(3723.0), "1h 2m");
        assert_eq!(rough(f64::NAN), "0s");
    }
}
