//! The embedding of an episode in two dimensions.

use std::sync::Arc;

use egui::{RichText, Ui};
use egui_plot::{HoverPosition, MarkerShape, PlotPoints, Points};
use inkling_session::plot::Scale;
use inkling_session::snapshot::{EpisodeSnapshot, SnapshotImage};

use super::pca::{Projection, project};
use crate::chart;
use crate::theme::Palette;
use crate::widgets::empty_state;

/// The projection of the newest episode.
#[derive(Default)]
pub(crate) struct EmbeddingView {
    projected: Option<(Arc<EpisodeSnapshot>, Projection)>,
}

/// What a point stands for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Role {
    Support,
    Right,
    Wrong,
}

impl Role {
    fn of_query(image: &SnapshotImage) -> Self {
        if image.is_error() { Self::Wrong } else { Self::Right }
    }
}

impl EmbeddingView {
    /// Draws an episode, `height` points high.
    pub(crate) fn ui(&mut self, ui: &mut Ui, snapshot: Option<&Arc<EpisodeSnapshot>>, height: f32) {
        let Some(snapshot) = snapshot else {
            return empty_state(
                ui,
                "No episode yet",
                "Start a run in Meta-train. Each episode that it shows is drawn here as the backbone sees it.",
            );
        };
        if images(snapshot).all(|image| image.embedding.is_empty()) {
            return empty_state(
                ui,
                "This learner has no embedding",
                "MAML, Reptile and their kin adapt the whole network. Train one of the heads to see where it puts images.",
            );
        }
        if self.projected.as_ref().is_none_or(|(shown, _)| !Arc::ptr_eq(shown, snapshot)) {
            let rows: Vec<&[f32]> = images(snapshot).map(|image| image.embedding.as_slice()).collect();
            self.projected = Some((Arc::clone(snapshot), project(&rows)));
        }
        if let Some((snapshot, projection)) = &self.projected {
            draw(ui, snapshot, projection, height);
        }
    }

    /// How many points are drawn.
    pub(crate) fn points(&self) -> usize {
        self.projected.as_ref().map_or(0, |(_, projection)| projection.points.len())
    }
}

fn images(snapshot: &EpisodeSnapshot) -> impl Iterator<Item = &SnapshotImage> {
    snapshot.support.iter().chain(&snapshot.query)
}

/// The roles of the images, in their order.
fn roles(snapshot: &EpisodeSnapshot) -> impl Iterator<Item = Role> {
    let support = snapshot.support.iter().map(|_| Role::Support);
    support.chain(snapshot.query.iter().map(Role::of_query))
}

fn draw(ui: &mut Ui, snapshot: &EpisodeSnapshot, projection: &Projection, height: f32) {
    let (palette, top) = (Palette::of(ui), ui.cursor().top());
    let [first, second] = projection.shares.map(|share| share * 100.0);
    let axes = format!("{first:.0} % of the variance across, {second:.0} % upwards");
    ui.label(
        RichText::new(format!(
            "After step {}. Filled: support. Ring: query. Cross: query taken for another class.",
            snapshot.step
        ))
        .small()
        .weak(),
    );
    let names = snapshot.classes.iter().enumerate().map(|(label, class)| (palette.series(label), class.clone()));
    chart::names_ui(ui, &names.collect::<Vec<_>>());
    let response = egui_plot::Plot::new("embedding")
        .height(chart::height_left(ui, top, height))
        .data_aspect(1.0)
        .show_background(false)
        .grid_color(palette.border)
        .allow_scroll(false)
        .allow_drag(false)
        .allow_zoom(false)
        .x_grid_spacer(chart::x_grid(Scale::Linear))
        .y_grid_spacer(chart::y_grid(Scale::Linear))
        .custom_x_axes(vec![chart::x_axis(&axes, Scale::Linear)])
        .custom_y_axes(vec![chart::y_axis(Scale::Linear)])
        .label_formatter(|position| match position {
            HoverPosition::NearDataPoint { plot_name, .. } => Some((*plot_name).to_owned()),
            HoverPosition::Elsewhere { .. } => None,
        })
        .show(ui, |plot| {
            for (label, class) in snapshot.classes.iter().enumerate() {
                for role in [Role::Support, Role::Right, Role::Wrong] {
                    let of_role = images(snapshot)
                        .zip(roles(snapshot))
                        .zip(&projection.points)
                        .filter(|((image, its), _)| image.label as usize == label && *its == role)
                        .map(|(_, point)| *point);
                    let points: Vec<[f64; 2]> = of_role.collect();
                    if !points.is_empty() {
                        plot.points(markers(class, points, role, palette.series(label)).id((label, role)));
                    }
                }
            }
        })
        .response;
    let count = projection.points.len();
    response.widget_info(|| {
        let label = format!("{count} images of {} classes in two dimensions", snapshot.classes.len());
        egui::WidgetInfo::labeled(egui::Role::GraphicsObject, true, label)
    });
}

fn markers<'a>(class: &str, points: Vec<[f64; 2]>, role: Role, color: egui::Color32) -> Points<'a> {
    let points = Points::new(class, PlotPoints::from(points)).color(color);
    match role {
        Role::Support => points.shape(MarkerShape::Circle).filled(true).radius(5.0),
        Role::Right => points.shape(MarkerShape::Circle).filled(false).radius(4.5),
        Role::Wrong => points.shape(MarkerShape::Cross).radius(6.0),
    }
}
