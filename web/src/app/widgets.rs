//! What is on the screen, by the names that screen readers would say. A canvas shows a browser
//! none of it, so that its tests could only click at fixed places.

use std::sync::{Arc, Mutex, PoisonError};

use eframe::egui::accesskit::{Node, Toggled};
use eframe::egui::{Context, FullOutput, Plugin};
use serde_json::{Value, json};

/// The widgets of the last frame. Clones share them.
#[derive(Clone, Default)]
pub struct Widgets {
    latest: Arc<Mutex<Value>>,
}

impl Widgets {
    /// Starts to gather them in every frame of `context`: it costs time, so it waits for somebody who asks.
    pub fn watch(&self, context: &Context) {
        context.enable_accesskit();
        context.add_plugin(self.clone());
        context.request_repaint();
    }

    /// A list of `{role, label, value, x, y, width, height, enabled, selected, focused}` in pixels
    /// of the page.
    pub fn latest(&self) -> Value {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Plugin for Widgets {
    fn debug_name(&self) -> &'static str {
        "widgets"
    }

    fn output_hook(&mut self, context: &Context, output: &mut FullOutput) {
        let Some(update) = &output.platform_output.accesskit_update else { return };
        let scale = f64::from(context.zoom_factor());
        let list = update.nodes.iter().filter_map(|(id, node)| describe(node, *id == update.focus, scale));
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = list.collect();
    }
}

/// A widget that has a place and says something.
fn describe(node: &Node, is_focused: bool, scale: f64) -> Option<Value> {
    let place = node.bounds()?;
    let label = node.label().or(node.value())?;
    Some(json!({
        "role": format!("{:?}", node.role()),
        "label": label,
        "value": node.value().map(Value::from).or(node.numeric_value().map(Value::from)),
        "x": place.x0 * scale,
        "y": place.y0 * scale,
        "width": place.width() * scale,
        "height": place.height() * scale,
        "enabled": !node.is_disabled(),
        "selected": node.toggled().map(|toggled| toggled == Toggled::True),
        "focused": is_focused,
    }))
}
