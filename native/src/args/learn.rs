//! The commands that work with learners: train, evaluate, adapt, embed, and what a gradient and its memory are.

use std::path::PathBuf;

use clap::Args;
use inkling_session::units::ByteSize;

use super::ConfigArgs;

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
