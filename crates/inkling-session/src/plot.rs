//! Line plots as SVG: series with optional error bands and markers, linear or logarithmic axes,
//! several panels below each other. What cannot be drawn (not finite, or not positive on a
//! logarithmic axis) is left out.

use std::ops::Range;

use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;

mod bars;
mod legend;
mod paper;

pub use bars::{Bars, render_bars};
use paper::Paper;

/// A plot that the drawing library refuses; the message is the library's.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the plot cannot be drawn: {0}")]
pub struct PlotError(String);

/// The division of an axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scale {
    /// Equal steps.
    #[default]
    Linear,
    /// Equal factors.
    Logarithmic,
}

/// Where the legend stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Corner {
    /// For lines that fall.
    #[default]
    UpperRight,
    /// For lines that rise.
    LowerRight,
    /// For lines that rise, where others run along the bottom.
    UpperLeft,
}

/// One line of a plot.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// Its entry in the legend; none leaves it out.
    pub name: Option<String>,
    /// Points by rising x.
    pub points: Vec<(f64, f64)>,
    /// For each point the lower and upper edge of its band; empty draws none.
    pub band: Vec<(f64, f64)>,
    /// Index into the palette; series of one colour belong together.
    pub color: usize,
    /// Draw it pale, as the raw values behind a smoothed line.
    pub faint: bool,
    /// Mark each point.
    pub markers: bool,
}

/// One panel.
#[derive(Clone, Debug, Default)]
pub struct Plot {
    /// Above the panel.
    pub title: String,
    /// Below the x axis.
    pub x_label: String,
    /// Beside the y axis.
    pub y_label: String,
    /// The division of the x axis.
    pub x_scale: Scale,
    /// The division of the y axis.
    pub y_scale: Scale,
    /// Whether the y axis shows zero; a logarithmic one has none.
    pub y_from_zero: bool,
    /// Where the legend stands, if a line has a name.
    pub legend: Corner,
    /// The lines, drawn in this order.
    pub series: Vec<Series>,
}

/// Colours that stay apart for most colour-blind readers (Okabe & Ito 2008).
const PALETTE: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    RGBColor(0, 0, 0),
    RGBColor(240, 228, 66),
];
const WIDTH: u32 = 900;
const PANEL_HEIGHT: u32 = 360;

/// Draws the panels below each other and returns the SVG text.
///
/// # Errors
/// When the drawing library fails.
pub fn render(panels: &[Plot]) -> Result<String, PlotError> {
    let mut svg = String::new();
    let count = panels.len().max(1);
    let height = PANEL_HEIGHT.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX));
    {
        let root = Paper::new(&mut svg, (WIDTH, height)).into_drawing_area();
        root.fill(&WHITE).map_err(failed)?;
        for (panel, area) in panels.iter().zip(root.split_evenly((count, 1))) {
            draw_panel(panel, &area)?;
        }
        root.present().map_err(failed)?;
    }
    Ok(svg)
}

fn failed(error: impl std::fmt::Display) -> PlotError {
    PlotError(error.to_string())
}

type Area<'a> = DrawingArea<Paper<'a>, Shift>;

fn draw_panel(plot: &Plot, area: &Area<'_>) -> Result<(), PlotError> {
    let x = range(plot.x_scale, plot.series.iter().flat_map(|s| s.points.iter().map(|p| p.0)), 0.0);
    let edges = |s: &Series| s.band.iter().flat_map(|b| [b.0, b.1]).collect::<Vec<_>>();
    let zero = (plot.y_from_zero && plot.y_scale == Scale::Linear).then_some(0.0);
    let values = plot.series.iter().flat_map(|s| s.points.iter().map(|p| p.1).chain(edges(s))).chain(zero);
    let y = range(plot.y_scale, values, 0.06);
    use Scale::{Linear, Logarithmic};
    match (plot.x_scale, plot.y_scale) {
        (Linear, Linear) => draw(plot, area, x.clone(), y.clone(), &x, &y),
        (Linear, Logarithmic) => draw(plot, area, x.clone(), logarithmic(&y), &x, &y),
        (Logarithmic, Linear) => draw(plot, area, logarithmic(&x), y.clone(), &x, &y),
        (Logarithmic, Logarithmic) => draw(plot, area, logarithmic(&x), logarithmic(&y), &x, &y),
    }
}

/// Powers of ten are too far apart to label an axis that spans less than two of them.
fn logarithmic(range: &Range<f64>) -> LogCoord<f64> {
    let base = if range.end / range.start < 100.0 { 2.0 } else { 10.0 };
    range.clone().log_scale().base(base).into()
}

/// The range of the drawable values, widened by a share of itself and never empty.
fn range(scale: Scale, values: impl Iterator<Item = f64>, margin: f64) -> Range<f64> {
    let (low, high) = values
        .filter(|value| drawable(scale, *value))
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    match scale {
        _ if low > high && scale == Scale::Linear => 0.0..1.0,
        _ if low > high => 0.1..1.0,
        Scale::Linear if low == high => {
            let room = low.abs().max(1e-9) * 0.5;
            low - room..high + room
        }
        Scale::Linear => {
            let room = (high - low) * margin;
            low - room..high + room
        }
        Scale::Logarithmic if low == high => low / 2.0..high * 2.0,
        Scale::Logarithmic => {
            let factor = (high / low).powf(margin);
            low / factor..high * factor
        }
    }
}

