//! The memory plan beside the sliders: bytes by category for each estimator, against the budget.
//! Plans are computed when the configuration changes, never per frame.

use egui::{Align2, Color32, Rect, Role, Sense, Stroke, StrokeKind, TextStyle, Ui, WidgetInfo, pos2, vec2};
use inkling_session::config::{EstimatorKind, RunConfig};
use inkling_session::run::{MemoryPlan, plans};
use inkling_session::session::ImageShape;
use inkling_session::session::Tier;
use inkling_session::units::ByteSize;

use crate::notice::Notice;
use crate::theme::{Palette, space};
use crate::widgets::legend;

/// The bytes of one estimator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlanBar {
    pub(crate) estimator: EstimatorKind,
    /// Bytes by category, in the order of the ledger, empty ones left out.
    pub(crate) parts: Vec<(String, u64)>,
    pub(crate) total: u64,
    /// The largest H or chunk that fits the budget.
    pub(crate) largest_chunk: Option<u32>,
}

impl PlanBar {
    fn of(plan: &MemoryPlan) -> Option<Self> {
        let kinds = [EstimatorKind::Full, EstimatorKind::Chunked, EstimatorKind::Lite];
        let estimator = kinds.into_iter().find(|kind| kind.name() == plan.estimator)?;
        let parts = plan.bytes.iter().filter(|(_, bytes)| *bytes > 0);
        Some(Self {
            estimator,
            parts: parts.map(|(category, bytes)| (category.name().to_owned(), bytes)).collect(),
            total: plan.bytes.total(),
            largest_chunk: plan.largest_chunk,
        })
    }
}

/// What plans depend on.
#[derive(Clone, PartialEq)]
struct Key {
    config: RunConfig,
    shape: ImageShape,
    tier: Tier,
}

/// The plans of the newest configuration.
#[derive(Default)]
pub(crate) struct PlanCache {
    key: Option<Key>,
    /// In the order full, chunked, lite.
    bars: Vec<PlanBar>,
    problem: Option<Notice>,
    /// How often plans were computed, for the tests of this cache.
    computed: u64,
}

impl PlanCache {
    /// The plans of a configuration, computed when it is another one than before.
    pub(crate) fn update(&mut self, config: &RunConfig, shape: ImageShape, tier: Tier) {
        let key = Key { config: config.clone(), shape, tier };
        if self.key.as_ref() == Some(&key) {
            return;
        }
        self.key = Some(key);
        self.computed += 1;
        match plans(config, shape, tier) {
            Ok(found) => {
                self.bars = found.iter().filter_map(PlanBar::of).collect();
                self.problem = None;
            }
            Err(error) => {
                self.bars.clear();
                self.problem = Some(Notice::from_message(&error.to_string()));
            }
        }
    }

    /// The bytes of one estimator.
    pub(crate) fn total(&self, estimator: EstimatorKind) -> Option<u64> {
        self.bars.iter().find(|bar| bar.estimator == estimator).map(|bar| bar.total)
    }

    /// Draws the bars. Returns the estimator that was clicked.
    pub(crate) fn ui(&self, ui: &mut Ui, chosen: EstimatorKind, budget: Option<u64>) -> Option<EstimatorKind> {
        if let Some(problem) = &self.problem {
            ui.add(egui::Label::new(egui::RichText::new(&problem.sentence).weak()).wrap());
            return None;
        }
        let palette = Palette::of(ui);
        let top = self.bars.iter().map(|bar| bar.total).chain(budget).max().unwrap_or(1).max(1);
        let mut clicked = None;
        for bar in &self.bars {
            if draw_bar(ui, bar, (bar.estimator == chosen, top, budget), &palette).clicked() {
                clicked = Some(bar.estimator);
            }
        }
        self.legend(ui, &palette);
        match (budget, self.bars.iter().find(|bar| bar.estimator == chosen)) {
            (Some(budget), Some(bar)) if bar.total > budget => {
                let fits = bar.largest_chunk.map_or_else(
                    || "Use smaller images, fewer channels or a smaller task".to_owned(),
                    |chunk| format!("At most {chunk} images per pass fit"),
                );
                let sentence = format!("The plan is above the budget of {}. {fits}.", ByteSize(budget).rounded());
                ui.add(egui::Label::new(egui::RichText::new(sentence).color(palette.bad)).wrap());
            }
            (Some(budget), _) => {
                ui.label(egui::RichText::new(format!("Budget {}", ByteSize(budget).rounded())).small().weak());
            }
            (None, _) => {
                ui.label(egui::RichText::new("No budget: set one in Settings.").small().weak());
            }
        }
        clicked
    }

