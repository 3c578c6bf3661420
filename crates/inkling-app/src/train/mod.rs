//! The tab Meta-train: a form that describes a run beside its memory plan, and the run itself as its
//! events tell it.

mod curves;
mod dashboard;
mod data;
mod episode;
mod live;
mod network;
mod plan;
pub(crate) mod port;
mod setup;
#[cfg(test)]
mod tests;
mod view;

use std::path::{Path, PathBuf};
use std::time::Duration;

use egui::{Context, ScrollArea, Ui};
use inkling_platform::{FileError, FileFilter, Pending, pick_files, pick_folder, save_file};
use inkling_session::config::RunConfig;
use inkling_session::error::RunError;
use inkling_session::history::History;
use inkling_session::run_folder::RunFolder;
use inkling_session::session::{Command, LiveSetting, RunRequest, Target};
use serde_json::json;

use crate::notice::Notice;
use crate::panel::{Panel, Shared};
use crate::theme::{Palette, space};
use crate::widgets::{card, empty_state, is_narrow, panel_heading, primary_button};
use curves::CurvesView;
use episode::EpisodeView;
use live::LiveForm;
use port::{RunPort, Starter};
use setup::Setup;
use view::{Phase, RunView};

/// While a run goes on, its events are looked for this often.
const POLL: Duration = Duration::from_millis(50);
/// About so many episodes are shown over a run.
const SNAPSHOTS: u64 = 40;
const ARCHIVE: FileFilter = FileFilter { name: "Archive of a run", extensions: &["zip"] };

/// A run that was started here.
struct ActiveRun {
    port: Box<dyn RunPort>,
    view: RunView,
    live: LiveForm,
    request: RunRequest,
    name: String,
}

/// A run that was picked to go on.
struct Picked {
    request: RunRequest,
    history: History,
    name: String,
}

/// The tab Meta-train.
pub(crate) struct TrainPanel {
    setup: Setup,
    run: Option<ActiveRun>,
    starter: Starter,
    curves: CurvesView,
    episode: EpisodeView,
    picking: Option<Pending<Result<Option<Picked>, Notice>>>,
    saving: Option<Pending<Result<Option<String>, FileError>>>,
    notice: Option<Notice>,
    /// Whether a narrow window shows the form although a run is there.
    shows_form: bool,
}

impl Default for TrainPanel {
    fn default() -> Self {
        Self {
            setup: Setup::default(),
            run: None,
            starter: port::real_starter(),
            curves: CurvesView::default(),
            episode: EpisodeView::default(),
            picking: None,
            saving: None,
            notice: None,
            shows_form: false,
        }
    }
}

impl TrainPanel {
    #[cfg(test)]
    pub(crate) fn set_starter(&mut self, starter: Starter) {
        self.starter = starter;
    }

    /// Starts a run with a configuration from outside, and shows both.
    pub(crate) fn start_config(&mut self, config: RunConfig, target: Target, shared: &Shared) {
        self.setup.take_config(config.clone());
        let name = target.folder().map_or_else(|| self.setup.run_name(), name_of);
        let mut request = RunRequest::new(config, target);
        request.adapter = shared.settings.adapter.clone();
        self.begin(request, History::default(), name);
    }

    fn phase(&self) -> Option<Phase> {
        self.run.as_ref().map(|run| run.view.phase)
    }

    fn is_going_on(&self) -> bool {
        self.phase().is_some_and(|phase| !phase.is_over())
    }

    fn start(&mut self, shared: &Shared) {
        let name = self.setup.run_name();
        let (target, name) = match &shared.services.runs_folder {
            Some(folder) => {
                let path = free_folder(folder, &name);
                let name = name_of(&path);
                (Target::New(path), name)
            }
            None => (Target::Memory, name),
        };
        let mut request = RunRequest::new(self.setup.config(shared.settings.budget_bytes), target);
        request.dataset = self.setup.data.dataset();
        request.weights = self.setup.weights();
        request.adapter = shared.settings.adapter.clone();
        self.begin(request, History::default(), name);
    }

    fn begin(&mut self, request: RunRequest, history: History, name: String) {
        let port = (self.starter)(request.clone());
        let live = LiveForm::of(&request.config);
        let every = (request.config.training.steps / SNAPSHOTS).max(1);
        port.send(Command::Set(LiveSetting::SnapshotEvery(every)));
        self.run = Some(ActiveRun { port, view: RunView::continuing(history), live, request, name });
        self.shows_form = false;
        self.notice = None;
    }

