//! Learners that the page offers to fetch: networks that others published, in 16 bits and without
//! the classifiers of their training, with the list that the page reads.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;
use crate::workspace::Workspace;

/// What a visitor reads of one of them.
struct Offered {
    name: &'static str,
    #[cfg_attr(not(feature = "bindgen"), expect(dead_code, reason = "read where the site is put together"))]
    description: &'static str,
    #[cfg_attr(not(feature = "bindgen"), expect(dead_code, reason = "read where the site is put together"))]
    licence: &'static str,
}

const OFFERED: [Offered; 1] = [Offered {
    name: "efficientnet-lite0",
    description: "EfficientNet-Lite0, trained on a million photographs of ImageNet at 224 pixels: for photographs of \
                  anything",
    licence: "Apache-2.0, ML Illustrated 2020",
}];

/// Fetches the published weights by the project's own command and converts them, once for a target
/// folder. Where they cannot be had it says why, and the page offers nothing but the learner that
/// it ships.
///
/// # Errors
/// When the command line does not compile, or a file cannot be written.
pub fn prepare(workspace: &Workspace) -> Result<()> {
    let folder = folder(workspace);
    let lacking: Vec<&Offered> = OFFERED.iter().filter(|one| !file(&folder, one).is_file()).collect();
    if lacking.is_empty() {
        return Ok(());
    }
    // As the tests build it.
    process::run(workspace.cargo().args(["build", "--workspace", "--exclude", "inkling-burn", "--bin", "inkling"]))?;
    let program = workspace.target().join("debug").join(format!("inkling{}", std::env::consts::EXE_SUFFIX));
    let published = folder.join("published");
    fs::create_dir_all(&published).with_context(|| format!("cannot make {}", published.display()))?;
    for one in lacking {
        let mut fetch = Command::new(&program);
        fetch.args(["weights", "fetch", one.name, "--half", "--out"]).arg(&published);
        if let Err(error) = process::run(&mut fetch) {
            println!("the page will not offer {}: {error}", one.name);
            continue;
        }
        let mut convert = Command::new(&program);
        convert.args(["weights", "import", "--half", "--no-classifier"]);
        convert.arg(published.join(format!("{}-half.safetensors", one.name)));
        process::run(convert.arg("--out").arg(file(&folder, one)))?;
    }
    Ok(())
}

fn file(folder: &Path, one: &Offered) -> PathBuf {
    folder.join(one.name).with_extension("safetensors")
}

fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target().join("learners")
}

/// Puts those that were prepared, with their list, into `dist/learners`.
///
/// # Errors
/// When a file cannot be read or written.
#[cfg(feature = "bindgen")]
pub fn copy(workspace: &Workspace, dist: &Path) -> Result<()> {
    let folder = folder(workspace);
    let target = dist.join("learners");
    fs::create_dir_all(&target).with_context(|| format!("cannot make {}", target.display()))?;
    let mut list = Vec::new();
    for one in &OFFERED {
        let file = format!("{}.safetensors", one.name);
        if !folder.join(&file).is_file() {
            continue;
        }
        let bytes = fs::copy(folder.join(&file), target.join(&file));
        let bytes = bytes.with_context(|| format!("cannot copy {file} from {}", folder.display()))?;
        list.push(serde_json::json!({
            "name": one.name,
            "description": one.description,
            "licence": one.licence,
            "bytes": bytes,
        }));
    }
    let list_file = target.join("list.json");
    fs::write(&list_file, serde_json::to_vec(&list)?).with_context(|| format!("cannot write {}", list_file.display()))
}
