//! How Inkling looks: colours for light and dark, one scale of sizes for text and one for space.
//! Panels take colours from [`Palette::of`] and distances from [`space`], never their own.

use std::collections::BTreeMap;
use std::sync::Arc;

use egui::style::{HandleShape, Selection, WidgetVisuals, Widgets};
use egui::{
    Color32, CornerRadius, FontData, FontDefinitions, FontFamily, FontId, Margin, Shadow, Stroke, Style, TextStyle,
    Theme, Ui, Visuals,
};

/// Distances in points.
pub mod space {
    /// Between parts of one thing.
    pub const XS: f32 = 4.0;
    /// Between a label and its field.
    pub const S: f32 = 8.0;
    /// Between fields, and around the content of a card.
    pub const M: f32 = 12.0;
    /// Between groups, and at the edges of a window.
    pub const L: f32 = 16.0;
    /// Between sections.
    pub const XL: f32 = 24.0;
}

/// Windows narrower than this, in points, are laid out for a phone.
pub const NARROW: f32 = 720.0;

/// The text style between a heading and the body: titles of cards.
pub fn title_style() -> TextStyle {
    TextStyle::Name("title".into())
}

/// The text style of a number that stands for itself.
pub fn figure_style() -> TextStyle {
    TextStyle::Name("figure".into())
}

/// The colours of one theme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Palette {
    /// Behind everything.
    pub background: Color32,
    /// Cards and bars on the background.
    pub surface: Color32,
    /// Fields and buttons on a surface.
    pub raised: Color32,
    /// Lines around cards and between parts.
    pub border: Color32,
    /// Text.
    pub text: Color32,
    /// Text that matters less; still at least 4.5 : 1 against the surface.
    pub weak: Color32,
    /// What can be done next, and what is chosen.
    pub accent: Color32,
    /// Text on the accent.
    pub on_accent: Color32,
    /// Right predictions and success.
    pub good: Color32,
    /// Warnings.
    pub warn: Color32,
    /// Errors and wrong predictions.
    pub bad: Color32,
    /// Lines of plots and parts of bars, apart for most colour-blind readers.
    pub series: [Color32; 6],
}

const LIGHT: Palette = Palette {
    background: Color32::from_rgb(0xF5, 0xF4, 0xF1),
    surface: Color32::from_rgb(0xFF, 0xFF, 0xFF),
    raised: Color32::from_rgb(0xED, 0xEC, 0xE8),
    border: Color32::from_rgb(0xDD, 0xDB, 0xD5),
    text: Color32::from_rgb(0x22, 0x25, 0x2E),
    weak: Color32::from_rgb(0x62, 0x66, 0x72),
    accent: Color32::from_rgb(0x2F, 0x4F, 0xB5),
    on_accent: Color32::WHITE,
    good: Color32::from_rgb(0x1F, 0x7A, 0x53),
    warn: Color32::from_rgb(0x8A, 0x5A, 0x00),
    bad: Color32::from_rgb(0xB3, 0x2D, 0x33),
    series: [
        Color32::from_rgb(0x00, 0x72, 0xB2),
        Color32::from_rgb(0xD5, 0x5E, 0x00),
        Color32::from_rgb(0x00, 0x9E, 0x73),
        Color32::from_rgb(0xB8, 0x5C, 0x94),
        Color32::from_rgb(0x3F, 0x9F, 0xD6),
        Color32::from_rgb(0xC9, 0x8A, 0x00),
    ],
};

const DARK: Palette = Palette {
    background: Color32::from_rgb(0x13, 0x15, 0x1A),
    surface: Color32::from_rgb(0x1C, 0x1F, 0x26),
    raised: Color32::from_rgb(0x2A, 0x2E, 0x38),
    border: Color32::from_rgb(0x33, 0x38, 0x44),
    text: Color32::from_rgb(0xE6, 0xE8, 0xED),
    weak: Color32::from_rgb(0x9C, 0xA3, 0xB2),
    accent: Color32::from_rgb(0x8E, 0xA8, 0xFF),
    on_accent: Color32::from_rgb(0x10, 0x14, 0x24),
    good: Color32::from_rgb(0x5F, 0xC7, 0x9B),
    warn: Color32::from_rgb(0xE2, 0xB5, 0x5A),
    bad: Color32::from_rgb(0xF2, 0x86, 0x86),
    series: [
        Color32::from_rgb(0x4F, 0xA8, 0xE0),
        Color32::from_rgb(0xF0, 0x8A, 0x4B),
        Color32::from_rgb(0x3F, 0xC4, 0x9A),
        Color32::from_rgb(0xE0, 0x94, 0xC2),
        Color32::from_rgb(0x8F, 0xCF, 0xF4),
        Color32::from_rgb(0xF0, 0xC0, 0x5A),
    ],
};

