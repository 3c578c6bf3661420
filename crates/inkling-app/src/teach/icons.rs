//! Pictures of what can be done, drawn with lines so that they need no font.

use egui::{
    Color32, Painter, Rect, Response, Role, Sense, Shape, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, pos2, vec2,
};

/// What is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Icon {
    Undo,
    Redo,
    More,
    Camera,
    Picture,
    Samples,
    Plus,
}

impl Icon {
    /// Draws it into `rect`.
    pub fn paint(self, painter: &Painter, rect: Rect, colour: Color32) {
        let stroke = Stroke::new(1.6 * rect.width() / 20.0, colour);
        // Coordinates of a square of 20 by 20.
        let scale = rect.width() / 20.0;
        let at = |x: f32, y: f32| rect.min + vec2(x, y) * scale;
        let line = |points: &[(f32, f32)]| {
            painter.add(Shape::line(points.iter().map(|&(x, y)| at(x, y)).collect(), stroke));
        };
        let frame = |left: f32, top: f32, right: f32, bottom: f32| {
            let rect = Rect::from_min_max(at(left, top), at(right, bottom));
            painter.rect_stroke(rect, 2.5 * scale, stroke, StrokeKind::Middle);
        };
        match self {
            Self::Undo | Self::Redo => {
                let turn = |x: f32| if self == Self::Undo { x } else { 20.0 - x };
                line(&[(turn(7.5), 4.0), (turn(3.5), 8.0), (turn(7.5), 12.0)]);
                let arc = (0..=12).map(|step| {
                    let angle = (-90.0 + 15.0 * step as f32).to_radians();
                    at(turn(11.5 + 4.5 * angle.cos()), 12.5 + 4.5 * angle.sin())
                });
                let start = [at(turn(3.5), 8.0)];
                painter.add(Shape::line(start.into_iter().chain(arc).chain([at(turn(7.0), 17.0)]).collect(), stroke));
            }
            Self::More => {
                for x in [4.5, 10.0, 15.5] {
                    painter.circle_filled(at(x, 10.0), 1.5 * scale, colour);
                }
            }
            Self::Camera => {
                frame(2.0, 6.0, 18.0, 17.0);
                line(&[(6.5, 6.0), (8.0, 3.5), (12.0, 3.5), (13.5, 6.0)]);
                painter.circle_stroke(at(10.0, 11.5), 3.2 * scale, stroke);
            }
            Self::Picture => {
                frame(2.5, 3.5, 17.5, 16.5);
                painter.circle_filled(at(7.0, 7.5), 1.5 * scale, colour);
                line(&[(3.5, 15.0), (8.5, 10.5), (11.0, 13.0), (13.5, 9.5), (17.0, 13.5)]);
            }
            Self::Samples => {
                painter.circle_stroke(at(6.0, 6.0), 3.5 * scale, stroke);
                frame(11.5, 2.5, 18.0, 9.0);
                line(&[(6.0, 11.5), (9.8, 18.0), (2.2, 18.0), (6.0, 11.5)]);
                line(&[(12.0, 12.0), (17.6, 17.6)]);
                line(&[(17.6, 12.0), (12.0, 17.6)]);
            }
            Self::Plus => {
                line(&[(10.0, 4.0), (10.0, 16.0)]);
                line(&[(4.0, 10.0), (16.0, 10.0)]);
            }
        }
    }
}

/// A square button with a picture; `label` is its tooltip and what screen readers say.
pub(crate) fn icon_button(ui: &mut Ui, icon: Icon, label: &str, enabled: bool) -> Response {
    ui.add_enabled_ui(enabled, |ui| {
        let (rect, response) = ui.allocate_exact_size(Vec2::splat(ui.spacing().interact_size.y), Sense::click());
        response.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, label));
        let visuals = ui.style().interact(&response);
        if enabled && (response.hovered() || response.has_focus()) {
            ui.painter().rect(rect, 6, visuals.weak_bg_fill, visuals.bg_stroke, StrokeKind::Inside);
        }
        icon.paint(ui.painter(), Rect::from_center_size(rect.center(), Vec2::splat(18.0)), visuals.fg_stroke.color);
        response.on_hover_text(label)
    })
    .inner
}

/// Points at which a dashed line around `rect` begins and ends its dashes.
pub(crate) fn dashed_frame(painter: &Painter, rect: Rect, colour: Color32) {
    let corners = [rect.left_top(), rect.right_top(), rect.right_bottom(), rect.left_bottom(), rect.left_top()];
    let stroke = Stroke::new(1.0, colour);
    let inset = corners.map(|corner| pos2(corner.x.round(), corner.y.round()));
    painter.extend(Shape::dashed_line(&inset, stroke, 5.0, 5.0));
}
