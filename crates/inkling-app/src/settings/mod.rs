//! The tab Settings, and the settings themselves.

mod store;
#[cfg(test)]
mod tests;

use egui::{RichText, Ui};
use inkling_session::session::AdapterSummary;
use inkling_session::units::ByteSize;
use serde::{Deserialize, Serialize};

pub(crate) use store::SettingsStore;

use crate::adapters::Adapters;
use crate::notice::Notice;
use crate::panel::{Panel, Shared};
use crate::theme::space;
use crate::widgets::{card, panel_heading, to_tick};

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
const SCALES: [(f32, &str); 4] = [(0.8, "80 %"), (1.0, "100 %"), (1.25, "125 %"), (1.5, "150 %")];

/// The tab Settings.
#[derive(Default)]
pub(crate) struct SettingsPanel {
    /// What the exported state says of the settings.
    shown: Settings,
    adapters: Vec<String>,
}

impl Panel for SettingsPanel {
    fn poll(&mut self, _ctx: &egui::Context, shared: &mut Shared) {
        self.shown.clone_from(&shared.settings);
        if self.adapters.is_empty() {
            let all = shared.adapters.all().unwrap_or_default();
            self.adapters = all.iter().map(|adapter| adapter.name.clone()).collect();
        }
    }

    fn ui(&mut self, ui: &mut Ui, shared: &mut Shared) {
        // Long lines of settings are hard to follow.
        ui.set_max_width(ui.available_width().min(720.0));
        panel_heading(ui, "Settings", "How Inkling looks, and what it may use of this machine.");
        let settings = &mut shared.settings;
        card(ui, "Look", |ui| look_ui(ui, settings));
        ui.add_space(space::M);
        card(ui, "Memory budget", |ui| budget_ui(ui, settings));
        ui.add_space(space::M);
        card(ui, "Adapter", |ui| adapter_ui(ui, settings, &shared.adapters));
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
        let mut state = serde_json::to_value(&self.shown).unwrap_or_default();
        state["adapters"] = self.adapters.clone().into();
        state
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
    ui.horizontal_top(|ui| {
        let size = egui::vec2(72.0, ui.spacing().interact_size.y);
        ui.allocate_ui_with_layout(size, egui::Layout::left_to_right(egui::Align::Center), |ui| {
            ui.set_min_size(size);
            ui.label(label);
        });
        // A region of their own, so that what wraps stands below the first choice.
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = space::XS;
            choices(ui);
        });
    });
}

fn budget_ui(ui: &mut Ui, settings: &mut Settings) {
    let mut is_limited = settings.budget_bytes.is_some();
    ui.horizontal_wrapped(|ui| {
        to_tick(ui, |ui| ui.checkbox(&mut is_limited, "Refuse runs that plan more than"));
        let mut mebibytes = settings.budget_bytes.unwrap_or(FIRST_BUDGET) / MEBIBYTE;
        let value = egui::DragValue::new(&mut mebibytes).range(1..=MOST_MEBIBYTES).suffix(" MiB").speed(8.0);
        let response = ui.add_enabled(is_limited, value);
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::SpinButton, is_limited, "Memory budget in MiB"));
        settings.budget_bytes = is_limited.then_some(mebibytes * MEBIBYTE);
    });
    let hint = "Every buffer is planned before a run begins. A run above the budget says which H, chunk or size fits.";
    ui.add(egui::Label::new(RichText::new(hint).small().weak()).wrap());
}

fn adapter_ui(ui: &mut Ui, settings: &mut Settings, adapters: &Adapters) {
    let Some(all) = adapters.all() else {
        ui.horizontal(|ui| {
            ui.spinner();
            ui.weak("Looking for adapters…");
        });
        return;
    };
    let Some(first) = all.first() else {
        let notice = Notice::error(
            "There is no GPU adapter that can be opened",
            "Update the graphics driver; on Linux, the package mesa-vulkan-drivers brings one that needs no GPU",
        );
        let _ = notice.show(ui);
        return;
    };
    to_tick(ui, |ui| {
        ui.radio_value(&mut settings.adapter, None, format!("The system's choice: {}", first.name));
        for adapter in all {
            ui.radio_value(&mut settings.adapter, Some(adapter.name.clone()), &adapter.name);
        }
    });
    ui.add_space(space::XS);
    if let Some(adapter) = adapters.chosen(settings.adapter.as_deref()) {
        limits_ui(ui, adapter);
    }
    ui.add_space(space::XS);
    let hint = "Runs and lessons that go on keep the adapter that they began with.";
    ui.add(egui::Label::new(RichText::new(hint).small().weak()).wrap());
}

fn limits_ui(ui: &mut Ui, adapter: &AdapterSummary) {
    let bytes = |bytes: u64| ByteSize(bytes).rounded();
    let rows = [
        ("Interface", adapter.backend.clone()),
        ("Kind", kind_in_words(&adapter.kind).to_owned()),
        ("Driver", if adapter.driver.is_empty() { "–".to_owned() } else { adapter.driver.clone() }),
        ("Kernels", format!("for the tier {}", adapter.tier.name())),
        ("Largest buffer", bytes(adapter.max_buffer_bytes)),
        ("Largest binding", bytes(adapter.max_binding_bytes)),
        ("Storage buffers of a kernel", adapter.max_storage_buffers.to_string()),
        ("Invocations of a workgroup", adapter.max_invocations.to_string()),
        ("Workgroup memory", bytes(adapter.max_workgroup_bytes.into())),
        ("Kernels can be timed", if adapter.timestamps { "yes" } else { "no" }.to_owned()),
    ];
    egui::Grid::new("limits").num_columns(2).spacing([space::XL, space::XS]).min_row_height(20.0).show(ui, |ui| {
        for (name, value) in rows {
            ui.weak(name);
            ui.add(egui::Label::new(value).wrap());
            ui.end_row();
        }
    });
}

fn kind_in_words(kind: &str) -> &str {
    match kind {
        "DiscreteGpu" => "a graphics card of its own",
        "IntegratedGpu" => "graphics within the processor",
        "VirtualGpu" => "a virtual graphics card",
        "Cpu" => "software on the processor",
        other => other,
    }
}
