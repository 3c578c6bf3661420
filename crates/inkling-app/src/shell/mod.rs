//! The frame around the panels: the bar of tabs, above on wide windows and below on narrow ones,
//! and the keys that choose between them.

mod icons;
mod tabs;
#[cfg(test)]
mod tests;

use egui::{Context, Key, Margin, Modifiers, ScrollArea, Ui};

pub use tabs::Tab;
pub(crate) use tabs::tab_bar;

use crate::theme::space;
use crate::widgets::is_narrow;

const DIGITS: [Key; 5] = [Key::Num1, Key::Num2, Key::Num3, Key::Num4, Key::Num5];

/// The tab whose key was pressed: Ctrl or Cmd with its number, or Alt, because browsers keep the
/// first for themselves.
pub(crate) fn pressed_tab(ctx: &Context) -> Option<Tab> {
    ctx.input_mut(|input| {
        Tab::ALL.into_iter().zip(DIGITS).find_map(|(tab, key)| {
            let pressed = input.consume_key(Modifiers::COMMAND, key) || input.consume_key(Modifiers::ALT, key);
            pressed.then_some(tab)
        })
    })
}

/// The area of the panel: all that is left where it divides the window itself, else a page that
/// scrolls when it is higher than the window.
pub(crate) fn content(ui: &mut Ui, tab: Tab, fills: bool, add: impl FnOnce(&mut Ui)) {
    let margin = Margin::same(if is_narrow(ui) { space::M } else { space::L } as i8);
    let frame = egui::Frame::central_panel(ui.style()).inner_margin(if fills { margin } else { Margin::ZERO });
    egui::CentralPanel::default().frame(frame).show(ui, |ui| {
        if fills {
            add(ui);
        } else {
            ScrollArea::vertical().id_salt(tab).auto_shrink(false).content_margin(margin).show(ui, add);
        }
    });
}
