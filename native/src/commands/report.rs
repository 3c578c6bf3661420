//! `inkling report`.

use std::path::Path;

use inkling_session::checkpoint::Checkpoint;
use inkling_session::config::{Layers, TrainedKind};
use inkling_session::error::RunError;
use inkling_session::report::{self, peers::Comparison};
use inkling_session::run::{
    Ablation, AdaptationMethod, Budget, ConvergenceSettings, MemoryAxes, Site, ablation_report, adaptation_report,
    convergence, estimators, memory_report, methods_report,
};
use inkling_session::run_folder::RunFolder;
use inkling_session::table::Table;
use inkling_session::tensor_file::TensorFile;
use serde_json::json;
use toml::Value;

use super::{assign, bench_rows, layers, resolve, set_method};
use crate::args::{
    AblationArgs, AdaptationArgs, Adapter, ConvergenceArgs, EstimatorsArgs, MemoryReportArgs, MethodsArgs, PeersArgs,
    ReportCommand,
};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::printer::Printer;

pub fn run(command: &ReportCommand, adapter: Option<String>, output: Output) -> Result<(), Failure> {
    match command {
        ReportCommand::Estimators(args) => of_estimators(args, adapter, output),
        ReportCommand::Memory(args) => of_memory(args, adapter, output),
        ReportCommand::Methods(args) => of_methods(args, adapter, output),
        ReportCommand::Convergence(args) => of_convergence(args, adapter, output),
        ReportCommand::Adaptation(args) => of_adaptation(args, adapter, output),
        ReportCommand::Ablation(args) => of_ablation(args, adapter, output),
        ReportCommand::Peers(args) => of_peers(args, output),
    }
}

fn of_estimators(args: &EstimatorsArgs, adapter: Option<String>, output: Output) -> Result<(), Failure> {
    let config = resolve(&layers(&args.config)?, output)?;
    let weights = args.model.as_deref().map(TensorFile::read).transpose()?;
    let mut printer = Printer::new(output);
    let points =
        pollster::block_on(estimators(&config, weights.as_ref(), args.draws, &Site::on(adapter), &mut |done, all| {
            printer.measuring(done, all);
        }));
    printer.close();
    let points = match &args.model {
        Some(path) => points.map_err(Failure::with_weights(path))?,
        None => points?,
    };
    report::estimators::write(&args.out, &points)?;
    show(&report::estimators::table(&points), &args.out, &["estimators.csv", "estimators.svg"], output);
    Ok(())
}

fn of_memory(args: &MemoryReportArgs, adapter: Option<String>, output: Output) -> Result<(), Failure> {
    let base = layers(&args.config)?;
    let mut methods = Vec::new();
    for &method in &args.methods {
        let mut layers = layers(&args.config)?;
        set_method(&mut layers, method);
        methods.push((method.name().to_owned(), resolve(&layers, output)?));
    }
    let asks = !(args.support.is_empty() && args.subsets.is_empty() && args.image_sizes.is_empty());
    let axes = MemoryAxes {
        inner_steps: if asks { args.inner_steps.clone() } else { inner_steps(&args.inner_steps) },
        supports: args.support.clone(),
        subsets: args.subsets.clone(),
        image_sizes: args.image_sizes.clone(),
    };
    let config = resolve(&base, output)?;
    let mut printer = Printer::new(output);
    let mut progress = |done, all| printer.measuring(done, all);
    let points = pollster::block_on(memory_report(&config, &methods, &axes, &Site::on(adapter), &mut progress));
    printer.close();
    let points = points?;
    report::memory::write(&args.out, &points)?;
    show(&report::memory::table(&points), &args.out, &["memory.csv", "memory.svg"], output);
    Ok(())
}

/// The inner steps that were asked for, or some.
fn inner_steps(asked: &[u32]) -> Vec<u32> {
    if asked.is_empty() { vec![1, 5, 20, 100] } else { asked.to_vec() }
}

fn of_methods(args: &MethodsArgs, adapter: Option<String>, output: Output) -> Result<(), Failure> {
    let mut methods = Vec::new();
    for name in &args.methods {
        let mut layers = Layers::new();
        if Path::new(name).is_file() {
            layers.file(Path::new(name))?
        } else {
            layers.preset(name)?
        };
        if let Some(spec) = &args.data {
            layers.set("--data", "data.spec", toml::Value::String(spec.clone()));
        }
        assign(&mut layers, &args.overrides)?;
        let stem = Path::new(name).file_stem().map_or_else(|| name.clone(), |stem| stem.to_string_lossy().into_owned());
        methods.push((stem, resolve(&layers, output)?));
    }
    let budget = Budget { seconds: args.time.0.as_secs_f64(), seeds: args.seeds.clone(), folder: args.out.clone() };
    let interrupt = Interrupt::install(None)?;
    let mut printer = Printer::new(output);
    let mut emit = |event| printer.show(&event);
    let result = pollster::block_on(methods_report(&methods, &budget, adapter, &|| interrupt.requested(), &mut emit));
    printer.close();
    let (results, points) = result?;
    report::methods::write(&args.out, &results, &points)?;
    show(&report::methods::table(&results), &args.out, &["methods.csv", "curves.csv", "curves.svg"], output);
    Ok(())
}

