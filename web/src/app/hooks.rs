//! What the page wants to hear of the app.

use std::cell::RefCell;

use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// The functions that the page hands to `start`.
    pub type Hooks;

    #[wasm_bindgen(method, js_name = onFirstFrame)]
    fn on_first_frame(this: &Hooks);

    #[wasm_bindgen(method, js_name = onFailure)]
    fn on_failure(this: &Hooks, title: &str, remedy: &str, details: &str);
}

thread_local! {
    // A panic hook has no other way to the page.
    static HOOKS: RefCell<Option<Hooks>> = const { RefCell::new(None) };
}

/// Remembers the page's functions for [`first_frame`] and [`failure`].
pub fn install(hooks: Hooks) {
    HOOKS.with_borrow_mut(|installed| *installed = Some(hooks));
}

/// The first frame has been shown.
pub fn first_frame() {
    HOOKS.with_borrow(|hooks| hooks.iter().for_each(Hooks::on_first_frame));
}

/// The app cannot go on: what happened, what the user should do, and what a developer wants to see.
pub fn failure(title: &str, remedy: &str, details: &str) {
    HOOKS.with_borrow(|hooks| hooks.iter().for_each(|hooks| hooks.on_failure(title, remedy, details)));
}
