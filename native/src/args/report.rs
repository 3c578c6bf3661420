//! `inkling report`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ConfigArgs;
use super::names::{Adapter, Method};

#[derive(Debug, Subcommand)]
pub enum ReportCommand {
    /// Bias and error of the sampled gradient estimators over H/N, against the exact gradient
    Estimators(EstimatorsArgs),
    /// Peak bytes by ledger and by plan: of methods over the inner steps, of estimators over N, H and image size
    Memory(MemoryReportArgs),
    /// Accuracy of methods, each trained for the same time, tested on the same episodes
    Methods(MethodsArgs),
    /// Algorithms 1 and 2 on quadratic tasks against the closed form, and conjugate gradient on large systems
    Convergence(ConvergenceArgs),
    /// What learning a task costs at test time: multiply-accumulates, steps, seconds; and its accuracy
    Adaptation(AdaptationArgs),
    /// Accuracy and time of training with LITE over H, for as many steps each
    Ablation(AblationArgs),
    /// The table of `cargo xtask peers`, from what it has measured
    Peers(PeersArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  inkling report peers --rows tests/peers/rows.json --measured reports/peers/measured.jsonl --out reports/peers")]
pub struct PeersArgs {
    /// The list of rows
    #[arg(long, value_name = "FILE")]
    pub rows: PathBuf,
    /// Measurements, one JSON object per line
    #[arg(long, value_name = "FILE")]
    pub measured: PathBuf,
    /// The folder for peers.csv, peers.md and peers.svg
    #[arg(long, value_name = "DIR", default_value = "report")]
    pub out: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  inkling report ablation --preset glyphs-protonet-lite --set training.steps=300 --h 1,5,10,25 --seeds 0,1,2")]
pub struct AblationArgs {
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Support images to back-propagate, the estimator's H
    #[arg(long, value_delimiter = ',', value_name = "H,...", required = true)]
    pub h: Vec<u32>,
    /// A run of each H for each seed
    #[arg(long, value_delimiter = ',', value_name = "SEED,...", default_value = "0")]
    pub seeds: Vec<u64>,
    /// The folder for the run folders, ablation.csv, ablation.md and ablation.svg
    #[arg(long, value_name = "DIR", default_value = "report")]
    pub out: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Methods: heads (prototypes, mahalanobis, versa, ridge, implicit, unrolled), whole networks (maml, fomaml,
imaml, reptile), and fine-tuning with a new classifier: finetuner-head (that alone), finetuner-film (and
the scales and shifts of the norms that FiLM modulates), finetuner-norms (of all norms), finetuner-all.
They start from the weights of the configuration; a run that was trained comes with --runs.
Examples:
  inkling report adaptation --data folder:photos.zip --set data.image_size=224 \\
      --set model.backbone=efficientnet-lite0 --set model.weights=weights/efficientnet-lite0.safetensors
  inkling report adaptation --runs runs/protonet,runs/fomaml --methods finetuner-all --episodes 100
  inkling report adaptation --episodes 0 --timed 0      (counts alone, without running anything)")]
pub struct AdaptationArgs {
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Methods, each with the configuration's network and first weights
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "NAME,...",
        default_value = "mahalanobis,prototypes,implicit,fomaml,finetuner-head,finetuner-film,finetuner-all"
    )]
    pub methods: Vec<Adapter>,
    /// Runs, each with its own network, method and newest weights
    #[arg(long, value_delimiter = ',', value_name = "DIR,...")]
    pub runs: Vec<PathBuf>,
    /// Test episodes that are scored, for all methods the same; 0 scores none
    #[arg(long, default_value_t = 100, value_name = "COUNT")]
    pub episodes: u32,
    /// Episodes that adapting is timed on, after one that is not; 0 times nothing
    #[arg(long, default_value_t = 5, value_name = "COUNT")]
    pub timed: u32,
    /// The folder for adaptation.csv, adaptation.md and adaptation.svg
    #[arg(long, value_name = "DIR", default_value = "report")]
    pub out: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  inkling report convergence --out reports/convergence")]
pub struct ConvergenceArgs {
    /// Independent runs of Algorithm 1 for each batch size
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=1_000))]
    pub seeds: u32,
    /// Iterations of both algorithms
    #[arg(long, default_value_t = 200, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=100_000))]
    pub iterations: u32,
    /// Unknowns of the matrix-free systems for conjugate gradient
    #[arg(long, value_delimiter = ',', value_name = "N,...", default_value = "1000,10000,50000",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub unknowns: Vec<u32>,
    /// The folder for convergence.csv, convergence.svg, systems.csv and systems.svg
    #[arg(long, value_name = "DIR", default_value = "report")]
    pub out: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  inkling report memory --preset cifar-fs-implicit --data cifar-fs:data/cifar-100 --inner-steps 1,5,20,100
  inkling report memory --data scenes --set data.image_size=84 --set task.shots=10 --subsets 5,10,20,40 \
--image-sizes 84,224 --memory-budget 1GiB
What is planned above --memory-budget is not run: its line gives the plan.")]
pub struct MemoryReportArgs {
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Heads and learners that are measured over the inner steps
    #[arg(long, value_delimiter = ',', value_name = "NAME,...", default_value = "implicit,unrolled,maml,imaml")]
    pub methods: Vec<Method>,
    /// Inner steps K to measure the methods with; 1,5,20,100 where nothing else is to be measured
    #[arg(long, value_delimiter = ',', value_name = "K,...", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub inner_steps: Vec<u32>,
    /// Support images N to measure the estimators with; rounded down to the same number for each class
    #[arg(long, value_delimiter = ',', value_name = "N,...", value_parser = clap::value_parser!(u32).range(1..))]
    pub support: Vec<u32>,
    /// Sizes H of the subset to measure `lite` and `subsampled` with
    #[arg(long, value_delimiter = ',', value_name = "H,...", value_parser = clap::value_parser!(u32).range(1..))]
    pub subsets: Vec<u32>,
    /// Image sizes in pixels to measure the estimators with
    #[arg(long, value_delimiter = ',', value_name = "PIXELS,...", value_parser = clap::value_parser!(u32).range(16..=448))]
    pub image_sizes: Vec<u32>,
    /// The folder for memory.csv and memory.svg
    #[arg(long, value_name = "DIR", default_value = "report")]
    pub out: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  inkling report methods --methods cifar-fs-implicit,cifar-fs-maml,cifar-fs-protonet \\
      --data cifar-fs:data/cifar-100 --seeds 0,1,2 --time 30min --out reports/methods")]
pub struct MethodsArgs {
    /// Presets or TOML files, one for each method; differences are to the first
    #[arg(long, value_delimiter = ',', value_name = "NAME|FILE,...", required = true)]
    pub methods: Vec<String>,
    /// The data set of all methods
    #[arg(long, value_name = "SPEC")]
    pub data: Option<String>,
    /// Override any key for all methods (repeatable)
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// A run of each method for each seed
    #[arg(long, value_delimiter = ',', value_name = "SEED,...", default_value = "0")]
    pub seeds: Vec<u64>,
    /// Training time of each run
    #[arg(long, value_name = "TIME", default_value = "5min")]
    pub time: inkling_session::units::TimeSpan,
    /// The folder for the run folders, methods.csv, curves.csv and curves.svg
    #[arg(long, value_name = "DIR", default_value = "report")]
    pub out: PathBuf,
}

#[derive(Debug, Args)]
pub struct EstimatorsArgs {
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Use these weights instead of freshly drawn ones
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
    /// Draws for each estimator and each H
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(2..))]
    pub draws: u32,
    /// The folder for estimators.csv and estimators.svg
    #[arg(long, value_name = "DIR", default_value = "report")]
    pub out: PathBuf,
}
