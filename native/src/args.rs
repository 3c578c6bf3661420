//! The arguments of every command.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use inkling_session::config::{BackboneKind, TrainedKind};
use inkling_session::units::ByteSize;

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

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  inkling train --preset glyphs-protonet-lite
  inkling train --config my.toml --out runs/mine --set training.steps=5000 --set gradient.h=20
  inkling train --resume runs/mine --set training.steps=8000
  inkling train --preset omniglot-protonet-lite --print-config > my.toml")]
pub struct TrainArgs {
    #[command(flatten)]
    pub config: ConfigArgs,
    /// The run folder to write; a numbered one under runs/ when left out
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Continue the run in this folder
    #[arg(long, value_name = "RUN", conflicts_with_all = ["config", "preset", "data", "seed", "out"])]
    pub resume: Option<PathBuf>,
    /// Check the configuration, print it with every key, and stop
    #[arg(long)]
    pub print_config: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  inkling eval --run runs/first
  inkling eval --run runs/first --ways 20 --shots 1 --split test
  inkling eval --run runs/first --best --against start
  inkling eval --model weights.safetensors --data omniglot:data/omniglot --ways 5 --shots 5")]
pub struct EvalArgs {
    /// The run whose newest checkpoint is evaluated
    #[arg(long, value_name = "DIR", required_unless_present = "model", conflicts_with = "model")]
    pub run: Option<PathBuf>,
    /// A file of weights instead
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
    /// Evaluate the weights that the run started from
    #[arg(long, requires = "run", conflicts_with = "best")]
    pub untrained: bool,
    /// Evaluate the checkpoint of the best validation, not the newest
    #[arg(long, requires = "run")]
    pub best: bool,
    /// Compare with another learner on the same episodes: a run (its best validation with --best), a
    /// file of weights, or the word start for the weights that the run started from
    #[arg(long, value_name = "DIR|FILE|start")]
    pub against: Option<PathBuf>,
    /// The data set; the one it was trained on when left out
    #[arg(long, value_name = "SPEC")]
    pub data: Option<String>,
    /// Refuse damaged photos in place of passing over them
    #[arg(long)]
    pub strict: bool,
    #[command(flatten)]
    pub episode: EpisodeArgs,
    /// How many episodes
    #[arg(long, value_name = "COUNT")]
    pub episodes: Option<u32>,
    /// Override any key, for example --set gradient.query_batch=50 (repeatable)
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// Write the weights with this evaluation in their model card, as a file to hand on
    #[arg(long, value_name = "FILE", conflicts_with = "untrained")]
    pub save: Option<PathBuf>,
    /// Refuse to use more GPU memory than this, for example 512MiB
    #[arg(long, value_name = "SIZE")]
    pub memory_budget: Option<ByteSize>,
}

/// The shape of fixed episodes.
#[derive(Clone, Debug, Default, Args)]
pub struct EpisodeArgs {
    /// Classes per episode
    #[arg(long)]
    pub ways: Option<u32>,
    /// Support images per class
    #[arg(long)]
    pub shots: Option<u32>,
    /// Query images per class
    #[arg(long)]
    pub queries: Option<u32>,
    /// The classes that episodes are drawn from
    #[arg(long, value_parser = ["train", "validation", "test"])]
    pub split: Option<String>,
    /// Seed of the episodes
    #[arg(long)]
    pub seed: Option<u64>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  inkling adapt --model weights.safetensors --support photos/ --query unknown/
with photos/cat/1.jpg, photos/cat/2.jpg, photos/dog/1.jpg, ...")]
pub struct AdaptArgs {
    /// The file of weights; it says itself what network it belongs to
    #[arg(long, value_name = "FILE")]
    pub model: PathBuf,
    /// A folder with one folder of images per class
    #[arg(long, value_name = "DIR")]
    pub support: PathBuf,
    /// The image or folder of images to classify
    #[arg(long, value_name = "FILE|DIR")]
    pub query: PathBuf,
    /// Refuse damaged photos in place of passing over them
    #[arg(long)]
    pub strict: bool,
    /// Refuse to use more GPU memory than this, for example 512MiB
    #[arg(long, value_name = "SIZE")]
    pub memory_budget: Option<ByteSize>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  inkling embed --model weights.safetensors photos/ --out embeddings.safetensors
The output holds the tensor embeddings [N,d], in the order of the images (those of a folder by name).")]
pub struct EmbedArgs {
    /// The file of weights; it says itself what network it belongs to
    #[arg(long, value_name = "FILE")]
    pub model: PathBuf,
    /// Images, or folders of images
    #[arg(value_name = "FILE|DIR", required_unless_present = "values")]
    pub images: Vec<PathBuf>,
    /// In place of images the tensor images [N,C,H,W] of this file, f32 and normalised
    #[arg(long, value_name = "SAFETENSORS", conflicts_with = "images")]
    pub values: Option<PathBuf>,
    /// Height and width of the images in pixels, where not those that the model was made for
    #[arg(long, value_name = "PIXELS")]
    pub image_size: Option<u32>,
    /// Share of a photo's shorter side that is kept, where not that of the model
    #[arg(long, value_name = "SHARE")]
    pub center_crop: Option<f32>,
    /// Refuse damaged photos in place of passing over them
    #[arg(long)]
    pub strict: bool,
    /// The file to write
    #[arg(long, value_name = "SAFETENSORS")]
    pub out: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "\
The episode holds support_images [N,C,H,W] f32, support_labels [N] i32, query_images and
query_labels; the output holds loss [1] and one tensor per trainable parameter.")]
pub struct GradArgs {
    /// The network, head and estimator
    #[arg(long, value_name = "TOML")]
    pub case: PathBuf,
    /// The weights, with PyTorch names and shapes
    #[arg(long, value_name = "SAFETENSORS")]
    pub weights: PathBuf,
    /// The images and labels
    #[arg(long, value_name = "SAFETENSORS")]
    pub episode: PathBuf,
    /// Where the loss and the gradient go
    #[arg(long, value_name = "SAFETENSORS")]
    pub out: PathBuf,
}

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

#[derive(Debug, Args)]
pub struct MemoryArgs {
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Support images N to plan for, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "N,...", value_parser = clap::value_parser!(u32).range(1..))]
    pub support: Vec<u32>,
    /// Image sizes in pixels to plan for, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "PIXELS,...", value_parser = clap::value_parser!(u32).range(1..))]
    pub image_sizes: Vec<u32>,
}

#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// List the data sets and what can be fetched
    List,
    /// Count the classes and images of a data set
    Info(DataInfoArgs),
    /// Fetch a data set from its official address; a cut transfer resumes
    Fetch(DataFetchArgs),
    /// Write a contact sheet of one episode as PNG
    Sheet(DataSheetArgs),
}

/// How a data set is opened.
#[derive(Clone, Debug, Args)]
pub struct DataOpenArgs {
    /// The data set: glyphs, scenes, omniglot:PATH, cifar-fs:PATH, folder:PATH, … (`inkling data
    /// list` says what each PATH is)
    pub spec: String,
    /// Height and width of the images in pixels
    #[arg(long, value_name = "PIXELS")]
    pub image_size: Option<u32>,
    /// Share of a photo's shorter side that is kept, about its centre
    #[arg(long, value_name = "SHARE", default_value_t = 1.0)]
    pub center_crop: f32,
    /// A TOML or JSON file that lists the class names of train, validation and test; takes the
    /// place of the published or drawn split (omniglot and the built-in sets have no use for it)
    #[arg(long, value_name = "FILE")]
    pub split_file: Option<PathBuf>,
    /// How many classes of a folder train, validate and test, drawn by seed (64, 16 and 20 % of them
    /// when left out)
    #[arg(long, value_name = "TRAIN,VALIDATION,TEST", value_parser = split_counts, conflicts_with = "split_file")]
    pub split_counts: Option<[u32; 3]>,
    /// Refuse damaged photos in place of passing over them
    #[arg(long)]
    pub strict: bool,
    /// Seed of generated data and of automatic splits
    #[arg(long, default_value_t = 0)]
    pub data_seed: u64,
}

#[derive(Debug, Args)]
pub struct DataInfoArgs {
    #[command(flatten)]
    pub open: DataOpenArgs,
    /// Also classify 600 episodes of the test classes by their raw pixels, 1 shot, with this many
    /// ways: what a learner has to beat
    #[arg(long, value_name = "WAYS", value_parser = clap::value_parser!(u32).range(2..))]
    pub pixel_baseline: Option<u32>,
}

#[derive(Debug, Args)]
pub struct DataFetchArgs {
    /// What to fetch (see `inkling data list`)
    pub name: String,
    /// The folder to fetch into; data/NAME when left out
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// The address of a folder that holds the same files
    #[arg(long, value_name = "URL")]
    pub mirror: Option<String>,
}

#[derive(Debug, Args)]
pub struct DataSheetArgs {
    #[command(flatten)]
    pub open: DataOpenArgs,
    #[command(flatten)]
    pub episode: EpisodeArgs,
    /// Which of the fixed episodes
    #[arg(long, default_value_t = 0)]
    pub index: u64,
    /// The PNG file
    #[arg(long, value_name = "FILE", default_value = "sheet.png")]
    pub out: PathBuf,
}

#[derive(Debug, Subcommand)]
pub enum WeightsCommand {
    /// List the published weights that can be fetched, and those to import
    List,
    /// Fetch published weights from their official address as safetensors; a cut transfer resumes
    Fetch(WeightsFetchArgs),
    /// Convert a PyTorch or safetensors file to safetensors with the same names
    Import(WeightsImportArgs),
    /// List the tensors of a PyTorch or safetensors file
    Show(WeightsShowArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  inkling weights fetch efficientnet-lite0
writes weights/efficientnet-lite0.safetensors, with its source, licence and checksum in it.")]
pub struct WeightsFetchArgs {
    /// What to fetch (see `inkling weights list`)
    pub name: String,
    /// The folder to fetch into
    #[arg(long, value_name = "DIR", default_value = "weights")]
    pub out: PathBuf,
    /// Store the values in 16 bits: half the bytes, three significant digits
    #[arg(long)]
    pub half: bool,
    /// The address of a folder that holds the same archive
    #[arg(long, value_name = "URL")]
    pub mirror: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  inkling weights import checkpoint.pth --out net.safetensors
takes the tensors of floats under state_dict, model_state_dict or model, or else all of them, and
drops the prefix module. when every name has it. Files of torch.save of any version are read; the
Python code that a file may hold is never run.")]
pub struct WeightsImportArgs {
    /// A .pth, .pt or .safetensors file
    pub file: PathBuf,
    /// The file to write; FILE with the extension safetensors when left out
    #[arg(long, value_name = "SAFETENSORS")]
    pub out: Option<PathBuf>,
    /// Store the values in 16 bits: half the bytes, three significant digits
    #[arg(long)]
    pub half: bool,
    /// Leave out the classifier of a published network, which learners have no use for
    #[arg(long)]
    pub no_classifier: bool,
}

#[derive(Debug, Args)]
pub struct WeightsShowArgs {
    /// A .pth, .pt or .safetensors file
    pub file: PathBuf,
}

#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Forward, and forward + backward, of Conv-4: milliseconds, GFLOP/s and GB/s by layer, dispatches, and what the adapter does at best
    Conv4(Conv4Args),
    /// The same of a larger network
    Backbone(BackboneArgs),
    /// Outer steps of several methods on the same tasks: milliseconds, dispatches, peak bytes
    Steps(StepsArgs),
    /// Heads by themselves on random embeddings: tasks side by side against one after the other
    Heads(HeadsArgs),
    /// From a camera's frame to class probabilities, and where the time goes
    Live(LiveArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  inkling bench live --model weights/efficientnet-lite0.safetensors
The frames are drawn; they go the way of a camera's in the tab Teach. `inkling bench backbone` shows
where the network spends its time.")]
pub struct LiveArgs {
    /// The learner, safetensors; the one that Inkling ships when left out
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
    /// Timed frames, after one that is not
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub frames: u32,
    /// Columns and rows of a frame
    #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "640x480", value_parser = frame_size)]
    pub frame: (u32, u32),
}

fn split_counts(text: &str) -> Result<[u32; 3], String> {
    let counts: Option<Vec<u32>> = text.split(',').map(|count| count.trim().parse().ok()).collect();
    let wanted = || "give three numbers of classes, such as 25,6,10".to_owned();
    counts.and_then(|counts| counts.try_into().ok()).ok_or_else(wanted)
}

fn frame_size(text: &str) -> Result<(u32, u32), String> {
    let side = |text: &str| text.parse::<u32>().ok().filter(|side| (1..=8192).contains(side));
    text.split_once('x')
        .and_then(|(width, height)| Some((side(width)?, side(height)?)))
        .ok_or_else(|| "give columns and rows from 1 to 8192, such as 640x480".to_owned())
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  inkling bench heads --methods implicit,ridge --tasks 32 --dimension 128")]
pub struct HeadsArgs {
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Heads: prototypes, implicit, unrolled, neumann, ridge, mahalanobis, versa
    #[arg(long, value_delimiter = ',', value_name = "NAME,...", default_value = "prototypes,implicit")]
    pub methods: Vec<Method>,
    /// Tasks
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub tasks: u32,
    /// Values of an embedding
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub dimension: u32,
    /// Timed runs, after one that is not
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub repeats: u32,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  inkling bench steps --methods prototypes,implicit --tasks 1,32 --set model.channels=32 --set gradient.estimator=full
  inkling bench steps --methods prototypes --estimators chunked,lite,full --tasks 1 --repeats 1 --data scenes \
--set data.image_size=224 --set task.shots=20 --set model.backbone=efficientnet-lite0 --set model.trained=norms \
--set model.weights=weights/efficientnet-lite0.safetensors --memory-budget 2GiB
What is planned above --memory-budget is not run: its row gives the plan.")]
pub struct StepsArgs {
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Heads (prototypes, implicit, unrolled, neumann, ridge, mahalanobis, versa) and learners (maml, fomaml, reptile, imaml)
    #[arg(long, value_delimiter = ',', value_name = "NAME,...", default_value = "prototypes,implicit")]
    pub methods: Vec<Method>,
    /// Each method with each of these (full, chunked, lite, subsampled); the configuration's own when left out
    #[arg(long, value_delimiter = ',', value_name = "NAME,...")]
    pub estimators: Vec<Estimator>,
    /// Tasks of one outer step, all side by side; several numbers are compared
    #[arg(long, value_delimiter = ',', value_name = "TASKS,...", default_value = "1,32",
          value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub tasks: Vec<u32>,
    /// Timed steps of each, after one that is not
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub repeats: u32,
}

/// An estimator by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Estimator {
    Full,
    Chunked,
    Lite,
    Subsampled,
}

impl Estimator {
    /// The name in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Chunked => "chunked",
            Self::Lite => "lite",
            Self::Subsampled => "subsampled",
        }
    }
}

/// A head or a learner by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Method {
    Prototypes,
    Implicit,
    Unrolled,
    Neumann,
    Ridge,
    Mahalanobis,
    Versa,
    Maml,
    Fomaml,
    Reptile,
    Imaml,
}

impl Method {
    /// Whether the whole network adapts.
    pub fn is_learner(self) -> bool {
        matches!(self, Self::Maml | Self::Fomaml | Self::Reptile | Self::Imaml)
    }

    /// The name in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Prototypes => "prototypes",
            Self::Implicit => "implicit",
            Self::Unrolled => "unrolled",
            Self::Neumann => "neumann",
            Self::Ridge => "ridge",
            Self::Mahalanobis => "mahalanobis",
            Self::Versa => "versa",
            Self::Maml => "maml",
            Self::Fomaml => "fomaml",
            Self::Reptile => "reptile",
            Self::Imaml => "imaml",
        }
    }
}

/// What adapts to a task: a head, a learner of the whole network, or fine-tuning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Adapter {
    Prototypes,
    Mahalanobis,
    Versa,
    Ridge,
    Implicit,
    Unrolled,
    Neumann,
    Maml,
    Fomaml,
    Imaml,
    Reptile,
    FinetunerHead,
    FinetunerFilm,
    FinetunerNorms,
    FinetunerAll,
}

