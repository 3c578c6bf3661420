//! `inkling report`.

use std::path::Path;

use inkling_session::config::Layers;
use inkling_session::report;
use inkling_session::run::{
    Budget, ConvergenceSettings, MemoryAxes, Site, convergence, estimators, memory_report, methods_report,
};
use inkling_session::table::Table;
use inkling_session::tensor_file::TensorFile;

use super::{assign, layers, resolve, set_method};
use crate::args::{ConvergenceArgs, EstimatorsArgs, MemoryReportArgs, MethodsArgs, ReportCommand};
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
    let axes = MemoryAxes {
        inner_steps: args.inner_steps.clone(),
        supports: args.support.clone(),
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

fn show(table: &Table, folder: &Path, files: &[&str], output: Output) {
    output.table(table);
    if !output.is_json() {
        let paths: Vec<String> = files.iter().map(|file| folder.join(file).display().to_string()).collect();
        output.line(&format!("\nwritten to {}", paths.join(", ")));
    }
}
