//! The arguments of the window.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Parser, ValueEnum};
use inkling_app::{Tab, ThemeChoice};

/// Inkling in a window: teach classes, meta-train learners and look inside them.
#[derive(Debug, Parser)]
#[command(name = "inkling-desktop", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Arguments {
    /// Images, folders of images, or an .inkling project, as if they were dropped onto the window
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Start the run that this TOML file describes, and show it
    #[arg(long, value_name = "CONFIG")]
    pub run: Option<PathBuf>,
    /// The folder of that run; a numbered one under runs/ when left out
    #[arg(long, value_name = "DIR", requires = "run")]
    pub out: Option<PathBuf>,
    /// Compute on the adapter whose name contains this text (see `inkling devices`)
    #[arg(long, value_name = "NAME")]
    pub adapter: Option<String>,
    /// Open with this tab
    #[arg(long)]
    pub tab: Option<TabName>,
    #[command(flatten)]
    pub picture: PictureArgs,
}

/// For pictures of the window, and for tests that a window opens at all.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Pictures")]
pub struct PictureArgs {
    /// Write a picture of the window to this PNG, print how fast it was drawn, and close
    #[arg(long, value_name = "PNG")]
    pub screenshot: Option<PathBuf>,
    /// Wait so many seconds before the picture
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = seconds, requires = "screenshot")]
    pub after: Duration,
    /// Draw the picture in this theme
    #[arg(long, requires = "screenshot")]
    pub theme: Option<ThemeName>,
    /// The size of the window, for example 1280x800
    #[arg(long, value_name = "WIDTHxHEIGHT")]
    pub size: Option<Size>,
}

const EXAMPLES: &str = "\
Examples:
  inkling-desktop
  inkling-desktop photos/
  inkling train --preset glyphs-protonet-lite --print-config > my.toml
  inkling-desktop --run my.toml --out runs/mine

Exit codes: 0 closed, 1 no window could be opened, 2 wrong usage.";

/// A tab on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum TabName {
    Teach,
    Train,
    Inspect,
    Learners,
    Settings,
}

impl From<TabName> for Tab {
    fn from(name: TabName) -> Self {
        match name {
            TabName::Teach => Self::Teach,
            TabName::Train => Self::MetaTrain,
            TabName::Inspect => Self::Inspect,
            TabName::Learners => Self::Learners,
            TabName::Settings => Self::Settings,
        }
    }
}

/// A theme on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ThemeName {
    System,
    Light,
    Dark,
}

impl From<ThemeName> for ThemeChoice {
    fn from(name: ThemeName) -> Self {
        match name {
            ThemeName::System => Self::System,
            ThemeName::Light => Self::Light,
            ThemeName::Dark => Self::Dark,
        }
    }
}

/// Width and height in points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub width: u16,
    pub height: u16,
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let side = |text: &str| text.parse::<u16>().ok().filter(|side| (100..=8192).contains(side));
        text.split_once('x')
            .and_then(|(width, height)| Some(Self { width: side(width)?, height: side(height)? }))
            .ok_or_else(|| "give width and height from 100 to 8192, such as 1280x800".to_owned())
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.0..=86_400.0).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "give seconds, from 0 to 86400".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_do_not_contradict_each_other() {
        Arguments::command().debug_assert();
        assert!(Arguments::try_parse_from(["x", "--out", "runs/a"]).is_err());
        assert!(Arguments::try_parse_from(["x", "--after", "3"]).is_err());
        assert!(Arguments::try_parse_from(["x", "--run", "a.toml", "--out", "runs/a", "photos"]).is_ok());
    }

    #[test]
    fn sizes_and_seconds_have_bounds() {
        assert_eq!("1280x800".parse(), Ok(Size { width: 1280, height: 800 }));
        for text in ["", "x", "1280", "1280x", "10x800", "-5x800", "1280x9000", "1e3x800"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
        assert_eq!(seconds("1.5"), Ok(Duration::from_millis(1500)));
        for text in ["", "-1", "nan", "inf", "1e9"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
