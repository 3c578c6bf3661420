//! Bar charts: for each row some bars beside each other, on a logarithmic axis.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::paper::{Paper, text_size};
use super::{Area, PALETTE, PlotError, Scale, WIDTH, failed, label, logarithmic, range};

/// One panel of bars.
#[derive(Clone, Debug, Default)]
pub struct Bars {
    /// Above the panel.
    pub title: String,
    /// Below the axis.
    pub x_label: String,
    /// What stands beside each row, from the top.
    pub rows: Vec<String>,
    /// The name of a colour, and its bar in each row; none draws no bar.
    pub series: Vec<(String, Vec<Option<f64>>)>,
}

const BAR: f64 = 13.0;
/// Between two rows, in bars.
const GAP: f64 = 0.8;
/// What a panel is higher than its bars: title, names of the colours, axis.
const FRAME: f64 = 130.0;
const TITLE: u32 = 34;
const NAMES: u32 = 26;
const FONT_SIZE: u32 = 13;

impl Bars {
    /// The height of a row, in bars.
    fn row_height(&self) -> f64 {
        self.series.len().max(1) as f64 + GAP
    }

    fn height(&self) -> u32 {
        let bars = self.row_height() * self.rows.len().max(1) as f64;
        (FRAME + bars * BAR).round() as u32
    }
}

/// Draws the panels below each other and returns the SVG text.
///
/// # Errors
/// When the drawing library fails.
pub fn render_bars(panels: &[Bars]) -> Result<String, PlotError> {
    let mut svg = String::new();
    let heights: Vec<u32> = panels.iter().map(Bars::height).collect();
    {
        let root = Paper::new(&mut svg, (WIDTH, heights.iter().sum::<u32>().max(1))).into_drawing_area();
        root.fill(&WHITE).map_err(failed)?;
        let mut rest = root.clone();
        for (panel, height) in panels.iter().zip(heights) {
            let (area, below) = rest.split_vertically(height);
            rest = below;
            draw_panel(panel, &area)?;
        }
        root.present().map_err(failed)?;
    }
    Ok(svg)
}

fn draw_panel(bars: &Bars, area: &Area<'_>) -> Result<(), PlotError> {
    let (title, below) = area.split_vertically(TITLE);
    title.titled(&bars.title, ("sans-serif", 20)).map_err(failed)?;
    let (names, below) = below.split_vertically(NAMES);
    draw_names(bars, &names)?;
    let values = bars.series.iter().flat_map(|(_, values)| values.iter().flatten().copied());
    let x = range(Scale::Logarithmic, values, 0.06);
    // Room for the number behind the longest bar.
    let x = x.start..x.end * (x.end / x.start).powf(0.06);
    let widest = bars.rows.iter().map(|row| text_size(row, f64::from(FONT_SIZE)).0).max().unwrap_or(0);
    let height = bars.row_height();
    let mut chart = ChartBuilder::on(&below)
        .margin(8)
        .margin_right(20)
        .x_label_area_size(40)
        .y_label_area_size(widest + 14)
        .build_cartesian_2d(logarithmic(&x), (height * bars.rows.len().max(1) as f64)..0.0)
        .map_err(failed)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .y_labels(0)
        .light_line_style(BLACK.mix(0.04))
        .bold_line_style(BLACK.mix(0.12))
        .x_desc(&bars.x_label)
        .axis_desc_style(("sans-serif", 15))
        .label_style(("sans-serif", FONT_SIZE))
        .x_label_formatter(&|value| label(*value))
        .draw()
        .map_err(failed)?;
    let number = ("sans-serif", 11).into_font().color(&BLACK.mix(0.8)).pos(Pos::new(HPos::Left, VPos::Center));
    for (place, (_, values)) in bars.series.iter().enumerate() {
        let color = color(place);
        for (row, value) in values.iter().enumerate() {
            let Some(value) = value.filter(|value| *value >= x.start && *value <= x.end) else { continue };
            let top = row as f64 * height + GAP / 2.0 + place as f64;
            let bar = Rectangle::new([(x.start, top + 0.08), (value, top + 0.92)], color.filled());
            let text = EmptyElement::at((value, top + 0.5)) + Text::new(brief(value), (4, 0), number.clone());
            chart.draw_series(std::iter::once(bar)).map_err(failed)?;
            chart.draw_series(std::iter::once(text)).map_err(failed)?;
        }
    }
    let right = ("sans-serif", FONT_SIZE).into_font().color(&BLACK).pos(Pos::new(HPos::Right, VPos::Center));
    for (row, name) in bars.rows.iter().enumerate() {
        let (left, middle) = chart.backend_coord(&(x.start, (row as f64 + 0.5) * height));
        let (base_x, base_y) = below.get_base_pixel();
        below.draw(&Text::new(name.clone(), (left - base_x - 8, middle - base_y), right.clone())).map_err(failed)?;
    }
    Ok(())
}

/// The colours' names, side by side.
fn draw_names(bars: &Bars, area: &Area<'_>) -> Result<(), PlotError> {
    let style = ("sans-serif", 14).into_font().color(&BLACK).pos(Pos::new(HPos::Left, VPos::Center));
    let mut left = 24;
    for (place, (name, _)) in bars.series.iter().enumerate() {
        let sample = Rectangle::new([(left, 7), (left + 12, 19)], color(place).filled());
        area.draw(&sample).map_err(failed)?;
        area.draw(&Text::new(name.clone(), (left + 18, 13), style.clone())).map_err(failed)?;
        left += 46 + i32::try_from(text_size(name, 16.0).0).unwrap_or(0);
    }
    Ok(())
}

fn color(place: usize) -> RGBColor {
    PALETTE.get(place % PALETTE.len()).copied().unwrap_or(BLACK)
}

/// Three digits.
fn brief(value: f64) -> String {
    match value {
        _ if value >= 100.0 => format!("{value:.0}"),
        _ if value >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_bars_and_names_appear() {
        let bars = Bars {
            title: "Times".to_owned(),
            x_label: "milliseconds".to_owned(),
            rows: vec!["first < row".to_owned(), "second row".to_owned()],
            series: vec![
                ("ours".to_owned(), vec![Some(3.0), Some(412.4)]),
                ("theirs".to_owned(), vec![Some(21.0), None]),
            ],
        };
        let svg = render_bars(&[bars]).unwrap();
        for text in ["Times", "first &lt; row", "second row", "ours", "theirs", "412", "21.0", "3.00"] {
            assert!(svg.contains(text), "{text}: {svg}");
        }
    }

    #[test]
    fn nothing_at_all_can_be_drawn() {
        assert!(render_bars(&[]).is_ok());
        assert!(render_bars(&[Bars { series: vec![("a".to_owned(), vec![None])], ..Bars::default() }]).is_ok());
    }
}
