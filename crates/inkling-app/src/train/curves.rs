//! The curves of a run on the screen, drawn anew a few times a second however fast it steps.

use egui::Ui;
use inkling_platform::Stopwatch;
use inkling_session::history::{Curve, History};
use inkling_session::plot::{Plot, Scale};

use crate::chart;
use crate::theme::space;
use crate::widgets::{card, is_narrow};

/// Seconds between two looks at a growing history.
const REFRESH_SECONDS: f64 = 0.3;

/// What the plots show, and how.
#[derive(Default)]
pub(crate) struct CurvesView {
    /// Whether losses stand on a logarithmic axis.
    pub(crate) is_logarithmic: bool,
    drawn: Option<Drawn>,
}

struct Drawn {
    revision: u64,
    is_logarithmic: bool,
    clock: Stopwatch,
    plots: Vec<Plot>,
}

impl CurvesView {
    /// Draws all curves that there are.
    pub(crate) fn ui(&mut self, ui: &mut Ui, history: &History, revision: u64, is_growing: bool) {
        self.refresh(history, revision, is_growing);
        let Some(drawn) = &self.drawn else { return };
        let columns = if is_narrow(ui) || ui.available_width() < 640.0 { 1 } else { 2 };
        let height = if is_narrow(ui) { 250.0 } else { 260.0 };
        for plots in drawn.plots.chunks(columns) {
            ui.columns(columns, |columns| {
                for (column, plot) in columns.iter_mut().zip(plots) {
                    card(column, "", |ui| chart::show(ui, plot, height));
                }
            });
            ui.add_space(space::XS);
        }
    }

    fn refresh(&mut self, history: &History, revision: u64, is_growing: bool) {
        let is_fresh = self.drawn.as_ref().is_some_and(|drawn| {
            let waits = is_growing && drawn.clock.seconds() < REFRESH_SECONDS && !drawn.plots.is_empty();
            drawn.is_logarithmic == self.is_logarithmic && (drawn.revision == revision || waits)
        });
        if is_fresh {
            return;
        }
        let plot = |curve: Curve| {
            let mut plot = history.plot(curve);
            // Shares of right answers, bytes and speeds are read against zero.
            if curve == Curve::Loss && self.is_logarithmic {
                plot.y_scale = Scale::Logarithmic;
            }
            plot
        };
        let plots = Curve::ALL.into_iter().filter(|curve| history.has(*curve)).map(plot).collect();
        let (is_logarithmic, clock) = (self.is_logarithmic, Stopwatch::start());
        self.drawn = Some(Drawn { revision, is_logarithmic, clock, plots });
    }
}
