//! A plot of a session on the screen: the same series, bands and scales that its SVG shows, with
//! values under the pointer.

use egui::{Color32, RichText, Role, Sense, Ui, Vec2b, WidgetInfo};
use egui_plot::{AxisHints, FilledArea, GridInput, GridMark, HoverPosition, Line, PlotPoints, Points};
use inkling_session::plot::{Plot, Scale, Series};

use crate::theme::{Palette, in_font};
use crate::widgets::legend;

/// However many names stand above a plot, this much is left of it, in points.
const LEAST_HEIGHT: f32 = 110.0;

/// Draws `plot` below its title and the names of its lines, `height` points high with these. The
/// state of the view (zoom) is kept under the title, so two plots of one panel need two titles.
pub(crate) fn show(ui: &mut Ui, plot: &Plot, height: f32) {
    let palette = Palette::of(ui);
    let top = ui.cursor().top();
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new(&plot.title));
        ui.label(RichText::new(in_font(&plot.y_label)).small().weak());
    });
    let named = |series: &Series| Some((palette.series(series.color), series.name.clone()?));
    let names: Vec<_> = plot.series.iter().filter_map(named).collect();
    names_ui(ui, &names);
    let height = height_left(ui, top, height);
    let has_points = plot.series.iter().any(|series| series.points.iter().any(|p| is_drawable(plot, *p)));
    let response = view(plot, height, &palette)
        .show(ui, |view| {
            for (index, series) in plot.series.iter().enumerate() {
                draw(view, plot, series, index, &palette);
            }
        })
        .response;
    response.widget_info(|| WidgetInfo::labeled(Role::GraphicsObject, true, description(plot)));
    if !has_points {
        let font = egui::TextStyle::Small.resolve(ui.style());
        ui.painter().text(response.rect.center(), egui::Align2::CENTER_CENTER, "no values yet", font, palette.weak);
    }
}

/// The names of the lines. They stand above the plot: within it they would hide a part of the lines,
/// on a phone a third.
pub(crate) fn names_ui(ui: &mut Ui, names: &[(Color32, String)]) {
    if !names.is_empty() {
        legend(ui, names.iter().map(|(color, name)| (*color, name.as_str())));
    }
}

/// What is left for a plot of the `height` points from `top` on.
pub(crate) fn height_left(ui: &Ui, top: f32, height: f32) -> f32 {
    (height - (ui.cursor().top() - top)).max(LEAST_HEIGHT)
}

fn view<'a>(plot: &'a Plot, height: f32, palette: &Palette) -> egui_plot::Plot<'a> {
    let (x_scale, y_scale) = (plot.x_scale, plot.y_scale);
    let mut view = egui_plot::Plot::new(&plot.title)
        .height(height)
        .show_background(false)
        .show_grid(Vec2b::TRUE)
        .grid_color(palette.border)
        // A wheel over a plot scrolls the panel; a frame drawn with the right button zooms, and a
        // double click shows all again.
        .allow_scroll(false)
        .allow_drag(false)
        .allow_zoom(false)
        .sense(Sense::click_and_drag())
        .set_margin_fraction(egui::vec2(0.02, 0.08))
        .custom_x_axes(vec![x_axis(&plot.x_label, x_scale)])
        .custom_y_axes(vec![y_axis(y_scale)])
        .x_grid_spacer(x_grid(x_scale))
        .y_grid_spacer(y_grid(y_scale))
        .label_formatter(move |position| hover(plot, position));
    if plot.y_from_zero && y_scale == Scale::Linear {
        view = view.include_y(0.0);
    }
    view
}

/// The grid leaves room for every label: none is faded out for want of it.
const LABELS: egui::Rangef = egui::Rangef { min: 1.0, max: 2.0 };

/// An x axis with its name below.
pub(crate) fn x_axis<'a>(label: &str, scale: Scale) -> AxisHints<'a> {
    let label = RichText::new(label).small();
    AxisHints::new_x().label(label).formatter(move |mark, _| tick(mark, scale)).label_spacing(LABELS)
}

