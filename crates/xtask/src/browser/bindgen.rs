//! Generates the JavaScript that loads a module, with wasm-bindgen's own library: the version
//! always matches, and nobody has to install its command.

use std::path::Path;

use anyhow::Result;

/// Writes `NAME.js` and `NAME_bg.wasm` for the module `NAME.wasm` into `folder`; names of functions
/// make stack traces legible, and the module a third larger.
///
/// # Errors
/// When the module cannot be read or written.
#[cfg(feature = "bindgen")]
pub fn generate(module: &Path, folder: &Path, keeps_names: bool) -> Result<()> {
    use anyhow::Context;

    let name = module.file_stem().with_context(|| format!("{} names no module", module.display()))?;
    wasm_bindgen_cli_support::Bindgen::new()
        .input_path(module)
        .out_name(&name.to_string_lossy())
        .typescript(false)
        .remove_name_section(!keeps_names)
        // So that the page need not know the name of the .wasm file.
        .omit_default_module_path(false)
        .web(true)?
        .generate(folder)
        .with_context(|| format!("wasm-bindgen cannot read {}", module.display()))
}

/// Refuses: this build has no generator.
///
/// # Errors
/// Always; it names the feature that is missing.
#[cfg(not(feature = "bindgen"))]
pub fn generate(module: &Path, folder: &Path, keeps_names: bool) -> Result<()> {
    anyhow::bail!(
        "this xtask cannot write {} (names: {keeps_names}) for {}: run it with `--features bindgen`",
        folder.display(),
        module.display()
    )
}
