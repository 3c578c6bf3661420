//! The ends that a page can come to, each with a message in place of a white canvas.

use eframe::CreationContext;

use super::hooks;

const SAVED: &str = "Reload the page: your classes and pictures were kept.";

/// Shows a message when the module panics: it cannot go on afterwards.
pub fn watch_panics() {
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        previous(panic);
        let details = format!("{panic}\nPlease report this text.");
        hooks::failure("Inkling has stopped because of a mistake in it", SAVED, &details);
    }));
}

/// Shows a message when the device that draws is lost: eframe would go on with a white canvas.
pub fn watch_device(context: &CreationContext<'_>) {
    if let Some(state) = &context.wgpu_render_state {
        state.device.set_device_lost_callback(|_, message| {
            hooks::failure("The browser has taken the graphics device away", SAVED, &message);
        });
    }
}