impl Adapter {
    /// The key that chooses it, and the key's value.
    pub fn kind(self) -> (&'static str, &'static str) {
        const HEAD: &str = "head.kind";
        const LEARNER: &str = "learner.kind";
        match self {
            Self::Prototypes => (HEAD, "prototypes"),
            Self::Mahalanobis => (HEAD, "mahalanobis"),
            Self::Versa => (HEAD, "versa"),
            Self::Ridge => (HEAD, "ridge"),
            Self::Implicit => (HEAD, "implicit"),
            Self::Unrolled => (HEAD, "unrolled"),
            Self::Neumann => (HEAD, "neumann"),
            Self::Maml => (LEARNER, "maml"),
            Self::Fomaml => (LEARNER, "fomaml"),
            Self::Imaml => (LEARNER, "imaml"),
            Self::Reptile => (LEARNER, "reptile"),
            Self::FinetunerHead | Self::FinetunerFilm | Self::FinetunerNorms | Self::FinetunerAll => {
                (LEARNER, "finetuner")
            }
        }
    }

    /// Whether parameters of the network or of a classifier adapt, in place of a head.
    pub fn is_learner(self) -> bool {
        self.kind().0 == "learner.kind"
    }

    /// What fine-tuning adapts beside its classifier.
    pub fn trains(self) -> Option<&'static str> {
        match self {
            Self::FinetunerHead => Some("head"),
            Self::FinetunerFilm => Some("film"),
            Self::FinetunerNorms => Some("norms"),
            Self::FinetunerAll => Some("all"),
            _ => None,
        }
    }

    /// What reports call it.
    pub fn name(self) -> String {
        let (_, kind) = self.kind();
        self.trains().map_or_else(|| kind.to_owned(), |trains| format!("{kind}-{trains}"))
    }
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  inkling bench backbone --image 224 --batch 8 --trained norms")]
pub struct BackboneArgs {
    /// The network, with random weights
    #[arg(long, value_name = "NAME", default_value = "efficientnet-lite0")]
    pub backbone: Backbone,
    /// What of it is trained, and so needs gradients
    #[arg(long, value_name = "WHAT", default_value = "norms")]
    pub trained: Trained,
    /// Height and width of the images in pixels
    #[arg(long, default_value_t = 224, value_parser = clap::value_parser!(u32).range(32..=448))]
    pub image: u32,
    /// Images per pass
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub batch: u32,
    /// Timed passes, after one that is not
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub repeats: u32,
}

