//! The app as eframe sees it.

use std::any::Any;

use eframe::egui::{Context, RawInput, Ui, Visuals};
use inkling_app::InklingApp;
use inkling_platform::Sender;
use serde_json::Value;
use wasm_bindgen::prelude::*;

use super::arrivals::Arrivals;
use super::hooks;
use super::widgets::Widgets;

/// The window, and what arrives at it from the page.
pub struct Page {
    app: InklingApp,
    arrivals: Arrivals,
    /// What waits for the first frame.
    first_frame: Sender<()>,
    context: Context,
    widgets: Option<Widgets>,
    frames: u64,
    draws_continuously: bool,
}

impl Page {
    /// A page that has drawn nothing yet.
    pub fn new(app: InklingApp, arrivals: Arrivals, first_frame: Sender<()>, context: Context) -> Self {
        Self { app, arrivals, first_frame, context, widgets: None, frames: 0, draws_continuously: false }
    }

    /// See [`InklingApp::state`].
    pub fn state(&self) -> Value {
        self.app.state()
    }

    /// The frames drawn so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Whether each frame asks for the next.
    pub fn draw_continuously(&mut self, is_wanted: bool) {
        self.draws_continuously = is_wanted;
        self.context.request_repaint();
    }

    /// What is on the screen; null until the frame after the first call.
    pub fn widgets(&mut self) -> Value {
        let widgets = self.widgets.get_or_insert_with(|| {
            let widgets = Widgets::default();
            widgets.watch(&self.context);
            widgets
        });
        widgets.latest()
    }
}

impl eframe::App for Page {
    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        self.app.ui(ui);
        if self.frames == 0 {
            // This frame is painted when we return, so the next one finds it on the screen.
            let waiting = self.first_frame.clone();
            at_next_frame(move || {
                hooks::first_frame();
                // Nothing waits any more when this fails.
                let _ = waiting.send(());
            });
        }
        self.frames += 1;
        if self.draws_continuously {
            ui.ctx().request_repaint();
        }
    }

    fn logic(&mut self, ctx: &Context, _frame: &mut eframe::Frame) {
        // Also called while the tab is hidden, so that a run goes on there.
        self.app.poll(ctx);
    }

    fn raw_input_hook(&mut self, ctx: &Context, input: &mut RawInput) {
        self.arrivals.point(ctx, input);
        self.app.drop_files(self.arrivals.take_files());
    }

    fn clear_color(&self, visuals: &Visuals) -> [f32; 4] {
        visuals.panel_fill.to_normalized_gamma_f32()
    }

    fn as_any_mut(&mut self) -> Option<&mut dyn Any> {
        Some(self)
    }
}

fn at_next_frame(call: impl FnOnce() + 'static) {
    if let Some(window) = web_sys::window() {
        let call = Closure::once_into_js(call);
        // It fails only for something that is no function.
        let _ = window.request_animation_frame(call.unchecked_ref());
    }
}
