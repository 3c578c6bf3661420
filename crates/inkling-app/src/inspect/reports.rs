//! The reports of `inkling report`, run and drawn in place.

use std::time::Duration;

use egui::{Context, RichText, Ui};
use inkling_platform::{FileError, Pending, save_file};
use inkling_session::config::{EstimatorKind, HeadKind, LearnerKind, RunConfig};
use inkling_session::plot::{Plot, render};
use inkling_session::report::{convergence, csv, estimators, memory};
use inkling_session::run::{ConvergenceSettings, MemoryAxes};
use inkling_session::session::{Points, Report, ReportEvent, ReportRequest};

use super::port::{ReportPort, Starter};
use crate::chart;
use crate::notice::Notice;
use crate::panel::Study;
use crate::theme::{Palette, space};
use crate::widgets::{empty_state, field, is_narrow, meter, primary_button};

/// Which report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Gradient estimators against the exact gradient.
    #[default]
    Estimators,
    /// Memory against K, N and image size.
    Memory,
    /// Convergence of the bilevel algorithms.
    Convergence,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Estimators, Self::Memory, Self::Convergence];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Estimators => "Estimators",
            Self::Memory => "Memory",
            Self::Convergence => "Convergence",
        }
    }

    fn purpose(self) -> &'static str {
        match self {
            Self::Estimators => {
                "Bias and error of lite and subsampled gradients against the exact one, over the share of the \
                 support that is back-propagated. On the task that Meta-train describes."
            }
            Self::Memory => {
                "Planned and measured peak bytes of one outer step, over the inner steps K and the support images N. \
                 On the task that Meta-train describes."
            }
            Self::Convergence => {
                "How the two bilevel algorithms approach a stationary point of quadratic tasks whose hypergradient \
                 has a closed form."
            }
        }
    }
}

/// What reports are run on.
pub(crate) struct Asked<'a> {
    pub(crate) study: &'a Study,
    pub(crate) adapter: Option<String>,
}

enum Stage {
    Idle,
    Working { port: Box<dyn ReportPort>, done: u32, of: u32, is_cancelled: bool },
    Done { points: Points, plots: Vec<Plot> },
}

/// The choice of a report, its progress and its plots.
pub(crate) struct ReportsView {
    kind: Kind,
    draws: u32,
    seeds: u32,
    stage: Stage,
    starter: Starter,
    notice: Option<Notice>,
    saving: Option<Pending<Result<Option<String>, FileError>>>,
}

impl ReportsView {
    pub(crate) fn new(starter: Starter) -> Self {
        let (kind, stage) = (Kind::default(), Stage::Idle);
        Self { kind, draws: 50, seeds: 5, stage, starter, notice: None, saving: None }
    }

    /// Takes what the report and the saving of files said.
    pub(crate) fn poll(&mut self, ctx: &Context) {
        let mut last = None;
        if let Stage::Working { port, done, of, .. } = &mut self.stage {
            while let Some(event) = port.try_event() {
                match event {
                    ReportEvent::Progress { done: measured, of: all, .. } => (*done, *of) = (measured, all),
                    other => last = Some(other),
                }
            }
            ctx.request_repaint_after(Duration::from_millis(100));
        }
        match last {
            Some(ReportEvent::Done(points)) => {
                let plots = plots(&points);
                self.stage = Stage::Done { points, plots };
            }
            Some(ReportEvent::Failed { message, .. }) => {
                self.stage = Stage::Idle;
                self.notice = Some(Notice::from_message(&message));
            }
            Some(_) => self.stage = Stage::Idle,
            None => {}
        }
        if let Some(saved) = self.saving.as_mut().and_then(Pending::take) {
            self.saving = None;
            match saved {
                Ok(Some(place)) => self.notice = Some(Notice::success(format!("Saved as {place}"))),
                Ok(None) => {}
                Err(error) => self.notice = Some(Notice::from_message(&error.to_string())),
            }
        }
    }

    /// Draws the reports. `asked` is what they are run on.
    pub(crate) fn ui(&mut self, ui: &mut Ui, asked: &Asked<'_>) {
        let is_working = matches!(self.stage, Stage::Working { .. });
        ui.horizontal_wrapped(|ui| {
            ui.add_enabled_ui(!is_working, |ui| {
                for kind in Kind::ALL {
                    if ui.selectable_value(&mut self.kind, kind, kind.title()).changed() {
                        self.stage = Stage::Idle;
                        self.notice = None;
                    }
                }
            });
        });
        ui.add(egui::Label::new(RichText::new(self.kind.purpose()).weak()).wrap());
        ui.add_space(space::XS);
        Notice::show_slot(&mut self.notice, ui);
        match self.stage {
            Stage::Working { .. } => self.working_ui(ui),
            Stage::Idle => self.idle_ui(ui, asked),
            Stage::Done { .. } => self.done_ui(ui, asked),
        }
    }

    fn idle_ui(&mut self, ui: &mut Ui, asked: &Asked<'_>) {
        self.start_ui(ui, asked);
        empty_state(ui, "Not measured yet", "Measuring takes from seconds to some minutes, and can be cancelled.");
    }