/// A network larger than Conv-4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Backbone {
    /// EfficientNet-Lite0 (Tan & Le 2019)
    EfficientnetLite0,
    /// EfficientNet-B0, with SiLU and squeeze-and-excitation
    EfficientnetB0,
    /// The ResNet-12 of few-shot learning, its norms frozen
    #[value(name = "resnet-12")]
    Resnet12,
    /// ResNet-18 (He et al. 2016)
    #[value(name = "resnet-18")]
    Resnet18,
}

impl Backbone {
    /// As the configuration has it.
    pub fn kind(self) -> BackboneKind {
        match self {
            Self::EfficientnetLite0 => BackboneKind::EfficientnetLite0,
            Self::EfficientnetB0 => BackboneKind::EfficientnetB0,
            Self::Resnet12 => BackboneKind::Resnet12,
            Self::Resnet18 => BackboneKind::Resnet18,
        }
    }
}

/// What is trained of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Trained {
    /// Nothing
    Nothing,
    /// Those scales and shifts of norms that FiLM adapts to a task
    Film,
    /// Scales and shifts of the norms
    Norms,
    /// Everything but the norms' statistics
    All,
}

impl Trained {
    /// As the configuration has it.
    pub fn kind(self) -> TrainedKind {
        match self {
            Self::Nothing => TrainedKind::Nothing,
            Self::Film => TrainedKind::Film,
            Self::Norms => TrainedKind::Norms,
            Self::All => TrainedKind::All,
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  inkling bench conv4 --channels 64 --image 32 --batch 100")]
pub struct Conv4Args {
    /// Channels of each block
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub channels: u32,
    /// Height and width of the images in pixels
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(16..=4096))]
    pub image: u32,
    /// Images per pass
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub batch: u32,
    /// Channels of the images
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub in_channels: u32,
    /// Timed passes, after one that is not
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub repeats: u32,
}
