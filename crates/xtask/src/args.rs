//! Reads the command line of `cargo xtask`.

use std::path::PathBuf;

/// What `cargo xtask help` prints.
pub const USAGE: &str = "\
Usage: cargo xtask <command>

  setup                 install what is missing: a Vulkan driver, rustfmt and clippy,
                        the wasm32 target, Chromium
  demo                  build Inkling, meta-train on the built-in data set, and evaluate
                        before and after
  test                  everything that CI checks: format, lints, native tests, browser tests
  test --only STAGE     one part of it: lint, native or browser

Environment: CHROME names the Chromium or Chrome to use for the browser tests.";

/// One parsed command.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    Help,
    Setup,
    Demo,
    Test(Selection),
    /// Internal: started by the browser stage in a build with the `bindgen` feature.
    Bindgen {
        module: PathBuf,
        folder: PathBuf,
    },
}

/// The part of the test run that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    All,
    Lint,
    Native,
    Browser,
}

impl Selection {
    /// Whether `part` (never `All`) belongs to this selection.
    pub fn includes(self, part: Self) -> bool {
        self == Self::All || self == part
    }

    fn parse(name: &str) -> Result<Self, String> {
        match name {
            "lint" => Ok(Self::Lint),
            "native" => Ok(Self::Native),
            "browser" => Ok(Self::Browser),
            _ => Err(format!("--only {name}: no such stage; it is one of lint, native, browser")),
        }
    }
}

/// Parses the arguments after the program's name.
///
/// # Errors
/// One sentence that names the argument which was not understood.
pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Command, String> {
    let mut arguments = arguments;
    let Some(name) = arguments.next() else {
        return Err("no command given".into());
    };
    let command = match name.as_str() {
        "help" | "--help" | "-h" => return Ok(Command::Help),
        "setup" => Command::Setup,
        "demo" => Command::Demo,
        "test" => match parse_test(&mut arguments)? {
            Some(selection) => Command::Test(selection),
            None => return Ok(Command::Help),
        },
        "bindgen" => match (arguments.next(), arguments.next()) {
            (Some(module), Some(folder)) => Command::Bindgen { module: module.into(), folder: folder.into() },
            _ => return Err("bindgen needs a module and a folder".into()),
        },
        _ => return Err(format!("{name}: no such command")),
    };
    match arguments.next().as_deref() {
        None => Ok(command),
        Some("--help" | "-h") => Ok(Command::Help),
        Some(extra) => Err(format!("{name} does not take the argument {extra}")),
    }
}

/// The flags of `test`; `None` asks for help.
fn parse_test(arguments: &mut impl Iterator<Item = String>) -> Result<Option<Selection>, String> {
    let mut selection = Selection::All;
    while let Some(argument) = arguments.next() {
        if argument == "--help" || argument == "-h" {
            return Ok(None);
        }
        let name = match argument.strip_prefix("--only=") {
            Some(name) => name.to_owned(),
            None if argument == "--only" => arguments.next().ok_or("--only needs a stage: lint, native or browser")?,
            None => return Err(format!("test does not take the argument {argument}")),
        };
        selection = Selection::parse(&name)?;
    }
    Ok(Some(selection))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_line(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn every_command_is_understood() {
        assert_eq!(parse_line("setup"), Ok(Command::Setup));
        assert_eq!(parse_line("demo"), Ok(Command::Demo));
        assert_eq!(parse_line("test"), Ok(Command::Test(Selection::All)));
        for line in ["help", "--help", "demo --help", "test -h"] {
            assert_eq!(parse_line(line), Ok(Command::Help), "{line}");
        }
    }

    #[test]
    fn one_stage_can_be_selected() {
        for (name, part) in [("lint", Selection::Lint), ("native", Selection::Native), ("browser", Selection::Browser)]
        {
            let expected = Ok(Command::Test(part));
            assert_eq!(parse_line(&format!("test --only {name}")), expected);
            assert_eq!(parse_line(&format!("test --only={name}")), expected);
        }
        assert!(Selection::All.includes(Selection::Native));
        assert!(!Selection::Lint.includes(Selection::Native));
    }

    #[test]
    fn wrong_usage_names_the_argument() {
        for (line, culprit) in [
            ("frobnicate", "frobnicate"),
            ("test --only gpu", "gpu"),
            ("test --fast", "--fast"),
            ("demo now", "now"),
            ("test --only", "--only"),
        ] {
            let message = parse_line(line).unwrap_err();
            assert!(message.contains(culprit), "{line}: {message}");
        }
        assert!(parse_line("").is_err());
    }
}
