//! Puts the site together: the modules and their JavaScript, the page, the JavaScript package with
//! its example, the shipped learner and those to fetch, and the list of files that the service worker keeps. It says
//! what a visitor has to fetch.

use std::path::Path;

use anyhow::Result;

use crate::workspace::Workspace;

/// The learner that the page and the package fetch.
#[cfg(feature = "bindgen")]
const LEARNER: &str = "crates/inkling-session/learners/scenes.safetensors";

/// Fills `web/dist` from the modules in `folder` and prints its sizes.
///
/// # Errors
/// When a file cannot be read or written, or, unless `fast`, when the code is too large.
#[cfg(feature = "bindgen")]
pub fn run(workspace: &Workspace, folder: &Path, fast: bool) -> Result<()> {
    use anyhow::Context;

    use super::{MODULES, dist, learners, sizes, stamp};

    let (dist, web) = (dist(workspace), workspace.root().join("web"));
    if dist.exists() {
        std::fs::remove_dir_all(&dist).with_context(|| format!("cannot empty {}", dist.display()))?;
    }
    for module in MODULES {
        crate::browser::bindgen::generate(&folder.join(module.file), &dist.join(module.folder), false)?;
    }
    copy(&web.join("site"), &dist)?;
    copy(&web.join("package"), &dist.join("package"))?;
    for place in ["learner.safetensors", "package/learner.safetensors"] {
        copy(&workspace.root().join(LEARNER), &dist.join(place))?;
    }
    learners::copy(workspace, &dist)?;
    stamp::service_worker(&dist)?;
    // A fast build is not optimised: its size says nothing, and takes a minute to compute.
    if fast { Ok(()) } else { sizes::report(&dist) }
}

/// Refuses: this build has no generator.
///
/// # Errors
/// Always; it names the feature that is missing.
#[cfg(not(feature = "bindgen"))]
pub fn run(_workspace: &Workspace, folder: &Path, _fast: bool) -> Result<()> {
    crate::browser::bindgen::generate(folder, Path::new("web/dist"), false)
}

/// Copies a file, or what lies below a folder, to `to`.
#[cfg(feature = "bindgen")]
fn copy(from: &Path, to: &Path) -> Result<()> {
    use anyhow::Context;

    if from.is_file() {
        return std::fs::copy(from, to).map(drop).with_context(|| format!("cannot copy {}", from.display()));
    }
    std::fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    let entries = std::fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))?;
    for entry in entries {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}
