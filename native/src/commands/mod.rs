//! One module per command. Each resolves its arguments, hands them to one function that does the
//! work, and prints the outcome.

mod adapt;
mod bench;
mod bench_heads;
mod bench_live;
mod bench_rows;
mod bench_steps;
mod data;
mod devices;
mod embed;
mod eval;
mod fetch_bars;
mod grad;
mod memory;
mod report;
mod train;
mod weights;

use inkling_session::config::{Layers, RunConfig};
use toml::Value;

use crate::args::{Arguments, BenchCommand, Command, ConfigArgs, EpisodeArgs, Method};
use crate::failure::Failure;
use crate::output::Output;

/// Runs the command.
pub fn run(arguments: Arguments, output: &Output) -> Result<(), Failure> {
    let adapter = arguments.global.adapter;
    match arguments.command {
        Command::Train(args) => train::run(&args, adapter, *output),
        Command::Eval(args) => eval::run(&args, adapter, *output),
        Command::Adapt(args) => adapt::run(&args, adapter, *output),
        Command::Embed(args) => embed::run(&args, adapter, *output),
        Command::Grad(args) => grad::run(&args, adapter, *output),
        Command::Report(command) => report::run(&command, adapter, *output),
        Command::Memory(args) => memory::run(&args, adapter, *output),
        Command::Data(command) => data::run(command, *output),
        Command::Weights(command) => weights::run(&command, *output),
        Command::Devices => devices::run(*output),
        Command::Bench(BenchCommand::Conv4(args)) => bench::conv4(&args, adapter, *output),
        Command::Bench(BenchCommand::Backbone(args)) => bench::backbone(&args, adapter, *output),
        Command::Bench(BenchCommand::Steps(args)) => bench_steps::run(&args, adapter, *output),
        Command::Bench(BenchCommand::Live(args)) => bench_live::run(&args, adapter, *output),
        Command::Bench(BenchCommand::Rows(args)) => bench_rows::run(&args, adapter, *output),
        Command::Bench(BenchCommand::Heads(args)) => bench_heads::run(&args, adapter, *output),
    }
}

/// The layers that the arguments name, lowest first.
fn layers(args: &ConfigArgs) -> Result<Layers, Failure> {
    let mut layers = Layers::new();
    if let Some(name) = &args.preset {
        layers.preset(name)?;
    }
    if let Some(file) = &args.config {
        layers.file(file)?;
    }
    if let Some(spec) = &args.data {
        layers.set("--data", "data.spec", Value::String(spec.clone()));
    }
    if let Some(seed) = args.seed {
        layers.set("--seed", "training.seed", integer("--seed", seed)?);
    }
    set_budget(&mut layers, args.memory_budget);
    set_strict(&mut layers, args.strict);
    assign(&mut layers, &args.overrides)?;
    Ok(layers)
}

/// Puts a head or learner into a configuration.
fn set_method(layers: &mut Layers, method: Method) {
    let key = if method.is_learner() { "learner.kind" } else { "head.kind" };
    layers.set("--methods", key, Value::String(method.name().to_owned()));
    if method.is_learner() {
        // They take the whole support, whatever the configuration says of other methods.
        layers.set("--methods", "gradient.estimator", Value::String("full".to_owned()));
    }
}

/// The checked configuration, its warnings printed.
fn resolve(layers: &Layers, output: Output) -> Result<RunConfig, Failure> {
    let config = layers.run_config()?;
    for warning in config.warnings() {
        output.warning(&warning);
    }
    Ok(config)
}

fn assign(layers: &mut Layers, overrides: &[String]) -> Result<(), Failure> {
    for assignment in overrides {
        layers.assign(assignment)?;
    }
    Ok(())
}

fn set_budget(layers: &mut Layers, budget: Option<inkling_session::units::ByteSize>) {
    if let Some(budget) = budget {
        layers.set("--memory-budget", "memory.budget", Value::String(budget.to_string()));
    }
}

fn set_strict(layers: &mut Layers, strict: bool) {
    if strict {
        layers.set("--strict", "data.strict", Value::Boolean(true));
    }
}

/// Names the images that were passed over, and how many they were.
fn passed_over(skipped: &[String], output: Output) {
    for message in skipped {
        output.warning(message);
    }
    if !skipped.is_empty() {
        output.warning(&format!(
            "{} image(s) could not be read and were passed over; --strict refuses them",
            skipped.len()
        ));
    }
}

/// Puts the shape of the fixed episodes over the section `[evaluation]`.
fn set_episode(layers: &mut Layers, args: &EpisodeArgs, episodes: Option<u32>) -> Result<(), Failure> {
    let counts = [
        ("--ways", "evaluation.ways", args.ways),
        ("--shots", "evaluation.shots", args.shots),
        ("--queries", "evaluation.queries", args.queries),
        ("--episodes", "evaluation.episodes", episodes),
    ];
    for (flag, key, value) in counts {
        if let Some(value) = value {
            layers.set(flag, key, Value::Integer(value.into()));
        }
    }
    if let Some(split) = &args.split {
        layers.set("--split", "evaluation.split", Value::String(split.clone()));
    }
    if let Some(seed) = args.seed {
        layers.set("--seed", "evaluation.seed", integer("--seed", seed)?);
    }
    Ok(())
}

fn integer(flag: &str, value: u64) -> Result<Value, Failure> {
    i64::try_from(value)
        .map(Value::Integer)
        .map_err(|_| Failure::Usage(format!("{flag} {value} is too large; use at most {}", i64::MAX)))
}
