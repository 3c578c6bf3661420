//! `inkling bench live`.

use std::path::Path;

use inkling_session::error::RunError;
use inkling_session::run::{LiveBench, LiveBenchResult, bench_live};
use inkling_session::table::Table;
use inkling_session::teach::{LearnerFile, Spent};
use serde_json::json;

use crate::args::LiveArgs;
use crate::failure::Failure;
use crate::output::Output;

pub fn run(args: &LiveArgs, adapter: Option<String>, output: Output) -> Result<(), Failure> {
    let learner = match &args.model {
        Some(path) => read(path)?,
        None => LearnerFile::shipped().map_err(Failure::failed)?,
    };
    let bench = LiveBench { width: args.frame.0, height: args.frame.1, frames: args.frames };
    let result = pollster::block_on(bench_live(learner, bench, adapter))?;
    print(&result, bench, output);
    Ok(())
}

fn read(path: &Path) -> Result<LearnerFile, Failure> {
    let bytes = std::fs::read(path).map_err(RunError::io("read", path))?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    LearnerFile::from_bytes(name, bytes).map_err(Failure::failed)
}

/// What a frame's time goes to.
type Time = fn(&(f64, Spent)) -> f64;

const TIMES: [(&str, &str, Time); 5] = [
    ("picture", "the middle square, brought to the learner's size", |(_, spent)| spent.picture),
    ("network", "upload, passes, the embedding's way back", |(_, spent)| spent.network),
    ("classes", "from the embedding to probabilities", |(_, spent)| spent.classes),
    ("waiting", "messages between window and session", |(seconds, spent)| seconds - spent.seconds()),
    ("all", "from the camera's frame to probabilities", |(seconds, _)| *seconds),
];

fn print(result: &LiveBenchResult, bench: LiveBench, output: Output) {
    let LiveBenchResult { learner, classes, images, frames } = result;
    if output.is_json() {
        for (name, _, time) in TIMES {
            let [median, fastest, slowest] = result.of(time).map(|seconds| 1e3 * seconds);
            output.object(&json!({"learner": learner.name, "part": name, "ms": median, "fastest": fastest,
                "slowest": slowest, "frames": frames.len()}));
        }
        return;
    }
    output.line(&format!(
        "{} ({}, {} pixels), {classes} classes of {images} images; medians of {} frames of {}×{}",
        learner.name,
        learner.network,
        learner.image.height,
        frames.len(),
        bench.width,
        bench.height
    ));
    let mut table = Table::new(["part", "ms", "fastest", "slowest", "what it is"]);
    for (name, what, time) in TIMES {
        let [median, fastest, slowest] = result.of(time).map(|seconds| format!("{:.2}", 1e3 * seconds));
        table.row([name.to_owned(), median, fastest, slowest, what.to_owned()]);
    }
    output.table(&table);
}