/// A y axis; its name stands in the title of a plot, where it needs no turning of heads.
pub(crate) fn y_axis<'a>(scale: Scale) -> AxisHints<'a> {
    AxisHints::new_y().formatter(move |mark, _| tick(mark, scale)).label_spacing(LABELS)
}

/// Vertical lines far enough from each other for their numbers.
pub(crate) fn x_grid(scale: Scale) -> impl Fn(GridInput) -> Vec<GridMark> {
    move |input| grid(input.bounds, room(&input, 80.0), scale)
}

/// Horizontal lines far enough from each other for their numbers.
pub(crate) fn y_grid(scale: Scale) -> impl Fn(GridInput) -> Vec<GridMark> {
    move |input| grid(input.bounds, room(&input, 36.0), scale)
}

fn draw<'a>(view: &mut egui_plot::PlotUi<'a>, plot: &Plot, series: &Series, index: usize, palette: &Palette) {
    let color = palette.series(series.color);
    let name = series.name.clone().unwrap_or_default();
    let is_inside = |point: &(f64, f64)| is_drawable(plot, *point);
    let at = |point: &(f64, f64)| [place(point.0, plot.x_scale), place(point.1, plot.y_scale)];
    if let Some(area) = band(plot, series, color) {
        view.add(area.id(("band", index)).allow_hover(false));
    }
    let points: Vec<[f64; 2]> = series.points.iter().filter(|point| is_inside(point)).map(at).collect();
    let (line_color, width) = if series.faint { (color.gamma_multiply(0.35), 1.0) } else { (color, 2.0) };
    let line = Line::new(name.clone(), PlotPoints::from(points.clone())).color(line_color).width(width);
    view.line(line.id(("line", index)).allow_hover(!series.faint));
    if series.markers {
        let markers = Points::new(name, PlotPoints::from(points)).color(color).radius(3.0);
        view.points(markers.id(("line", index)).allow_hover(false));
    }
}

/// The band of a series as an area; none without edges that can be drawn.
fn band(plot: &Plot, series: &Series, color: Color32) -> Option<FilledArea> {
    // A logarithmic axis has no zero for a band to begin at; a thousandth of its top stands for it.
    let floor = |low: f64, high: f64| if plot.y_scale == Scale::Logarithmic { low.max(high * 1e-3) } else { low };
    let edges: Vec<(f64, f64, f64)> = series
        .points
        .iter()
        .zip(&series.band)
        .map(|(point, edge)| (point.0, floor(edge.0, edge.1), edge.1))
        .filter(|&(x, low, high)| is_drawable(plot, (x, low)) && is_drawable(plot, (x, high)))
        .collect();
    if edges.len() < 2 {
        return None;
    }
    let xs: Vec<f64> = edges.iter().map(|edge| place(edge.0, plot.x_scale)).collect();
    let lows: Vec<f64> = edges.iter().map(|edge| place(edge.1, plot.y_scale)).collect();
    let highs: Vec<f64> = edges.iter().map(|edge| place(edge.2, plot.y_scale)).collect();
    Some(FilledArea::new("", &xs, &lows, &highs).fill_color(color.gamma_multiply(0.18)))
}

fn is_drawable(plot: &Plot, point: (f64, f64)) -> bool {
    let on = |value: f64, scale: Scale| value.is_finite() && (scale == Scale::Linear || value > 0.0);
    on(point.0, plot.x_scale) && on(point.1, plot.y_scale)
}

/// Where a value lies on its axis: logarithmic axes are drawn as exponents of ten.
fn place(value: f64, scale: Scale) -> f64 {
    match scale {
        Scale::Linear => value,
        Scale::Logarithmic => value.log10(),
    }
}

