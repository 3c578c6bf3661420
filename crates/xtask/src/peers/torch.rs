//! PyTorch from PyPI, in a virtual environment below the target folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::setup::apt;
use crate::workspace::Workspace;

/// An installed PyTorch.
pub struct Torch {
    python: PathBuf,
    script: PathBuf,
}

/// Makes the environment and installs what the script asks for, unless it has been done.
///
/// # Errors
/// When there is no Python 3, or pip cannot fetch the packages.
pub fn prepare(workspace: &Workspace) -> Result<Torch> {
    let sources = workspace.root().join("tests/peers");
    let environment = workspace.target().join("peers/python");
    let python = environment.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let requirements = sources.join("requirements.txt");
    let wanted = std::fs::read(&requirements).with_context(|| format!("cannot read {}", requirements.display()))?;
    // Our own copy, written last: a broken installation is begun again.
    let installed = environment.join("installed.txt");
    if !std::fs::read(&installed).is_ok_and(|found| found == wanted) {
        make(&environment)?;
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
        process::run(Command::new(&python).args(install).arg(&requirements))
            .context("pip could not install PyTorch; check the network and 6 GB of room, then run this again")?;
        std::fs::write(&installed, wanted).with_context(|| format!("cannot write {}", installed.display()))?;
    }
    Ok(Torch { python, script: sources.join("pytorch.py") })
}

/// A new virtual environment; Debian keeps what that takes in a package of its own.
fn make(environment: &Path) -> Result<()> {
    let python = ["python3", "python"].into_iter().find_map(process::on_path);
    let Some(python) = python else { bail!("no Python 3 on PATH; install it (https://www.python.org)") };
    let create = || process::run(Command::new(&python).args(["-m", "venv", "--clear"]).arg(environment));
    if create().is_ok() {
        return Ok(());
    }
    if apt::is_available() {
        apt::install(&["python3-venv"])?;
    }
    create().context("Python makes no virtual environment; install its module venv")
}

impl Torch {
    /// The script on a device, `cpu` or `cuda`.
    pub fn command(&self, rows: &Path, device: &str) -> Command {
        let mut command = Command::new(&self.python);
        command.arg(&self.script).arg("--rows").arg(rows).args(["--device", device]);
        command
    }

    /// Whether PyTorch has a CUDA device.
    pub fn has_cuda(&self) -> bool {
        let question = "import sys, torch; sys.exit(0 if torch.cuda.is_available() else 1)";
        process::output(Command::new(&self.python).args(["-c", question])).is_ok()
    }
}
