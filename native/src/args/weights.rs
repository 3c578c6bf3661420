//! `inkling weights`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

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
