//! `inkling bench`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ConfigArgs;
use super::names::{Backbone, Estimator, Method, Trained};

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
    /// The rows on which `cargo xtask peers` compares Inkling with other systems
    Rows(RowsArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  inkling bench rows --rows tests/peers/rows.json --only conv4-64")]
pub struct RowsArgs {
    /// The list of rows
    #[arg(long, value_name = "FILE")]
    pub rows: PathBuf,
    /// Only rows whose names begin so
    #[arg(long, value_name = "TEXT")]
    pub only: Option<String>,
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
