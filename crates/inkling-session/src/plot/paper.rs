//! The sheet that plots are drawn on: SVG, with texts measured by a rule instead of a font.

use plotters::backend::SVGBackend;
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind};

/// Width of an average letter and height of a line of a sans-serif font, in font sizes.
const LETTER: f64 = 0.455;
const LINE: f64 = 0.8;

/// An SVG text in the making.
///
/// In a browser, the drawing library measures each text by a styled element of the page. A page
/// with a strict content security policy refuses it, a worker has no page, and the same run would
/// get other plots than on the desktop.
pub(super) struct Paper<'a>(SVGBackend<'a>);

impl<'a> Paper<'a> {
    /// An empty sheet of `size` pixels that is written to `svg` when it is presented.
    pub(super) fn new(svg: &'a mut String, size: (u32, u32)) -> Paper<'a> {
        Paper(SVGBackend::with_string(svg, size))
    }
}

/// Width and height in pixels of one line of text at a font size in pixels.
pub(super) fn text_size(text: &str, font_size: f64) -> (u32, u32) {
    let letters = f64::from(u32::try_from(text.chars().count()).unwrap_or(u32::MAX));
    ((letters * LETTER * font_size).round() as u32, (LINE * font_size).round() as u32)
}

type Drawn<'a> = Result<(), DrawingErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>>;

impl<'a> DrawingBackend for Paper<'a> {
    type ErrorType = <SVGBackend<'a> as DrawingBackend>::ErrorType;

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        style: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<Self::ErrorType>> {
        Ok(text_size(text, style.size()))
    }

    fn get_size(&self) -> (u32, u32) {
        self.0.get_size()
    }

    fn ensure_prepared(&mut self) -> Drawn<'a> {
        self.0.ensure_prepared()
    }

    fn present(&mut self) -> Drawn<'a> {
        self.0.present()
    }

    fn draw_pixel(&mut self, point: BackendCoord, color: BackendColor) -> Drawn<'a> {
        self.0.draw_pixel(point, color)
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn<'a> {
        self.0.draw_line(from, to, style)
    }

    fn draw_rect<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S, fill: bool) -> Drawn<'a> {
        self.0.draw_rect(from, to, style, fill)
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Drawn<'a> {
        self.0.draw_path(path, style)
    }

    fn draw_circle<S: BackendStyle>(&mut self, center: BackendCoord, radius: u32, style: &S, fill: bool) -> Drawn<'a> {
        self.0.draw_circle(center, radius, style, fill)
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        corners: I,
        style: &S,
    ) -> Drawn<'a> {
        self.0.fill_polygon(corners, style)
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, at: BackendCoord) -> Drawn<'a> {
        self.0.draw_text(text, style, at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_measured_by_letters_and_not_by_bytes() {
        assert_eq!(text_size("loss", 20.0), (36, 16));
        assert_eq!(text_size("λ ± σ", 20.0), text_size("a b c", 20.0));
        assert_eq!(text_size("", 20.0).0, 0);
    }
}