    /// Goes on with a run that was picked. Data that came as files has no path that could be opened
    /// again: it must be open here.
    fn resume(&mut self, picked: Picked) {
        let mut request = picked.request;
        let (asked, open) = (request.config.open_options(), self.setup.open_options());
        let is_open = (asked.image_size, asked.center_crop) == (open.image_size, open.center_crop);
        if request.config.data.spec == self.setup.data.spec() && is_open {
            request.dataset = self.setup.data.dataset();
        }
        self.begin(request, picked.history, picked.name);
    }

    /// Goes on with the run that has ended, where its files are.
    fn go_on(&mut self) {
        let Some(run) = self.run.take() else { return };
        let mut request = run.request;
        request.passes = run.view.smaller.map(|smaller| smaller.passes).or(request.passes);
        request.target = match (run.view.folder, run.view.archive) {
            (Some(folder), _) => Target::Resume(folder),
            (None, Some(archive)) => Target::ResumeArchive(archive.to_vec()),
            (None, None) => {
                let remedy = "Start a new run";
                self.notice = Some(Notice::error("This run has left nothing to go on from", remedy));
                return;
            }
        };
        self.begin(request, run.view.history, run.name);
    }

    fn send(&mut self, command: Command, phase: Option<Phase>) {
        let Some(run) = &mut self.run else { return };
        if !run.port.send(command) {
            // What it said last may still wait in the channel.
            while let Some(event) = run.port.try_event() {
                run.view.take(event);
            }
            run.view.vanish();
        } else if let Some(phase) = phase {
            run.view.phase = phase;
        }
    }

    fn take_events(&mut self, ctx: &Context, shared: &mut Shared) {
        let Some(run) = &mut self.run else { return };
        while let Some(event) = run.port.try_event() {
            run.view.take(event);
        }
        if run.view.snapshot.is_some() {
            shared.study.snapshot.clone_from(&run.view.snapshot);
        }
        shared.study.solves = run.view.history.solves().to_vec();
        if !run.view.phase.is_over() {
            ctx.request_repaint_after(POLL);
        }
    }

    fn take_answers(&mut self, ctx: &Context) {
        if let Some(picked) = self.picking.as_mut().and_then(Pending::take) {
            self.picking = None;
            match picked {
                Ok(Some(picked)) => self.resume(picked),
                Ok(None) => {}
                Err(notice) => self.notice = Some(notice),
            }
        }
        if let Some(saved) = self.saving.as_mut().and_then(Pending::take) {
            self.saving = None;
            match saved {
                Ok(Some(place)) => self.notice = Some(Notice::success(format!("Saved as {place}"))),
                Ok(None) => {}
                Err(error) => self.notice = Some(data::of_file(&error)),
            }
        }
        if self.picking.is_some() || self.saving.is_some() || self.setup.data.is_busy() {
            ctx.request_repaint_after(POLL);
        }
    }

    /// The buttons for where the run stands; the one that comes next is strong.
    fn controls_ui(&mut self, ui: &mut Ui, shared: &Shared) {
        let problem = self.setup.problem(shared.settings.budget_bytes);
        ui.horizontal_wrapped(|ui| match self.phase() {
            Some(Phase::Starting | Phase::Running) => {
                if primary_button(ui, "Pause", true).clicked() {
                    self.send(Command::Pause, Some(Phase::Pausing));
                }
                self.checkpoint_button(ui);
                self.stop_button(ui);
            }
            Some(Phase::Paused | Phase::Pausing) => {
                if primary_button(ui, "Go on", true).clicked() {
                    self.send(Command::Resume, None);
                }
                if ui.button("One step").clicked() {
                    self.send(Command::Step, None);
                }
                self.checkpoint_button(ui);
                self.stop_button(ui);
            }
            Some(Phase::Stopping) => {
                ui.spinner();
                ui.weak("Writing a checkpoint…");
            }
            phase => {
                let can_go_on = phase.is_some() && self.run.as_ref().is_some_and(|run| run.view.can_go_on);
                if can_go_on {
                    self.go_on_button(ui);
                }
                let start = if can_go_on {
                    ui.add_enabled(problem.is_none(), egui::Button::new("Start anew"))
                } else {
                    primary_button(ui, "Start", problem.is_none())
                };
                let start = problem.iter().fold(start, |start, problem| start.on_disabled_hover_text(problem));
                if start.clicked() {
                    self.start(shared);
                }
                let what =
                    if shared.services.has_file_system { "Resume a run folder…" } else { "Resume an archive…" };
                if ui.add_enabled(self.picking.is_none(), egui::Button::new(what)).clicked() {
                    self.pick_run(shared);
                }
            }
        });
        if let Some(problem) = problem.filter(|_| !self.is_going_on()) {
            let palette = Palette::of(ui);
            ui.add(egui::Label::new(egui::RichText::new(problem).small().color(palette.warn)).wrap());
        }
    }

