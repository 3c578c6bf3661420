//! The whole window.

use egui::{Context, Ui};
use inkling_platform::PickedFile;
use inkling_session::config::RunConfig;
use inkling_session::session::Target;
use serde_json::{Value, json};

use crate::inspect::InspectPanel;
use crate::learners::LearnersPanel;
use crate::panel::{Panel, Shared};
use crate::services::Services;
use crate::settings::{SettingsPanel, SettingsStore};
use crate::shell::{self, Tab};
use crate::teach::TeachPanel;
use crate::theme;
use crate::train::TrainPanel;
use crate::widgets::is_narrow;

/// Inkling's window: a bar of tabs and the panel that shows.
pub struct InklingApp {
    tab: Tab,
    shared: Shared,
    teach: TeachPanel,
    train: TrainPanel,
    inspect: InspectPanel,
    learners: LearnersPanel,
    settings: SettingsPanel,
    store: SettingsStore,
    dropped: Vec<PickedFile>,
    is_dressed: bool,
}

impl InklingApp {
    /// The window as it opens: on the tab Teach.
    pub fn new(services: Services) -> Self {
        Self {
            tab: Tab::Teach,
            shared: Shared::new(services),
            teach: TeachPanel::default(),
            train: TrainPanel::default(),
            inspect: InspectPanel::default(),
            learners: LearnersPanel::default(),
            settings: SettingsPanel::default(),
            store: SettingsStore::default(),
            dropped: Vec::new(),
            is_dressed: false,
        }
    }

    /// Replaces what starts runs.
    #[cfg(test)]
    pub(crate) fn set_starter(&mut self, starter: crate::train::port::Starter) {
        self.train.set_starter(starter);
    }

    /// Replaces what starts reports.
    #[cfg(test)]
    pub(crate) fn set_report_starter(&mut self, starter: crate::inspect::port::Starter) {
        self.inspect.set_starter(starter);
    }

    /// The tab that shows.
    pub fn tab(&self) -> Tab {
        self.tab
    }

    /// Shows another tab.
    pub fn show_tab(&mut self, tab: Tab) {
        self.tab = tab;
    }

    /// Starts a run and shows it, as `--run` asks for.
    pub fn start_run(&mut self, config: RunConfig, target: Target) {
        self.tab = Tab::MetaTrain;
        self.train.start_config(config, target, &self.shared);
    }

    /// What the panels share, for the front end that hands out services.
    pub fn shared_mut(&mut self) -> &mut Shared {
        &mut self.shared
    }

    /// Takes what sessions said. [`InklingApp::ui`] does this too; a front end calls it while its
    /// window is hidden, so that a run goes on.
    pub fn poll(&mut self, ctx: &Context) {
        self.store.poll(ctx, &mut self.shared);
        let is_asked_for = matches!(self.tab, Tab::MetaTrain | Tab::Inspect | Tab::Settings);
        self.shared.adapters.poll(ctx, is_asked_for);
        for tab in Tab::ALL {
            if tab == self.tab {
                self.shared.dropped = std::mem::take(&mut self.dropped);
            }
            let (panel, shared) = self.panel(tab);
            panel.poll(ctx, shared);
            shared.dropped.clear();
        }
    }

    /// Files and folders that were dropped onto the window, or pasted into it; the visible tab takes
    /// them. Front ends make these of what their window system hands them.
    pub fn drop_files(&mut self, files: Vec<PickedFile>) {
        self.dropped.extend(files);
    }

    /// Draws the window into `ui`, which has no margin.
    pub fn ui(&mut self, ui: &mut Ui) {
        self.dress(ui.ctx());
        // `ui` was made before the look changed.
        ui.reset_style();
        self.poll(ui.ctx());
        if let Some(tab) = shell::pressed_tab(ui.ctx()) {
            self.tab = tab;
        }
        if let Some(tab) = self.shared.go_to.take() {
            self.tab = tab;
        }
        let badges = Tab::ALL.map(|tab| self.panel(tab).0.badge());
        let current = self.tab;
        if let Some(tab) = shell::tab_bar(ui, current, &badges) {
            self.tab = tab;
        }
        let tab = self.tab;
        let fills = self.panel(tab).0.fills_window(is_narrow(ui));
        shell::content(ui, tab, fills, |ui| {
            crate::notice::Notice::show_slot(&mut self.shared.notice, ui);
            let (panel, shared) = self.panel(tab);
            panel.ui(ui, shared);
        });
    }

    /// The state of the window as JSON, for tests of the page: it has no accessibility tree.
    pub fn state(&self) -> Value {
        let mut state = json!({
            "tab": self.tab.id(),
            "notice": self.shared.notice.as_ref().map(|notice| notice.sentence.clone()),
        });
        for (tab, panel) in self.panels() {
            state[tab.id()] = panel.state();
        }
        state
    }

    /// The look, the theme and the scale; egui wants to hear of them once, and of every change.
    fn dress(&mut self, ctx: &Context) {
        if !self.is_dressed {
            theme::install(ctx);
            // Fonts count from the next pass on, and this one has none.
            ctx.request_discard("the fonts are new");
            self.is_dressed = true;
        }
        ctx.set_theme(egui::ThemePreference::from(self.shared.settings.theme));
        if ctx.zoom_factor() != self.shared.settings.scale {
            ctx.set_zoom_factor(self.shared.settings.scale);
        }
    }

    fn panel(&mut self, tab: Tab) -> (&mut dyn Panel, &mut Shared) {
        let panel: &mut dyn Panel = match tab {
            Tab::Teach => &mut self.teach,
            Tab::MetaTrain => &mut self.train,
            Tab::Inspect => &mut self.inspect,
            Tab::Learners => &mut self.learners,
            Tab::Settings => &mut self.settings,
        };
        (panel, &mut self.shared)
    }

    fn panels(&self) -> [(Tab, &dyn Panel); 5] {
        [
            (Tab::Teach, &self.teach),
            (Tab::MetaTrain, &self.train),
            (Tab::Inspect, &self.inspect),
            (Tab::Learners, &self.learners),
            (Tab::Settings, &self.settings),
        ]
    }
}