/// The value at a place of an axis.
fn value(place: f64, scale: Scale) -> f64 {
    match scale {
        Scale::Linear => place,
        Scale::Logarithmic => 10f64.powf(place),
    }
}

/// How many lines there is room for, `apart` points from each other.
fn room(input: &GridInput, apart: f64) -> f64 {
    // The smallest step is that of lines eight points apart.
    let points = 8.0 * (input.bounds.1 - input.bounds.0) / input.base_step_size;
    if points.is_finite() { (points / apart).clamp(2.0, 8.0) } else { 2.0 }
}

/// At most `count` lines or so at round values; on a logarithmic axis at powers of ten, or at 1, 2
/// and 5 times those, or at round values between them where powers are too far apart.
fn grid((low, high): (f64, f64), count: f64, scale: Scale) -> Vec<GridMark> {
    let span = high - low;
    if !(span.is_finite() && span > 0.0) {
        return Vec::new();
    }
    let is_in_sight = |place: &f64| (low..=high).contains(place);
    let mut places: Vec<f64> = match scale {
        Scale::Linear => multiples(low, high, round_step(span / count)),
        Scale::Logarithmic if span < 2.0 => (low.floor() as i32..=high.ceil() as i32)
            .flat_map(|power| [1.0, 2.0, 5.0].map(|digit: f64| f64::from(power) + digit.log10()))
            .collect(),
        Scale::Logarithmic => multiples(low, high, (span / count).ceil()),
    };
    places.retain(is_in_sight);
    if scale == Scale::Logarithmic && places.len() < 2 {
        let (low, high) = (value(low, scale), value(high, scale));
        places = multiples(low, high, round_step((high - low) / count)).into_iter().map(f64::log10).collect();
    }
    // Widths of one value: lines and labels all look alike.
    places.into_iter().map(|value| GridMark { value, step_size: span / count }).collect()
}

fn multiples(low: f64, high: f64, step: f64) -> Vec<f64> {
    let (first, last) = ((low / step).ceil() as i64, (high / step).floor() as i64);
    (first..=last.min(first.saturating_add(20))).map(|number| number as f64 * step).collect()
}

/// The 1, 2 or 5 times a power of ten next above a step.
fn round_step(step: f64) -> f64 {
    let power = 10f64.powf(step.log10().floor());
    let digit = [1.0, 2.0, 5.0].into_iter().find(|digit| digit * power >= step * 0.999).unwrap_or(10.0);
    digit * power
}

fn tick(mark: GridMark, scale: Scale) -> String {
    short(value(mark.value, scale))
}

fn hover(plot: &Plot, position: &HoverPosition<'_>) -> Option<String> {
    let HoverPosition::NearDataPoint { plot_name, position, .. } = position else { return None };
    let (x, y) = (value(position.x, plot.x_scale), value(position.y, plot.y_scale));
    let name = if plot_name.is_empty() { String::new() } else { format!("{plot_name}\n") };
    Some(format!("{name}{} {}\n{} {}", plot.x_label, short(x), short(y), in_font(&plot.y_label)))
}