fn of_convergence(args: &ConvergenceArgs, adapter: Option<String>, output: Output) -> Result<(), Failure> {
    let settings = ConvergenceSettings {
        seeds: args.seeds,
        iterations: args.iterations,
        unknowns: args.unknowns.clone(),
        ..ConvergenceSettings::default()
    };
    let mut printer = Printer::new(output);
    let mut progress = |done, all| printer.measuring(done, all);
    let result = pollster::block_on(convergence(&settings, adapter, &mut progress));
    printer.close();
    let result = result?;
    report::convergence::write(&args.out, &result.points, &result.systems)?;
    for table in [report::convergence::table(&result.points), report::convergence::systems_table(&result.systems)] {
        output.table(&table);
        if !output.is_json() {
            output.line("");
        }
    }
    let files = ["convergence.csv", "convergence.svg", "systems.csv", "systems.svg"];
    show(&report::convergence::summary(&result.points), &args.out, &files, output);
    Ok(())
}

fn of_adaptation(args: &AdaptationArgs, adapter: Option<String>, output: Output) -> Result<(), Failure> {
    let mut methods = Vec::new();
    for &method in &args.methods {
        let mut layers = layers(&args.config)?;
        set_adapter(&mut layers, method);
        let mut with_method = method_of(method.name(), layers, args.episodes, None, output)?;
        if !method.is_learner() {
            // Settings of learners that all methods share make no learner of a head.
            with_method.config.learner = None;
        } else if with_method.config.model.trained == Some(TrainedKind::Film) {
            // FiLM belongs to heads; these adapt the norms by themselves.
            with_method.config.model.trained = Some(TrainedKind::Norms);
        }
        methods.push(with_method);
    }
    for run in &args.runs {
        let mut layers = RunFolder::read_layers(run)?;
        if let Some(spec) = &args.config.data {
            layers.set("--data", "data.spec", Value::String(spec.clone()));
        }
        let of_method =
            |key: &str| ["model.", "head.", "learner."].iter().any(|section| key.trim().starts_with(section));
        let shared = args.config.overrides.iter().filter(|assignment| !of_method(assignment)).cloned();
        assign(&mut layers, &shared.collect::<Vec<_>>())?;
        let (Checkpoint { weights, state, .. }, warnings) = RunFolder::newest_checkpoint(run)?;
        warnings.iter().for_each(|warning| output.warning(warning));
        let name =
            run.file_name().map_or_else(|| run.display().to_string(), |name| name.to_string_lossy().into_owned());
        let weights = Some((format!("step {}", state.step), weights));
        methods.push(method_of(name, layers, args.episodes, weights, output)?);
    }
    let mut printer = Printer::new(output);
    let mut emit = |event| printer.show(&event);
    let what = (args.timed, args.episodes > 0);
    let points = pollster::block_on(adaptation_report(&methods, what, &Site::on(adapter), &mut emit));
    printer.close();
    let points = points?;
    report::adaptation::write(&args.out, &points)?;
    let files = ["adaptation.csv", "adaptation.md", "adaptation.svg"];
    show(&report::adaptation::table(&points), &args.out, &files, output);
    Ok(())
}

fn method_of(
    name: String,
    mut layers: Layers,
    episodes: u32,
    weights: Option<(String, TensorFile)>,
    output: Output,
) -> Result<AdaptationMethod, Failure> {
    // An evaluation has at least two, also where none is asked for.
    layers.set("--episodes", "evaluation.episodes", Value::Integer(episodes.max(2).into()));
    Ok(AdaptationMethod { name, config: resolve(&layers, output)?, weights })
}

/// Puts what adapts into a configuration.
fn set_adapter(layers: &mut Layers, adapter: Adapter) {
    let (key, kind) = adapter.kind();
    let mut set = |key, value: &str| layers.set("--methods", key, Value::String(value.to_owned()));
    set(key, kind);
    // Nothing is trained here: this one goes with every method and norm.
    set("gradient.estimator", "full");
    if let Some(trains) = adapter.trains() {
        set("learner.trains", trains);
    }
}

fn of_ablation(args: &AblationArgs, adapter: Option<String>, output: Output) -> Result<(), Failure> {
    let mut layers = layers(&args.config)?;
    layers.set("--h", "gradient.estimator", Value::String("lite".to_owned()));
    let config = resolve(&layers, output)?;
    let ablation = Ablation { h: args.h.clone(), seeds: args.seeds.clone(), folder: args.out.clone() };
    let interrupt = Interrupt::install(None)?;
    let mut printer = Printer::new(output);
    let mut emit = |event| printer.show(&event);
    let result = pollster::block_on(ablation_report(&config, &ablation, adapter, &|| interrupt.requested(), &mut emit));
    printer.close();
    let points = result?;
    report::ablation::write(&args.out, &points)?;
    show(&report::ablation::table(&points), &args.out, &["ablation.csv", "ablation.md", "ablation.svg"], output);
    Ok(())
}

fn of_peers(args: &PeersArgs, output: Output) -> Result<(), Failure> {
    let rows = bench_rows::read(&args.rows)?;
    let lines = std::fs::read_to_string(&args.measured).map_err(RunError::io("read", &args.measured))?;
    let comparison = Comparison::read(rows.titles(), &lines)
        .map_err(|reason| Failure::failed(format!("{}: {reason}", args.measured.display())))?;
    report::peers::write(&args.out, &comparison)?;
    if output.is_json() {
        comparison.measurements.iter().for_each(|measurement| output.object(&json!(measurement)));
        return Ok(());
    }
    output.line(&comparison.to_markdown());
    written(&args.out, &["peers.csv", "peers.md", "peers.svg"], output);
    Ok(())
}

fn show(table: &Table, folder: &Path, files: &[&str], output: Output) {
    output.table(table);
    if !output.is_json() {
        written(folder, files, output);
    }
}

fn written(folder: &Path, files: &[&str], output: Output) {
    let paths: Vec<String> = files.iter().map(|file| folder.join(file).display().to_string()).collect();
    output.line(&format!("\nwritten to {}", paths.join(", ")));
}
