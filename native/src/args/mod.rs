//! The arguments of every command; those of one kind of command have a file.

mod bench;
mod data;
mod learn;
mod names;
mod report;
mod weights;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use inkling_session::units::ByteSize;

pub use bench::*;
pub use data::*;
pub use learn::*;
pub use names::*;
pub use report::*;
pub use weights::*;

/// Few-shot learning on any GPU: meta-train, evaluate and adapt with bounded memory.
#[derive(Debug, Parser)]
#[command(name = "inkling", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Arguments {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  inkling train --preset glyphs-protonet-lite --out runs/first
  inkling eval --run runs/first --ways 5 --shots 1
  inkling adapt --model runs/first/checkpoints/step-000400/weights.safetensors \\
      --support photos/ --query unknown.jpg
  inkling memory --preset glyphs-protonet-lite --memory-budget 512MiB

Exit codes: 0 done, 1 a run failed, 2 wrong usage.";

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// Print one JSON object per line
    #[arg(long, global = true)]
    pub json: bool,
    /// Use the adapter whose name contains this text (see `inkling devices`)
    #[arg(long, global = true, value_name = "NAME")]
    pub adapter: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Meta-train a learner and write a run folder
    Train(TrainArgs),
    /// Evaluate a run or a model on fixed episodes of a split
    Eval(EvalArgs),
    /// Adapt a model to your own classes and classify images
    Adapt(AdaptArgs),
    /// Write the embeddings of images to a file
    Embed(EmbedArgs),
    /// Compute one task's loss and meta-gradient, to check against another implementation
    Grad(GradArgs),
    /// Run an experiment and write its table and plot
    #[command(subcommand)]
    Report(ReportCommand),
    /// Show the memory plan of a configuration without running it
    Memory(MemoryArgs),
    /// List, describe, fetch and picture data sets
    #[command(subcommand)]
    Data(DataCommand),
    /// Fetch, convert and list weights that others trained
    #[command(subcommand)]
    Weights(WeightsCommand),
    /// List the adapters and what they can do
    Devices,
    /// Measure the speed of a network
    #[command(subcommand)]
    Bench(BenchCommand),
}

/// Where a configuration comes from: defaults, then a file or preset, then overrides.
#[derive(Clone, Debug, Default, Args)]
pub struct ConfigArgs {
    /// Read the configuration from a TOML file
    #[arg(long, value_name = "FILE", conflicts_with = "preset")]
    pub config: Option<PathBuf>,
    /// Start from a preset, such as glyphs-protonet-lite or cifar-fs-implicit (a wrong name lists them all)
    #[arg(long, value_name = "NAME")]
    pub preset: Option<String>,
    /// The data set: glyphs, scenes, omniglot:PATH, cifar-fs:PATH, folder:PATH, … (see `inkling data
    /// list`)
    #[arg(long, value_name = "SPEC")]
    pub data: Option<String>,
    /// Seed weights, episodes and subsets
    #[arg(long)]
    pub seed: Option<u64>,
    /// Refuse to use more GPU memory than this, for example 512MiB
    #[arg(long, value_name = "SIZE")]
    pub memory_budget: Option<ByteSize>,
    /// Refuse damaged photos in place of passing over them
    #[arg(long)]
    pub strict: bool,
    /// Override any key, for example --set training.steps=2000 (repeatable)
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
}
