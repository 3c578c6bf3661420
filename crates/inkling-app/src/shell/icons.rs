//! The pictures of the tabs, drawn with lines so that they need no font.

use egui::{Color32, Painter, Rect, Shape, Stroke, pos2};

use super::Tab;

/// Draws the picture of `tab` into `rect`.
pub(super) fn paint(painter: &Painter, tab: Tab, rect: Rect, color: Color32) {
    let stroke = Stroke::new(1.6, color);
    // Coordinates of a square of 20 by 20.
    let at = |x: f32, y: f32| pos2(rect.left() + rect.width() * x / 20.0, rect.top() + rect.height() * y / 20.0);
    let line = |points: &[(f32, f32)]| {
        painter.add(Shape::line(points.iter().map(|&(x, y)| at(x, y)).collect(), stroke));
    };
    let dot = |x: f32, y: f32, radius: f32| {
        painter.circle_filled(at(x, y), radius * rect.width() / 20.0, color);
    };
    let frame = |left: f32, top: f32, right: f32, bottom: f32| {
        let rect = Rect::from_min_max(at(left, top), at(right, bottom));
        painter.rect_stroke(rect, 2.5, stroke, egui::StrokeKind::Middle);
    };
    match tab {
        // A picture over another one.
        Tab::Teach => {
            line(&[(6.0, 3.0), (17.0, 3.0), (17.0, 13.0)]);
            frame(3.0, 6.0, 14.0, 17.0);
            line(&[(4.5, 15.0), (8.0, 10.5), (10.5, 13.5), (12.5, 11.5)]);
        }
        // A falling loss.
        Tab::MetaTrain => {
            line(&[(3.0, 3.0), (3.0, 17.0), (17.0, 17.0)]);
            line(&[(6.0, 5.0), (7.5, 9.5), (10.0, 12.5), (13.0, 13.8), (16.5, 14.2)]);
        }
        // Points in a plane.
        Tab::Inspect => {
            for (x, y) in [(5.0, 6.0), (8.0, 4.0), (8.5, 8.0), (13.0, 14.5), (16.0, 12.0), (11.5, 17.0)] {
                dot(x, y, 1.5);
            }
            line(&[(3.5, 16.5), (16.5, 3.5)]);
        }
        // Layers.
        Tab::Learners => {
            line(&[(10.0, 3.0), (17.0, 6.8), (10.0, 10.6), (3.0, 6.8), (10.0, 3.0)]);
            line(&[(3.0, 10.2), (10.0, 14.0), (17.0, 10.2)]);
            line(&[(3.0, 13.4), (10.0, 17.2), (17.0, 13.4)]);
        }
        // Sliders.
        Tab::Settings => {
            for (y, x) in [(5.0, 13.0), (10.0, 7.0), (15.0, 12.0)] {
                line(&[(3.0, y), (17.0, y)]);
                dot(x, y, 2.4);
            }
        }
    }
}