    /// Asks for a checkpoint, and for the zip of a run whose files are in memory.
    fn checkpoint_button(&mut self, ui: &mut Ui) {
        let Some(run) = &mut self.run else { return };
        let is_in_memory = run.request.target.folder().is_none();
        let hint = if is_in_memory {
            "Keeps the run as it is now; then it can be saved as a zip, and go on from there later"
        } else {
            "Writes the run as it is now into its folder; it can go on from there later"
        };
        let can_ask = run.view.step() > 0 && !run.view.awaits_checkpoint;
        let button = ui.add_enabled(can_ask, egui::Button::new("Save a checkpoint")).on_hover_text(hint);
        if button.clicked() {
            run.view.awaits_checkpoint = true;
            self.send(Command::Checkpoint, None);
            if is_in_memory {
                self.send(Command::Export, None);
            }
        }
    }

    fn stop_button(&mut self, ui: &mut Ui) {
        if ui
            .button("Stop")
            .on_hover_text("Finishes the step, writes a checkpoint and ends; it can go on later")
            .clicked()
        {
            self.send(Command::Stop, Some(Phase::Stopping));
        }
    }

    fn go_on_button(&mut self, ui: &mut Ui) {
        let smaller = self.run.as_ref().and_then(|run| run.view.smaller);
        let text = smaller.map_or_else(
            || "Go on from the checkpoint".to_owned(),
            |smaller| {
                let bytes = inkling_session::units::ByteSize(smaller.bytes).rounded();
                format!("Go on with {} images per pass ({bytes})", smaller.passes.chunk)
            },
        );
        if primary_button(ui, &text, true).clicked() {
            self.go_on();
        }
    }

    fn pick_run(&mut self, shared: &Shared) {
        let adapter = shared.settings.adapter.clone();
        self.picking = Some(if shared.services.has_file_system {
            let picked = pick_folder();
            Pending::start(async move || match picked.answer().await {
                Some(Ok(Some(path))) => read_run(&path, adapter).map(Some),
                Some(Err(error)) => Err(data::of_file(&error)),
                _ => Ok(None),
            })
        } else {
            let picked = pick_files(ARCHIVE);
            Pending::start(async move || match picked.answer().await {
                Some(Ok(files)) => read_archive(files, adapter).await,
                Some(Err(error)) => Err(data::of_file(&error)),
                None => Ok(None),
            })
        });
    }

    /// The scale of the curves, and what can be taken away.
    fn exports_ui(&mut self, ui: &mut Ui) {
        let Some(run) = &self.run else { return };
        let has_rows = !run.view.history.rows().is_empty();
        let mut save: Option<(String, Vec<u8>)> = None;
        ui.horizontal_wrapped(|ui| {
            ui.selectable_value(&mut self.curves.is_logarithmic, false, "Linear");
            ui.selectable_value(&mut self.curves.is_logarithmic, true, "Logarithmic");
            ui.separator();
            let can_save = has_rows && self.saving.is_none();
            if ui.add_enabled(can_save, egui::Button::new("Save CSV")).clicked() {
                save = run.view.history.csv().ok().map(|csv| (format!("{}.csv", run.name), csv.into_bytes()));
            }
            if ui.add_enabled(can_save, egui::Button::new("Save SVG")).clicked() {
                save = run.view.history.svg().ok().map(|svg| (format!("{}.svg", run.name), svg.into_bytes()));
            }
            if let Some(archive) = &run.view.archive {
                // While the run goes on, its zip is that of the last checkpoint that was asked for.
                let text = match run.view.phase.is_over() {
                    true => "Save the run".to_owned(),
                    false => format!("Save the run (step {})", run.view.archive_step),
                };
                let button = egui::Button::new(text);
                let hint = "The run's folder as a zip: configuration, logs, checkpoints, curves";
                if ui.add_enabled(self.saving.is_none(), button).on_hover_text(hint).clicked() {
                    save = Some((format!("{}.zip", run.name), archive.to_vec()));
                }
            }
        });
        if let Some((name, bytes)) = save {
            self.saving = Some(save_file(&name, bytes));
        }
    }

