//! The tab Settings, and the settings themselves.

mod store;

use egui::{RichText, Ui};
use serde::{Deserialize, Serialize};

pub(crate) use store::SettingsStore;

use crate::panel::{Panel, Shared};
use crate::theme::space;
use crate::widgets::{card, panel_heading};

/// Which theme to draw in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThemeChoice {
    /// As the system has it.
    #[default]
    System,
    /// Dark text on light paper.
    Light,
    /// Light text on dark paper.
    Dark,
}

impl From<ThemeChoice> for egui::ThemePreference {
    fn from(choice: ThemeChoice) -> Self {
        match choice {
            ThemeChoice::System => Self::System,
            ThemeChoice::Light => Self::Light,
            ThemeChoice::Dark => Self::Dark,
        }
    }
}

/// What the user chose once and for all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// The theme.
    pub theme: ThemeChoice,
    /// The size of everything; 1 is the system's.
    pub scale: f32,
    /// The adapter by (part of) its name; the system's choice when absent.
    pub adapter: Option<String>,
    /// The most bytes of GPU buffers that a run may plan; no limit when absent.
    pub budget_bytes: Option<u64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { theme: ThemeChoice::System, scale: 1.0, adapter: None, budget_bytes: None }
    }
}

impl Settings {
    /// What the stored text says may come from anywhere: everything within its bounds.
    fn within_bounds(mut self) -> Self {
        self.scale = if self.scale.is_finite() { self.scale.clamp(SMALLEST, LARGEST) } else { 1.0 };
        self.budget_bytes = self.budget_bytes.map(|bytes| bytes.clamp(MEBIBYTE, MOST_MEBIBYTES * MEBIBYTE));
        self
    }
}

const SMALLEST: f32 = 0.5;
const LARGEST: f32 = 3.0;
const MEBIBYTE: u64 = 1 << 20;
const MOST_MEBIBYTES: u64 = 1 << 20;
/// The budget that the box begins with.
const FIRST_BUDGET: u64 = 512 * MEBIBYTE;
const SCALES: [(f32, &str); 6] =
    [(0.8, "80 %"), (0.9, "90 %"), (1.0, "100 %"), (1.15, "115 %"), (1.3, "130 %"), (1.5, "150 %")];

/// The tab Settings.
#[derive(Default)]
pub(crate) struct SettingsPanel {
    /// What the exported state says of the settings.
    shown: Settings,
}

impl Panel for SettingsPanel {
    fn poll(&mut self, _ctx: &egui::Context, shared: &mut Shared) {
        self.shown.clone_from(&shared.settings);
    }

    fn ui(&mut self, ui: &mut Ui, shared: &mut Shared) {
        // Long lines of settings are hard to follow.
        ui.set_max_width(720.0);
        panel_heading(ui, "Settings", "How Inkling looks, and what it may use of this machine.");
        let settings = &mut shared.settings;
        card(ui, "Look", |ui| look_ui(ui, settings));
        ui.add_space(space::M);
        card(ui, "Memory budget", |ui| budget_ui(ui, settings));
        ui.add_space(space::M);
        let kept = if shared.services.storage.is_lasting() {
            "Settings and projects are kept on this device. Nothing leaves it."
        } else {
            "There is no place to keep settings here: they last until the window closes."
        };
        let version = env!("CARGO_PKG_VERSION");
        ui.add(egui::Label::new(RichText::new(format!("Inkling {version}. {kept}")).small().weak()).wrap());
    }

    fn state(&self) -> serde_json::Value {
        serde_json::to_value(&self.shown).unwrap_or_default()
    }
}

fn look_ui(ui: &mut Ui, settings: &mut Settings) {
    field_row(ui, "Theme", |ui| {
        for (theme, text) in
            [(ThemeChoice::System, "System"), (ThemeChoice::Light, "Light"), (ThemeChoice::Dark, "Dark")]
        {
            ui.selectable_value(&mut settings.theme, theme, text);
        }
    });
    field_row(ui, "Scale", |ui| {
        for (scale, text) in SCALES {
            ui.selectable_value(&mut settings.scale, scale, text);
        }
    });
}

/// A label and choices behind it, which wrap on narrow windows.
fn field_row(ui: &mut Ui, label: &str, choices: impl FnOnce(&mut Ui)) {
    ui.horizontal_wrapped(|ui| {
        let size = egui::vec2(72.0, ui.spacing().interact_size.y);
        ui.allocate_ui_with_layout(size, egui::Layout::left_to_right(egui::Align::Center), |ui| {
            ui.set_min_width(size.x);
            ui.label(label);
        });
        choices(ui);
    });
}

fn budget_ui(ui: &mut Ui, settings: &mut Settings) {
    let mut is_limited = settings.budget_bytes.is_some();
    ui.horizontal_wrapped(|ui| {
        ui.checkbox(&mut is_limited, "Refuse runs that plan more than");
        let mut mebibytes = settings.budget_bytes.unwrap_or(FIRST_BUDGET) / MEBIBYTE;
        let value = egui::DragValue::new(&mut mebibytes).range(1..=MOST_MEBIBYTES).suffix(" MiB").speed(8.0);
        let response = ui.add_enabled(is_limited, value);
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::SpinButton, is_limited, "Memory budget in MiB"));
        settings.budget_bytes = is_limited.then_some(mebibytes * MEBIBYTE);
    });
    let hint = "Every buffer is planned before a run begins. A run above the budget says which H, chunk or size fits.";
    ui.add(egui::Label::new(RichText::new(hint).small().weak()).wrap());
}
