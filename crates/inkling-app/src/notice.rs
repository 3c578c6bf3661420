//! Errors and warnings as people read them: a sentence and a remedy, where the thing happened.

use egui::{Align, Layout, Ui};

use crate::theme::{Palette, space};
use crate::widgets::{capitalized, close_button};

/// How much a notice matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Something failed.
    Error,
    /// Something that the user should know and that stops nothing.
    Warning,
    /// Something went as wished.
    Success,
}

/// One sentence about what happened, and one about what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// How much it matters.
    pub severity: Severity,
    /// What happened, without a full stop.
    pub sentence: String,
    /// What to do; empty where there is nothing to do.
    pub remedy: String,
}

impl Notice {
    /// A failure.
    pub fn error(sentence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { severity: Severity::Error, sentence: sentence.into(), remedy: remedy.into() }
    }

    /// A warning.
    pub fn warning(sentence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(sentence, remedy) }
    }

    /// Something that went as wished.
    pub fn success(sentence: impl Into<String>) -> Self {
        Self { severity: Severity::Success, ..Self::error(sentence, "") }
    }

    /// The message of a session's error. These say what failed, then `; ` or `. `, then the remedy.
    pub fn from_message(message: &str) -> Self {
        let cut = [message.find("; "), message.find(". ")].into_iter().flatten().min();
        match cut.and_then(|at| Some((message.get(..at)?, message.get(at + 2..)?))) {
            Some((sentence, remedy)) => Self::error(capitalized(sentence), capitalized(remedy)),
            None => Self::error(capitalized(message), ""),
        }
    }

    /// Draws the notice. Returns whether the user dismissed it.
    #[must_use]
    pub fn show(&self, ui: &mut Ui) -> bool {
        let palette = Palette::of(ui);
        let (accent, word) = match self.severity {
            Severity::Error => (palette.bad, "Error"),
            Severity::Warning => (palette.warn, "Warning"),
            Severity::Success => (palette.good, "Done"),
        };
        let frame = egui::Frame::new()
            .fill(palette.tint(accent))
            .stroke((1.0, accent.gamma_multiply(0.5)))
            .corner_radius(8)
            .inner_margin(egui::Margin::symmetric(space::M as i8, space::S as i8));
        frame
            .show(ui, |ui| {
                ui.with_layout(Layout::right_to_left(Align::Min), |ui| {
                    let dismissed = close_button(ui, &format!("Dismiss: {}", self.sentence)).clicked();
                    ui.with_layout(Layout::top_down(Align::Min).with_cross_justify(true), |ui| {
                        let sentence = egui::RichText::new(format!("{word}: {}", self.sentence)).color(accent);
                        ui.add(egui::Label::new(sentence).wrap());
                        if !self.remedy.is_empty() {
                            ui.add(egui::Label::new(&self.remedy).wrap());
                        }
                    });
                    dismissed
                })
                .inner
            })
            .inner
    }

    /// Draws the notice, if there is one, with room below it, and takes it away when dismissed.
    pub fn show_slot(slot: &mut Option<Self>, ui: &mut Ui) {
        if let Some(notice) = slot {
            let dismissed = notice.show(ui);
            ui.add_space(space::M);
            if dismissed {
                *slot = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_part_into_a_sentence_and_a_remedy() {
        let notice = Notice::from_message("the plan needs 2 GiB and the budget is 1 GiB; use smaller images");
        assert_eq!(notice.sentence, "The plan needs 2 GiB and the budget is 1 GiB");
        assert_eq!(notice.remedy, "Use smaller images");
        assert_eq!(Notice::from_message("it broke").remedy, "");
        assert_eq!(Notice::from_message("").sentence, "");
        assert_eq!(Notice::from_message("é; ß. x").sentence, "É");
    }
}