    fn form_ui(&mut self, ui: &mut Ui, shared: &Shared) {
        let (budget, has_files) = (shared.settings.budget_bytes, shared.services.has_file_system);
        if self.is_going_on() {
            card(ui, "While it runs", |ui| {
                let settings = self.run.as_mut().map(|run| run.live.ui(ui)).unwrap_or_default();
                for setting in settings {
                    self.send(Command::Set(setting), None);
                }
            });
            ui.add_space(space::M);
            ui.add_enabled_ui(false, |ui| self.setup.ui(ui, &shared.library, budget, has_files));
        } else {
            self.setup.ui(ui, &shared.library, budget, has_files);
        }
    }

    fn head_ui(&mut self, ui: &mut Ui, shared: &Shared) {
        Notice::show_slot(&mut self.notice, ui);
        self.controls_ui(ui, shared);
        ui.add_space(space::XS);
        if let Some(run) = &mut self.run {
            dashboard::progress_ui(ui, &run.view);
            ui.add_space(space::S);
            Notice::show_slot(&mut run.view.notice, ui);
        }
        ui.add_space(space::XS);
    }

    fn body_ui(&mut self, ui: &mut Ui) {
        self.exports_ui(ui);
        match &mut self.run {
            Some(run) => {
                ui.add_space(space::S);
                dashboard::run_ui(ui, &run.view, &mut self.curves, &mut self.episode);
            }
            None => card(ui, "", |ui| {
                empty_state(
                    ui,
                    "No run yet",
                    "Choose what to learn from, look at the memory it takes, and press Start. \
                     Curves and episodes appear here.",
                );
            }),
        }
    }

    fn wide_ui(&mut self, ui: &mut Ui, shared: &Shared) {
        let frame = egui::Frame::new().inner_margin(egui::Margin { right: space::L as i8, ..egui::Margin::ZERO });
        let form = egui::Panel::left("form").exact_size(396.0).resizable(false).show_separator_line(false).frame(frame);
        form.show(ui, |ui| {
            ScrollArea::vertical().id_salt("form").auto_shrink(false).show(ui, |ui| {
                panel_heading(ui, "Meta-train", PURPOSE);
                self.form_ui(ui, shared);
            });
        });
        self.head_ui(ui, shared);
        ScrollArea::vertical().id_salt("run").auto_shrink(false).show(ui, |ui| self.body_ui(ui));
    }

    fn narrow_ui(&mut self, ui: &mut Ui, shared: &Shared) {
        panel_heading(ui, "Meta-train", PURPOSE);
        self.head_ui(ui, shared);
        if self.run.is_some() {
            ui.horizontal(|ui| {
                ui.selectable_value(&mut self.shows_form, false, "Run");
                ui.selectable_value(&mut self.shows_form, true, "Set-up");
            });
            ui.add_space(space::S);
        }
        if self.run.is_none() || self.shows_form {
            self.form_ui(ui, shared);
        } else {
            self.body_ui(ui);
        }
    }
}

const PURPOSE: &str = "Train a learner on many small tasks, so that it learns new classes from a few examples.";

impl Panel for TrainPanel {
    fn poll(&mut self, ctx: &Context, shared: &mut Shared) {
        if !shared.dropped.is_empty() {
            if self.is_going_on() {
                let remedy = "Stop the run, then drop them again";
                self.notice = Some(Notice::warning("A run keeps the data that it began with", remedy));
            } else {
                self.setup.data.take_files(std::mem::take(&mut shared.dropped));
            }
        }
        self.take_events(ctx, shared);
        self.take_answers(ctx);
        self.setup.poll(shared.settings.budget_bytes, shared.tier(), &shared.library);
        shared.study.config = self.setup.config(shared.settings.budget_bytes);
        shared.study.dataset = self.setup.data.dataset();
        shared.study.weights = self.setup.weights();
    }