/// Far beyond any metric, and still within what the axes can be computed for.
const LARGEST: f64 = 1e100;

fn drawable(scale: Scale, value: f64) -> bool {
    match scale {
        Scale::Linear => value.abs() < LARGEST,
        Scale::Logarithmic => value > 1.0 / LARGEST && value < LARGEST,
    }
}

fn draw<X, Y>(
    plot: &Plot,
    area: &Area<'_>,
    x_axis: X,
    y_axis: Y,
    x: &Range<f64>,
    y: &Range<f64>,
) -> Result<(), PlotError>
where
    X: AsRangedCoord<Value = f64>,
    Y: AsRangedCoord<Value = f64>,
    X::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
    Y::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let mut chart = ChartBuilder::on(area)
        .caption(&plot.title, ("sans-serif", 20))
        .margin(14)
        .x_label_area_size(46)
        .y_label_area_size(70)
        .build_cartesian_2d(x_axis, y_axis)
        .map_err(failed)?;
    chart
        .configure_mesh()
        .light_line_style(BLACK.mix(0.04))
        .bold_line_style(BLACK.mix(0.12))
        .x_desc(&plot.x_label)
        .y_desc(&plot.y_label)
        .axis_desc_style(("sans-serif", 15))
        .label_style(("sans-serif", 13))
        .x_label_formatter(&|value| label(*value))
        .y_label_formatter(&|value| label(*value))
        .draw()
        .map_err(failed)?;
    let inside = |point: &(f64, f64)| drawable(plot.x_scale, point.0) && drawable(plot.y_scale, point.1);
    let mut entries = Vec::new();
    for series in &plot.series {
        let color = PALETTE.get(series.color % PALETTE.len()).copied().unwrap_or(BLACK);
        let band = outline(series, x, y);
        if band.len() > 3 {
            chart.draw_series(std::iter::once(Polygon::new(band, color.mix(0.18)))).map_err(failed)?;
        }
        let opacity = if series.faint { 0.3 } else { 1.0 };
        let style = color.mix(opacity).stroke_width(if series.faint { 1 } else { 2 });
        let points: Vec<(f64, f64)> = series.points.iter().copied().filter(inside).collect();
        if series.markers {
            chart.draw_series(points.iter().map(|point| Circle::new(*point, 3, color.filled()))).map_err(failed)?;
        }
        chart.draw_series(LineSeries::new(points, style)).map_err(failed)?;
        entries.extend(series.name.iter().map(|name| (name.clone(), style)));
    }
    legend::draw(&entries, plot.legend, &chart.plotting_area().strip_coord_spec())
}

/// The outline of a band: along the upper edges, and back along the lower ones.
fn outline(series: &Series, x: &Range<f64>, y: &Range<f64>) -> Vec<(f64, f64)> {
    let edges: Vec<(f64, (f64, f64))> = series
        .points
        .iter()
        .zip(&series.band)
        .map(|(point, edge)| (point.0, *edge))
        .filter(|(at, edge)| at.is_finite() && edge.0.is_finite() && edge.1.is_finite())
        .filter(|(at, _)| *at >= x.start && *at <= x.end)
        .collect();
    let clamp = |value: f64| value.max(y.start).min(y.end);
    let upper = edges.iter().map(|(at, edge)| (*at, clamp(edge.1)));
    let lower = edges.iter().rev().map(|(at, edge)| (*at, clamp(edge.0)));
    upper.chain(lower).collect()
}

/// A number of an axis: short, without the digits that the axis' arithmetic adds.
fn label(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-4..1e7).contains(&size) {
        return format!("{value:.1e}");
    }
    let text = format!("{value:.5}");
    let short = text.trim_end_matches('0').trim_end_matches('.');
    if short == "-0" { "0".to_owned() } else { short.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn axes_are_labelled_briefly() {
        for (value, text) in [(0.1 + 0.2, "0.3"), (-0.0, "0"), (1200.0, "1200"), (1e-9, "1.0e-9"), (0.25, "0.25")] {
            assert_eq!(label(value), text);
        }
    }

    #[test]
    fn text_is_escaped_and_names_appear() {
        let svg = render(&[Plot {
            title: "a < b & c".to_owned(),
            series: vec![Series {
                name: Some("line".to_owned()),
                points: vec![(0.0, 1.0), (1.0, 2.0)],
                ..Series::default()
            }],
            ..Plot::default()
        }])
        .unwrap();
        assert!(svg.contains("a &lt; b &amp; c") && svg.contains("line") && svg.contains("<polyline"));
    }

    fn scale() -> impl Strategy<Value = Scale> {
        prop_oneof![Just(Scale::Linear), Just(Scale::Logarithmic)]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_numbers_can_be_drawn(
            points in proptest::collection::vec((any::<f64>(), any::<f64>()), 0..12),
            band in proptest::collection::vec((any::<f64>(), any::<f64>()), 0..12),
            x_scale in scale(), y_scale in scale(),
        ) {
            let series = vec![Series { points, band, markers: true, ..Series::default() }];
            let panel = Plot { x_scale, y_scale, series, ..Plot::default() };
            let drawn = render(&[panel]);
            prop_assert!(drawn.is_ok());
        }
    }
}
