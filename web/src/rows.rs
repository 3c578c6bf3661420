//! The rows on which `cargo xtask peers` compares pages.

use inkling_session::run::RowList;
use wasm_bindgen::prelude::*;

/// Measures the rows of a list (JSON, as in `tests/peers/rows.json`); `emit` gets each as a line of
/// JSON.
///
/// # Errors
/// When the list cannot be read, or a row cannot be run on this browser's adapter.
#[wasm_bindgen]
pub async fn bench_rows(list: &str, emit: js_sys::Function) -> Result<(), JsError> {
    let list: RowList = serde_json::from_str(list)?;
    let mut refused = None;
    let mut tell = |measurement| match serde_json::to_string(&measurement) {
        Ok(line) => refused = emit.call1(&JsValue::NULL, &line.into()).err().or(refused.take()),
        Err(error) => refused = Some(error.to_string().into()),
    };
    inkling_session::run::bench_rows(&list, None, &mut tell).await?;
    match refused {
        None => Ok(()),
        Some(error) => Err(JsError::new(&format!("the page did not take a measurement: {error:?}"))),
    }
}
