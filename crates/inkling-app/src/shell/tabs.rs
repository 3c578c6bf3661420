//! The tabs and their bar.

use egui::{Align2, CornerRadius, Margin, Rect, Response, Role, Sense, Stroke, TextStyle, Ui, WidgetInfo, vec2};

use super::icons;
use crate::theme::{Palette, space, title_style};
use crate::widgets::is_narrow;

/// The tabs of the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Tab {
    /// Classes from a few pictures each.
    #[default]
    Teach,
    /// Learners from many episodes.
    MetaTrain,
    /// Reports and embeddings.
    Inspect,
    /// Learners at hand.
    Learners,
    /// The machine and the look.
    Settings,
}

impl Tab {
    /// All tabs from left to right.
    pub const ALL: [Self; 5] = [Self::Teach, Self::MetaTrain, Self::Inspect, Self::Learners, Self::Settings];

    /// What the bar calls it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Teach => "Teach",
            Self::MetaTrain => "Meta-train",
            Self::Inspect => "Inspect",
            Self::Learners => "Learners",
            Self::Settings => "Settings",
        }
    }

    /// What the exported state calls it.
    pub fn id(self) -> &'static str {
        match self {
            Self::Teach => "teach",
            Self::MetaTrain => "train",
            Self::Inspect => "inspect",
            Self::Learners => "learners",
            Self::Settings => "settings",
        }
    }
}

/// Draws the bar of tabs. Returns the tab that was chosen.
pub(crate) fn tab_bar(ui: &mut Ui, current: Tab, badges: &[Option<String>; 5]) -> Option<Tab> {
    let palette = Palette::of(ui);
    let frame = egui::Frame::new().fill(palette.surface);
    let chosen = if is_narrow(ui) {
        let panel = egui::Panel::bottom("tabs").exact_size(60.0).frame(frame);
        panel.show(ui, |ui| narrow(ui, current, badges)).inner
    } else {
        let frame = frame.inner_margin(Margin::symmetric(space::L as i8, 0));
        let panel = egui::Panel::top("tabs").exact_size(48.0).frame(frame);
        panel.show(ui, |ui| wide(ui, current, badges)).inner
    };
    chosen.filter(|tab| *tab != current)
}

fn wide(ui: &mut Ui, current: Tab, badges: &[Option<String>; 5]) -> Option<Tab> {
    let palette = Palette::of(ui);
    let mut chosen = None;
    ui.horizontal_centered(|ui| {
        ui.spacing_mut().item_spacing.x = space::XS;
        ui.label(egui::RichText::new("Inkling").text_style(title_style()).color(palette.accent));
        ui.add_space(space::L);
        for (tab, badge) in Tab::ALL.into_iter().zip(badges) {
            let text =
                badge.as_ref().map_or_else(|| tab.title().to_owned(), |badge| format!("{} · {badge}", tab.title()));
            let font = TextStyle::Button.resolve(ui.style());
            let width = ui.painter().layout_no_wrap(text.clone(), font.clone(), palette.text).size().x;
            let size = vec2(20.0 + space::S + width + 2.0 * space::M, ui.available_height());
            let (rect, response) = ui.allocate_exact_size(size, Sense::click());
            let color = dress(ui, &response, rect, tab == current, &text);
            let icon = Rect::from_center_size(rect.left_center() + vec2(space::M + 9.0, 0.0), vec2(18.0, 18.0));
            icons::paint(ui.painter(), tab, icon, color);
            let left = rect.left_center() + vec2(space::M + 20.0 + space::S - 2.0, 0.0);
            ui.painter().text(left, Align2::LEFT_CENTER, &text, font, color);
            if tab == current {
                let line = Rect::from_min_max(
                    rect.left_bottom() - vec2(-space::S, 2.5),
                    rect.right_bottom() - vec2(space::S, 0.0),
                );
                ui.painter().rect_filled(line, CornerRadius::same(1), palette.accent);
            }
            if response.clicked() {
                chosen = Some(tab);
            }
        }
    });
    chosen
}

fn narrow(ui: &mut Ui, current: Tab, badges: &[Option<String>; 5]) -> Option<Tab> {
    let mut chosen = None;
    let size = vec2(ui.available_width() / 5.0, ui.available_height());
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 0.0;
        for (tab, badge) in Tab::ALL.into_iter().zip(badges) {
            let text = badge.as_deref().unwrap_or(tab.title());
            let (rect, response) = ui.allocate_exact_size(size, Sense::click());
            let color = dress(ui, &response, rect, tab == current, tab.title());
            let icon = Rect::from_center_size(rect.center() - vec2(0.0, 9.0), vec2(20.0, 20.0));
            icons::paint(ui.painter(), tab, icon, color);
            let font = TextStyle::Small.resolve(ui.style());
            ui.painter().text(rect.center() + vec2(0.0, 14.0), Align2::CENTER_CENTER, text, font, color);
            if response.clicked() {
                chosen = Some(tab);
            }
        }
    });
    chosen
}

/// What both bars do: say what the tab is, show focus and hovering. Returns the text's colour.
fn dress(ui: &Ui, response: &Response, rect: Rect, is_current: bool, label: &str) -> egui::Color32 {
    let palette = Palette::of(ui);
    response.widget_info(|| WidgetInfo::selected(Role::Tab, true, is_current, label));
    if response.has_focus() {
        let line = Stroke::new(2.0, palette.accent);
        ui.painter().rect_stroke(rect.shrink(3.0), 6, line, egui::StrokeKind::Inside);
    } else if response.hovered() && !is_current {
        ui.painter().rect_filled(rect.shrink(5.0), 6, palette.raised);
    }
    if is_current { palette.accent } else { palette.weak }
}