    fn legend(&self, ui: &mut Ui, palette: &Palette) {
        let mut names: Vec<&str> = Vec::new();
        for (name, _) in self.bars.iter().flat_map(|bar| &bar.parts) {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        legend(ui, names.into_iter().map(|name| (category_color(name, palette), name)));
    }
}

/// One row: the estimator's name, its stacked bar and its bytes.
fn draw_bar(
    ui: &mut Ui,
    bar: &PlanBar,
    (is_chosen, top, budget): (bool, u64, Option<u64>),
    palette: &Palette,
) -> egui::Response {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 30.0), Sense::click());
    let label = description(bar);
    response.widget_info(|| WidgetInfo::selected(Role::RadioButton, true, is_chosen, &label));
    let painter = ui.painter();
    if is_chosen || response.hovered() {
        let fill = if is_chosen { palette.tint(palette.accent) } else { palette.background };
        painter.rect_filled(rect, 6, fill);
    }
    if response.has_focus() {
        painter.rect_stroke(rect, 6, Stroke::new(2.0, palette.accent), StrokeKind::Inside);
    }
    let text = if is_chosen { palette.accent } else { palette.text };
    let font = TextStyle::Button.resolve(ui.style());
    painter.text(
        rect.left_center() + vec2(space::S, 0.0),
        Align2::LEFT_CENTER,
        bar.estimator.name(),
        font.clone(),
        text,
    );
    let size = ByteSize(bar.total).rounded();
    painter.text(rect.right_center() - vec2(space::S, 0.0), Align2::RIGHT_CENTER, size, font, text);
    let track = Rect::from_min_max(
        pos2(rect.left() + 74.0, rect.center().y - 6.0),
        pos2(rect.right() - 84.0, rect.center().y + 6.0),
    );
    let at = |bytes: u64| track.left() + track.width() * (bytes as f64 / top as f64) as f32;
    let mut sum = 0;
    for (name, bytes) in &bar.parts {
        let part = Rect::from_min_max(pos2(at(sum), track.top()), pos2(at(sum + bytes), track.bottom()));
        painter.rect_filled(part, 0, category_color(name, palette));
        sum += bytes;
    }
    if let Some(budget) = budget {
        let line = Stroke::new(2.0, if bar.total > budget { palette.bad } else { palette.text });
        painter.vline(at(budget), rect.top() + 3.0..=rect.bottom() - 3.0, line);
    }
    response.on_hover_ui(|ui| {
        for (name, bytes) in &bar.parts {
            ui.horizontal(|ui| {
                ui.label(name);
                ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                    ui.label(ByteSize(*bytes).rounded());
                });
            });
        }
    })
}

fn description(bar: &PlanBar) -> String {
    let largest = bar.parts.iter().max_by_key(|(_, bytes)| *bytes);
    let mostly = largest.map_or_else(String::new, |(name, _)| format!(", mostly {name}"));
    format!("{}: {}{mostly}", bar.estimator.name(), ByteSize(bar.total).rounded())
}

/// Categories keep their colour in every bar.
fn category_color(name: &str, palette: &Palette) -> Color32 {
    match name {
        "activations" => palette.series(0),
        "workspace" => palette.series(1),
        "images" => palette.series(2),
        "embeddings" => palette.series(3),
        "parameters" => palette.series(4),
        "gradient" => palette.series(5),
        "optimizer" => palette.series(5).lerp_to_gamma(palette.text, 0.35),
        "staging" => palette.weak,
        _ => palette.weak.lerp_to_gamma(palette.surface, 0.4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_are_computed_once_for_a_configuration() {
        let shape = ImageShape { channels: 1, height: 28, width: 28 };
        let mut config = RunConfig::default();
        let mut cache = PlanCache::default();
        cache.update(&config, shape, Tier::Gpu);
        cache.update(&config, shape, Tier::Gpu);
        assert_eq!((cache.computed, cache.bars.len()), (1, 3));
        let lite = cache.total(EstimatorKind::Lite).unwrap();
        assert!(cache.total(EstimatorKind::Full).unwrap() > lite, "back-propagating fewer images takes less");
        let parts: u64 = cache.bars[2].parts.iter().map(|part| part.1).sum();
        assert_eq!(parts, lite);
        config.gradient.h = 2;
        cache.update(&config, shape, Tier::Gpu);
        assert_eq!(cache.computed, 2);
    }

    #[test]
    fn what_cannot_be_planned_says_why() {
        let mut config = RunConfig::default();
        config.model.groups = 7;
        let mut cache = PlanCache::default();
        cache.update(&config, ImageShape { channels: 1, height: 28, width: 28 }, Tier::Cpu);
        assert!(cache.bars.is_empty() && cache.problem.is_some());
    }
}