/// A number with at most four digits that say something, and no exponent unless it needs one.
pub(crate) fn short(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 {
        return "0".to_owned();
    }
    if !(1e-3..1e6).contains(&size) {
        return format!("{value:.1e}").replace(".0e", "e");
    }
    let decimals = (3 - size.log10().floor() as i32).clamp(0, 6) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// What screen readers say: the title, and where each line ends.
fn description(plot: &Plot) -> String {
    let ends = plot.series.iter().filter(|series| !series.faint).filter_map(|series| {
        let (x, y) = series.points.last()?;
        let name = series.name.as_deref().unwrap_or("value");
        Some(format!("{name} {} at {} {}", short(*y), plot.x_label, short(*x)))
    });
    let ends: Vec<String> = ends.collect();
    let ends = if ends.is_empty() { "no values yet".to_owned() } else { ends.join(", ") };
    format!("{} in {}: {ends}", plot.title, in_font(&plot.y_label))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_keep_what_matters() {
        for (number, text) in [
            (0.0, "0"),
            (0.1 + 0.2, "0.3"),
            (12.0, "12"),
            (1234.5, "1234"),
            (0.012_345, "0.01235"),
            (-2.5, "-2.5"),
            (1e-9, "1e-9"),
            (2.5e7, "2.5e7"),
        ] {
            assert_eq!(short(number), text);
        }
    }

    #[test]
    fn grids_have_a_few_round_lines() {
        let at =
            |bounds, scale| grid(bounds, 5.0, scale).iter().map(|mark| value(mark.value, scale)).collect::<Vec<_>>();
        assert_eq!(at((0.0, 400.0), Scale::Linear), [0.0, 100.0, 200.0, 300.0, 400.0]);
        assert_eq!(at((0.1, 1.9), Scale::Linear), [0.5, 1.0, 1.5]);
        assert_eq!(at((-4.0, 0.0), Scale::Logarithmic).len(), 5);
        // Powers of ten of f64: a few roundings.
        let few = at((-0.1, 1.1), Scale::Logarithmic);
        assert!(few.iter().zip([1.0, 2.0, 5.0, 10.0]).all(|(a, b)| (a - b).abs() < 1e-9) && few.len() == 4);
        // Between 10.4 and 11.6 there is no 1, 2 or 5 times a power.
        assert!(at((1.017, 1.064), Scale::Logarithmic).len() > 2);
        assert!(
            grid((1.0, 1.0), 5.0, Scale::Linear).is_empty() && grid((f64::NAN, 1.0), 5.0, Scale::Linear).is_empty()
        );
        assert!(grid((0.0, 1e-300), 5.0, Scale::Linear).len() < 30);
    }

    #[test]
    fn logarithmic_axes_go_there_and_back() {
        for scale in [Scale::Linear, Scale::Logarithmic] {
            // A logarithm and a power of f64: a few roundings.
            assert!((value(place(42.0, scale), scale) - 42.0).abs() < 1e-10);
        }
    }

    #[test]
    fn bands_need_two_drawable_edges() {
        let plot = Plot { y_scale: Scale::Logarithmic, ..Plot::default() };
        let series = |band: Vec<(f64, f64)>| Series { points: vec![(1.0, 1.0), (2.0, 1.0)], band, ..Series::default() };
        assert!(band(&plot, &series(vec![(0.0, 1.0), (0.0, 2.0)]), Color32::RED).is_some());
        assert!(band(&plot, &series(vec![(0.0, 1.0), (0.0, f64::NAN)]), Color32::RED).is_none());
        assert!(band(&plot, &series(vec![]), Color32::RED).is_none());
    }

    #[test]
    fn the_pointer_tells_values_and_not_their_places() {
        let (x_label, y_label) = ("step".to_owned(), "MiB".to_owned());
        let plot = Plot { x_label, y_label, y_scale: Scale::Logarithmic, ..Plot::default() };
        let position = egui_plot::PlotPoint::new(12.0, -2.0);
        let near = |plot_name| hover(&plot, &HoverPosition::NearDataPoint { plot_name, position, index: 0 });
        assert_eq!(near("in use").as_deref(), Some("in use\nstep 12\n0.01 MiB"));
        assert_eq!(near("").as_deref(), Some("step 12\n0.01 MiB"));
        assert_eq!(hover(&plot, &HoverPosition::Elsewhere { position }), None);
    }

    #[test]
    fn screen_readers_hear_the_last_values() {
        let series =
            vec![Series { name: Some("loss".into()), points: vec![(1.0, 2.0), (2.0, 0.5)], ..Series::default() }];
        let plot =
            Plot { title: "Loss".into(), x_label: "step".into(), y_label: "nats".into(), series, ..Plot::default() };
        assert_eq!(description(&plot), "Loss in nats: loss 0.5 at step 2");
    }
}