impl Palette {
    /// The colours of a theme.
    pub const fn new(theme: Theme) -> Self {
        match theme {
            Theme::Light => LIGHT,
            Theme::Dark => DARK,
        }
    }

    /// The colours of the theme that `ui` is drawn in.
    pub fn of(ui: &Ui) -> Self {
        Self::new(if ui.visuals().dark_mode { Theme::Dark } else { Theme::Light })
    }

    /// The colour of the series with this index.
    pub fn series(&self, index: usize) -> Color32 {
        self.series.get(index % self.series.len()).copied().unwrap_or(self.accent)
    }

    /// A surface with a breath of `color`.
    pub fn tint(&self, color: Color32) -> Color32 {
        self.surface.lerp_to_gamma(color, 0.10)
    }
}

/// Black or white, whichever can be read on `fill`: at least 4.5 : 1 on any colour.
pub fn ink_on(fill: Color32) -> Color32 {
    // Both contrasts of WCAG 2 are equal at √(1.05 · 0.05) − 0.05.
    if luminance(fill) > 0.179 { Color32::BLACK } else { Color32::WHITE }
}

/// The relative luminance of WCAG 2, `0..=1`.
fn luminance(color: Color32) -> f32 {
    let [r, g, b, _] = egui::Rgba::from(color).to_array();
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

/// Gives `ctx` the look of Inkling in both themes.
pub fn install(ctx: &egui::Context) {
    ctx.set_fonts(fonts());
    for theme in [Theme::Light, Theme::Dark] {
        ctx.set_style_of(theme, style(theme));
    }
}

/// One font for everything: that of egui, as `build.rs` makes it.
fn fonts() -> FontDefinitions {
    const NAME: &str = "window";
    const FONT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/window.ttf"));
    let mut fonts = FontDefinitions::empty();
    let font = FontData::from_static(FONT);
    fonts.font_data.insert(NAME.to_owned(), Arc::new(font));
    for family in [FontFamily::Proportional, FontFamily::Monospace] {
        fonts.families.insert(family, vec![NAME.to_owned()]);
    }
    fonts
}

/// The text with signs of mathematics that the font lacks written in those that it has.
pub fn in_font(text: &str) -> String {
    text.replace('‖', "||").replace('∇', "grad ")
}

fn style(theme: Theme) -> Style {
    let mut style = Style { text_styles: text_styles(), visuals: visuals(theme), ..Style::default() };
    let spacing = &mut style.spacing;
    spacing.item_spacing = egui::vec2(space::S, space::S);
    spacing.button_padding = egui::vec2(space::M, 5.0);
    spacing.interact_size = egui::vec2(40.0, 28.0);
    spacing.menu_margin = Margin::same(space::S as i8);
    spacing.window_margin = Margin::same(space::L as i8);
    spacing.icon_width = 16.0;
    spacing.icon_width_inner = 10.0;
    spacing.icon_spacing = 6.0;
    spacing.slider_rail_height = 4.0;
    spacing.combo_height = 320.0;
    spacing.scroll.floating_allocated_width = 0.0;
    style.interaction.tooltip_delay = 0.3;
    style.interaction.selectable_labels = false;
    style.animation_time = 0.12;
    style
}

fn text_styles() -> BTreeMap<TextStyle, FontId> {
    let proportional = |size| FontId::new(size, FontFamily::Proportional);
    [
        (TextStyle::Small, proportional(12.0)),
        (TextStyle::Body, proportional(14.0)),
        (TextStyle::Button, proportional(14.0)),
        (title_style(), proportional(16.0)),
        (TextStyle::Heading, proportional(21.0)),
        (figure_style(), proportional(24.0)),
        (TextStyle::Monospace, FontId::new(13.0, FontFamily::Monospace)),
    ]
    .into()
}

fn visuals(theme: Theme) -> Visuals {
    let palette = Palette::new(theme);
    let base = match theme {
        Theme::Light => Visuals::light(),
        Theme::Dark => Visuals::dark(),
    };
    let shadow = Shadow { offset: [0, 6], blur: 20, spread: 0, color: Color32::from_black_alpha(48) };
    Visuals {
        widgets: widgets(&palette),
        selection: Selection {
            bg_fill: palette.surface.lerp_to_gamma(palette.accent, 0.22),
            stroke: Stroke::new(1.0, palette.accent),
        },
        weak_text_color: Some(palette.weak),
        hyperlink_color: palette.accent,
        faint_bg_color: palette.background,
        extreme_bg_color: palette.background,
        code_bg_color: palette.raised,
        warn_fg_color: palette.warn,
        error_fg_color: palette.bad,
        panel_fill: palette.background,
        window_fill: palette.surface,
        window_stroke: Stroke::new(1.0, palette.border),
        window_corner_radius: CornerRadius::same(10),
        menu_corner_radius: CornerRadius::same(8),
        window_shadow: shadow,
        popup_shadow: shadow,
        slider_trailing_fill: true,
        handle_shape: HandleShape::Circle,
        interact_cursor: Some(egui::CursorIcon::PointingHand),
        indent_has_left_vline: false,
        ..base
    }
}

fn widgets(palette: &Palette) -> Widgets {
    let state = |fill: Color32, line: Stroke, text: Color32| WidgetVisuals {
        bg_fill: fill,
        weak_bg_fill: fill,
        bg_stroke: line,
        corner_radius: CornerRadius::same(6),
        fg_stroke: Stroke::new(1.0, text),
        expansion: 0.0,
    };
    let line = Stroke::new(1.0, palette.border);
    // egui draws what has the keyboard's focus as it draws what is pressed: with a line that shows.
    let focus = Stroke::new(2.0, palette.accent);
    Widgets {
        noninteractive: state(palette.surface, line, palette.text),
        inactive: state(palette.raised, line, palette.text),
        hovered: state(palette.raised.lerp_to_gamma(palette.text, 0.08), Stroke::new(1.0, palette.weak), palette.text),
        active: state(palette.raised.lerp_to_gamma(palette.accent, 0.16), focus, palette.text),
        open: state(palette.raised, Stroke::new(1.0, palette.accent), palette.text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The contrast of WCAG 2.
    fn contrast(a: Color32, b: Color32) -> f32 {
        let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
        a.max(b) / a.min(b)
    }

    #[test]
    fn ink_can_be_read_on_every_shade_of_a_colour() {
        for theme in [Theme::Light, Theme::Dark] {
            let palette = Palette::new(theme);
            for color in [palette.good, palette.bad] {
                for share in 0..=20 {
                    let fill = palette.surface.lerp_to_gamma(color, share as f32 / 20.0);
                    let contrast = contrast(ink_on(fill), fill);
                    assert!(contrast >= 4.5, "{theme:?} {share}: {contrast}");
                }
            }
        }
    }

    #[test]
    fn text_can_be_read_on_what_lies_behind_it() {
        for theme in [Theme::Light, Theme::Dark] {
            let palette = Palette::new(theme);
            for behind in [palette.background, palette.surface] {
                for (name, color) in [
                    ("text", palette.text),
                    ("weak", palette.weak),
                    ("accent", palette.accent),
                    ("good", palette.good),
                    ("warn", palette.warn),
                    ("bad", palette.bad),
                ] {
                    let contrast = contrast(color, behind);
                    assert!(contrast >= 4.5, "{theme:?} {name}: {contrast}");
                }
            }
            assert!(contrast(palette.on_accent, palette.accent) >= 4.5);
            assert!(contrast(palette.text, palette.raised) >= 4.5);
            for (index, color) in palette.series.iter().enumerate() {
                // WCAG 2 asks 3 : 1 of graphics; Okabe & Ito's yellows keep less on white.
                assert!(contrast(*color, palette.surface) >= 2.5, "{theme:?} series {index}");
            }
        }
    }
}