    fn ui(&mut self, ui: &mut Ui, shared: &mut Shared) {
        if is_narrow(ui) { self.narrow_ui(ui, shared) } else { self.wide_ui(ui, shared) }
    }

    fn fills_window(&self, is_narrow: bool) -> bool {
        !is_narrow
    }

    fn state(&self) -> serde_json::Value {
        let config = self.setup.config(None);
        let mut state = json!({
            "data": self.setup.data.name(),
            "data_is_open": self.setup.data.card().is_some(),
            "estimator": config.gradient.estimator.name(),
            "h": config.gradient.h,
            "chunk": config.gradient.chunk,
            "plan_bytes": self.setup.plans.total(config.gradient.estimator),
            "problem": self.setup.problem(None),
            "notice": self.notice.as_ref().map(|notice| notice.sentence.clone()),
            "run": null,
        });
        if let Some(run) = &self.run {
            let view = &run.view;
            let last = view.history.last();
            state["run"] = json!({
                "phase": view.phase.word(),
                "step": view.step(),
                "steps": view.steps,
                "loss": last.map(|row| row.loss),
                "accuracy": last.map(|row| row.accuracy),
                "losses": view.history.rows().iter().take(16).map(|row| row.loss).collect::<Vec<_>>(),
                "episodes_per_second": last.map(|row| row.episodes_per_second),
                "bytes_in_use": last.map(|row| row.bytes_in_use),
                "bytes_peak": last.map(|row| row.bytes_peak),
                "planned_bytes": view.planned.as_ref().map(|planned| planned.0),
                "best_validation": view.best.as_ref().map(|best| best.evaluation.accuracy),
                "adapter": view.adapter,
                "support_accuracy": view.history.rows().iter().rev().find_map(|row| row.support_accuracy),
                "has_snapshot": view.snapshot.is_some(),
                "last_checkpoint": view.last_checkpoint,
                "awaits_checkpoint": view.awaits_checkpoint,
                "archive_bytes": view.archive.as_ref().map(|archive| archive.len()),
                "can_go_on": view.can_go_on,
                "notice": view.notice.as_ref().map(|notice| notice.sentence.clone()),
            });
        }
        state
    }

    fn badge(&self) -> Option<String> {
        let view = &self.run.as_ref().filter(|run| !run.view.phase.is_over())?.view;
        Some(match view.phase {
            Phase::Running => format!("{:.0} %", view.share() * 100.0),
            phase => phase.word().to_lowercase(),
        })
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().map_or_else(|| "run".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// The first folder of this name, or with a number behind it, that is not there yet.
fn free_folder(folder: &Path, name: &str) -> PathBuf {
    let numbered = (2..10_000).map(|number| folder.join(format!("{name}-{number}")));
    let mut candidates = std::iter::once(folder.join(name)).chain(numbered);
    candidates.find(|path| !path.exists()).unwrap_or_else(|| folder.join(name))
}

/// A run folder as a request to go on, with the rows that it has written.
fn read_run(path: &Path, adapter: Option<String>) -> Result<Picked, Notice> {
    let read = || Ok::<_, RunError>((RunFolder::read_config(path)?, History::of_folder(path)?));
    let (config, history) = read().map_err(|error| Notice::from_message(&error.to_string()))?;
    let request = RunRequest { adapter, ..RunRequest::new(config, Target::Resume(path.to_owned())) };
    Ok(Picked { request, history, name: name_of(path) })
}

/// The same for a run folder's zip.
async fn read_archive(
    files: Vec<inkling_platform::PickedFile>,
    adapter: Option<String>,
) -> Result<Option<Picked>, Notice> {
    let Some(file) = files.into_iter().next() else { return Ok(None) };
    let bytes = file.read().await.map_err(|error| data::of_file(&error))?;
    let read = || Ok::<_, RunError>((RunFolder::read_archive_config(&bytes)?, History::of_archive(&bytes)?));
    let (config, history) = read().map_err(|error| Notice::from_message(&error.to_string()))?;
    let request = RunRequest { adapter, ..RunRequest::new(config, Target::ResumeArchive(bytes.to_vec())) };
    Ok(Some(Picked { request, history, name: file.name().trim_end_matches(".zip").to_owned() }))
}
