//! Live bars of class probabilities: who it is first, the others in their columns' order, "none of
//! these" last.

use egui::{Align2, Color32, Response, Role, Sense, TextStyle, Ui, WidgetInfo, pos2, vec2};

use super::text::fitted;

/// One bar.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bar {
    pub name: String,
    pub colour: Color32,
    /// `0..=1`.
    pub probability: f32,
    /// Whether this is the answer.
    pub top: bool,
}

/// A probability as people read it: whole percents, and never a certainty that was rounded up.
pub(crate) fn percent(probability: f32) -> String {
    let percent = probability.clamp(0.0, 1.0) * 100.0;
    if percent > 99.0 && percent < 100.0 {
        "99 %".to_owned()
    } else if percent > 0.0 && percent < 1.0 {
        "<1 %".to_owned()
    } else {
        format!("{percent:.0} %")
    }
}

/// Draws a bar over the width there is: name and percent above it, or beside it where `inline`.
pub(crate) fn bar(ui: &mut Ui, bar: &Bar, inline: bool) -> Response {
    let width = ui.available_width();
    let height = if inline { 22.0 } else { 36.0 };
    let (rect, response) = ui.allocate_exact_size(vec2(width, height), Sense::hover());
    let label = format!("{}: {}", bar.name, percent(bar.probability));
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::Meter, true, &label);
        info.value = Some(f64::from(bar.probability));
        info
    });
    if ui.is_rect_visible(rect) {
        let visuals = ui.visuals();
        let (track, text) = (
            visuals.widgets.noninteractive.bg_stroke.color.gamma_multiply(0.6),
            if bar.top { visuals.strong_text_color() } else { visuals.text_color() },
        );
        let font = TextStyle::Body.resolve(ui.style());
        let (line, track_rect) = if inline {
            // A name says more than the length of a bar whose percents stand behind it.
            let name_width = (width * 0.52).clamp(48.0, 120.0);
            let mut track_rect = rect.shrink2(vec2(0.0, 7.0));
            track_rect.min.x += name_width + 8.0;
            track_rect.max.x -= 48.0;
            (rect, track_rect)
        } else {
            let line = egui::Rect::from_min_max(rect.min, pos2(rect.max.x, rect.max.y - 14.0));
            (line, egui::Rect::from_min_max(pos2(rect.min.x, rect.max.y - 10.0), rect.max - vec2(0.0, 2.0)))
        };
        let painter = ui.painter();
        let value =
            painter.text(line.right_center(), Align2::RIGHT_CENTER, percent(bar.probability), font.clone(), text);
        let end = if inline { track_rect.min.x } else { value.min.x };
        let name = fitted(ui, &bar.name, font, text, end - line.min.x - 8.0);
        painter.galley(pos2(line.min.x, line.center().y - name.size().y / 2.0), name, text);
        painter.rect_filled(track_rect, 4.0, track);
        let mut filled = track_rect;
        filled.set_width(track_rect.width() * bar.probability.clamp(0.0, 1.0));
        if filled.width() >= 1.0 {
            let colour = if bar.top { bar.colour } else { bar.colour.gamma_multiply(0.65) };
            painter.rect_filled(filled, 4.0, colour);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percents_do_not_boast() {
        for (probability, text) in
            [(0.0, "0 %"), (0.004, "<1 %"), (0.5, "50 %"), (0.996, "99 %"), (1.0, "100 %"), (f32::NAN, "NaN %")]
        {
            assert_eq!(percent(probability), text);
        }
    }
}
