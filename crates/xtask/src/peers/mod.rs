//! Inkling beside other systems, on the rows of `tests/peers/rows.json`. Each system measures itself
//! and prints a line of JSON for each row; a system that is not to be had has a line that says why.

mod page;
mod record;
mod torch;

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::args::Places;
use crate::process;
use crate::setup::{self, Needs};
use crate::workspace::Workspace;
use record::{Place, Record};

/// Where the table goes, below the workspace's root.
const FOLDER: &str = "reports/peers";
const MEASURED: &str = "measured.jsonl";

/// Installs the systems, measures them one after the other, and writes the table.
///
/// # Errors
/// When Inkling itself cannot be built or measured; another system's failure is a reason in the table.
pub fn run(workspace: &Workspace, places: Places) -> Result<()> {
    println!("== set-up");
    let Places { native, browser } = places;
    let machine =
        setup::run(workspace, Needs { driver: native, browser, node: browser, wasm: browser, ..Needs::default() })?;
    let folder = workspace.root().join(FOLDER);
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let measured = folder.join(MEASURED);
    let mut record = Record::create(&measured)?;

    println!("\n== build");
    // It comes through the network while the processor compiles.
    let torch = native.then(|| {
        let work = workspace.clone();
        std::thread::spawn(move || torch::prepare(&work))
    });
    process::run(workspace.cargo().args(["build", "--release", "--package", "inkling"]))?;
    let burn = native.then(|| build_burn(workspace));
    let page = browser.then(|| page::build(workspace, &machine)).transpose()?;
    let torch = torch.map(|torch| torch.join().unwrap_or_else(|_| Err(anyhow::anyhow!("the installation stopped"))));

    if let Some((burn, torch)) = burn.zip(torch) {
        println!("\n== native");
        measure_native(workspace, &mut record, burn, torch)?;
    }
    if let Some(page) = page {
        println!("\n== in the browser");
        page.measure(&mut record)?;
    }
    record.close()?;

    println!("\n== table");
    let mut table = Command::new(program(workspace, "inkling"));
    table.current_dir(workspace.root()).args(["report", "peers", "--rows"]).arg(rows(workspace));
    process::run(table.arg("--measured").arg(&measured).args(["--out", FOLDER]))
}

fn measure_native(
    workspace: &Workspace,
    record: &mut Record,
    burn: Result<PathBuf>,
    torch: Result<torch::Torch>,
) -> Result<()> {
    let rows = rows(workspace);
    let mut inkling = Command::new(program(workspace, "inkling"));
    record.run(inkling.args(["bench", "rows", "--json", "--rows"]).arg(&rows))?;
    let with_burn = burn.and_then(|program| record.run(Command::new(program).arg("--rows").arg(&rows)));
    record.unless("burn-wgpu", Place::Native, with_burn)?;
    match torch {
        Ok(torch) => {
            let on_cpu = record.run(&mut torch.command(&rows, "cpu"));
            record.unless("PyTorch (CPU)", Place::Native, on_cpu)?;
            if torch.has_cuda() {
                let on_cuda = record.run(&mut torch.command(&rows, "cuda"));
                return record.unless("PyTorch (CUDA)", Place::Native, on_cuda);
            }
            record.missing("PyTorch (CUDA)", Place::Native, "PyTorch finds no CUDA device on this machine.")
        }
        Err(error) => record.missing("PyTorch (CPU)", Place::Native, &format!("{error:#}")),
    }
}

/// Not as a release: Burn's generic code takes minutes to optimise, and only launches kernels. The test
/// run has built it so already.
fn build_burn(workspace: &Workspace) -> Result<PathBuf> {
    let example = ["build", "--package", "inkling-burn", "--example", "bench_rows"];
    process::run(workspace.cargo().args(example))?;
    let name = format!("bench_rows{}", std::env::consts::EXE_SUFFIX);
    Ok(workspace.target().join("debug/examples").join(name))
}

/// A program that the release build has made.
fn program(workspace: &Workspace, name: &str) -> PathBuf {
    workspace.target().join("release").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

fn rows(workspace: &Workspace) -> PathBuf {
    workspace.root().join("tests/peers/rows.json")
}
