//! `inkling data`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::EpisodeArgs;

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

fn split_counts(text: &str) -> Result<[u32; 3], String> {
    let counts: Option<Vec<u32>> = text.split(',').map(|count| count.trim().parse().ok()).collect();
    let wanted = || "give three numbers of classes, such as 25,6,10".to_owned();
    counts.and_then(|counts| counts.try_into().ok()).ok_or_else(wanted)
}