    fn start_ui(&mut self, ui: &mut Ui, asked: &Asked<'_>) {
        match self.kind {
            Kind::Estimators => {
                field(ui, "Draws for each H", |ui| ui.add(egui::DragValue::new(&mut self.draws).range(2..=10_000)));
            }
            Kind::Convergence => {
                field(ui, "Independent runs", |ui| ui.add(egui::DragValue::new(&mut self.seeds).range(2..=100)));
            }
            Kind::Memory => {}
        }
        if primary_button(ui, "Measure", true).clicked() {
            let port = (self.starter)(self.request(asked));
            self.stage = Stage::Working { port, done: 0, of: 0, is_cancelled: false };
            self.notice = None;
        }
    }

    fn request(&self, asked: &Asked<'_>) -> ReportRequest {
        let config = asked.study.config.clone();
        let report = match self.kind {
            Kind::Estimators => Report::Estimators { config, weights: None, draws: self.draws },
            Kind::Memory => memory_of(config),
            Kind::Convergence => {
                Report::Convergence(ConvergenceSettings { seeds: self.seeds, ..ConvergenceSettings::default() })
            }
        };
        let Study { dataset, weights, .. } = asked.study;
        ReportRequest { report, dataset: dataset.clone(), weights: weights.clone(), adapter: asked.adapter.clone() }
    }

    fn working_ui(&mut self, ui: &mut Ui) {
        let palette = Palette::of(ui);
        let Stage::Working { port, done, of, is_cancelled } = &mut self.stage else { return };
        let text = match (*is_cancelled, *of) {
            (true, _) => "Ending after this point…".to_owned(),
            (_, 0) => "Opening the device and compiling kernels…".to_owned(),
            (_, of) => format!("Measured {done} of {of} points"),
        };
        ui.label(&text);
        meter(ui, if *of == 0 { 0.0 } else { *done as f32 / *of as f32 }, palette.accent, &text);
        ui.add_space(space::XS);
        if ui.add_enabled(!*is_cancelled, egui::Button::new("Cancel")).clicked() {
            port.cancel();
            *is_cancelled = true;
        }
    }

    fn done_ui(&mut self, ui: &mut Ui, asked: &Asked<'_>) {
        let mut save = None;
        if let Stage::Done { points, plots } = &self.stage {
            let name = self.kind.title().to_lowercase();
            ui.horizontal_wrapped(|ui| {
                let can_save = self.saving.is_none();
                if ui.add_enabled(can_save, egui::Button::new("Save CSV")).clicked() {
                    save = table(points).ok().map(|csv| (format!("{name}.csv"), csv.into_bytes()));
                }
                if ui.add_enabled(can_save, egui::Button::new("Save SVG")).clicked() {
                    save = render(plots).ok().map(|svg| (format!("{name}.svg"), svg.into_bytes()));
                }
            });
            ui.add_space(space::S);
            let columns = if is_narrow(ui) || ui.available_width() < 640.0 { 1 } else { 2 };
            for row in plots.chunks(columns) {
                ui.columns(columns, |columns| {
                    for (column, plot) in columns.iter_mut().zip(row) {
                        chart::show(column, plot, 270.0);
                    }
                });
                ui.add_space(space::M);
            }
        }
        if let Some((name, bytes)) = save {
            self.saving = Some(save_file(&name, bytes));
        }
        self.start_ui(ui, asked);
    }

    /// The word for where it stands, for the exported state.
    pub(crate) fn state(&self) -> serde_json::Value {
        let (stage, points) = match &self.stage {
            Stage::Idle => ("idle", 0),
            Stage::Working { .. } => ("working", 0),
            Stage::Done { points, .. } => ("done", count(points)),
        };
        let notice = self.notice.as_ref().map(|notice| notice.sentence.clone());
        serde_json::json!({ "report": self.kind.title(), "stage": stage, "points": points, "notice": notice })
    }
}

/// The methods over the inner steps, and the estimators over the support, on the task of `config`.
fn memory_of(config: RunConfig) -> Report {
    let with_head = |kind: HeadKind| {
        let mut config = config.clone();
        (config.learner, config.head.kind) = (None, kind);
        config
    };
    let mut maml = config.clone();
    maml.learner.get_or_insert_default().kind = LearnerKind::Maml;
    maml.gradient.estimator = EstimatorKind::Chunked;
    let methods = vec![
        ("implicit".to_owned(), with_head(HeadKind::Implicit)),
        ("unrolled".to_owned(), with_head(HeadKind::Unrolled)),
        ("maml".to_owned(), maml),
    ];
    let ways = config.task.ways.max(1);
    let axes = MemoryAxes {
        inner_steps: vec![1, 2, 4, 8, 16, 32],
        supports: [1, 2, 5, 10, 20].map(|shots| shots * ways).to_vec(),
        ..MemoryAxes::default()
    };
    Report::Memory { config, methods, axes }
}

fn plots(points: &Points) -> Vec<Plot> {
    match points {
        Points::Estimators(points) => estimators::plots(points),
        Points::Memory(points) => memory::plots(points),
        Points::Convergence(points, _) => convergence::plots(points),
        Points::Evaluation(_) => Vec::new(),
    }
}

fn table(points: &Points) -> Result<String, String> {
    match points {
        Points::Estimators(points) => csv(points),
        Points::Memory(points) => csv(points),
        Points::Convergence(points, _) => csv(points),
        Points::Evaluation(evaluation) => csv(&[evaluation]),
    }
}

fn count(points: &Points) -> usize {
    match points {
        Points::Estimators(points) => points.len(),
        Points::Memory(points) => points.len(),
        Points::Convergence(points, systems) => points.len() + systems.len(),
        Points::Evaluation(_) => 1,
    }
}
