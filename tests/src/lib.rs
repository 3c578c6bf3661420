//! Tests that cross crates, as library functions: the same cases run natively (`tests/kernels.rs`)
//! and, compiled to WebAssembly, in a browser.

pub mod kernels;
pub mod learning;

use std::pin::Pin;

use inkling_gpu::Gpu;

/// What a test case returns: nothing, or what went wrong.
pub type CaseFuture<'g> = Pin<Box<dyn Future<Output = Result<(), String>> + 'g>>;

/// A test that needs a device.
#[derive(Clone, Copy)]
pub struct Case {
    /// `<what is tested>/<in which respect>`; for kernels the first part is the shader's stem.
    pub name: &'static str,
    /// Runs it.
    pub run: fn(&Gpu) -> CaseFuture<'_>,
}

/// Every case, in the order in which they run.
pub fn cases() -> Vec<Case> {
    [kernels::cases(), learning::cases()].concat()
}

/// Cases that a browser leaves out, by how their names begin: networks of millions of weights,
/// differentiated twice, take it a quarter of an hour without a graphics card. Their kernels have
/// cases of their own.
#[cfg(target_arch = "wasm32")]
const TOO_LONG: [&str; 2] = ["hessian/maml_of_", "hessian/of_"];

/// Cases that take longer are named while the page runs.
#[cfg(target_arch = "wasm32")]
const SLOW_SECONDS: f64 = 2.0;

#[cfg(target_arch = "wasm32")]
#[wasm_bindgen::prelude::wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = console)]
    fn log(line: &str);
}

/// Runs every case on the browser's adapter.
///
/// Gives JSON: `[{"name": …, "ok": …, "message": …}]`. Without an adapter the one entry `adapter`
/// says so.
#[cfg(target_arch = "wasm32")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub async fn run_all() -> String {
    use inkling_platform::Stopwatch;
    use serde_json::json;

    let gpu = match Gpu::new(&inkling_gpu::GpuOptions::default()).await {
        Ok(gpu) => gpu,
        Err(error) => return json!([{ "name": "adapter", "ok": false, "message": error.to_string() }]).to_string(),
    };
    let mut results = Vec::new();
    let is_short = |case: &Case| !TOO_LONG.iter().any(|begin| case.name.starts_with(begin));
    for case in cases().into_iter().filter(is_short) {
        let stopwatch = Stopwatch::start();
        let result = (case.run)(&gpu).await;
        if stopwatch.seconds() >= SLOW_SECONDS {
            log(&format!("{} took {:.1} s", case.name, stopwatch.seconds()));
        }
        let message = result.as_ref().err().map(String::as_str).unwrap_or_default();
        results.push(json!({ "name": case.name, "ok": result.is_ok(), "message": message }));
    }
    serde_json::Value::Array(results).to_string()
}
