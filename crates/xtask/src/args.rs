//! Reads the command line of `cargo xtask`.

use std::path::PathBuf;

/// What `cargo xtask help` prints.
pub const USAGE: &str = "\
Usage: cargo xtask <command>

  setup                 install what is missing: a Vulkan driver, rustfmt and clippy,
                        the wasm32 target, Chromium, Node with the packages of the tests
  demo                  build Inkling, meta-train on the built-in data set, and evaluate
                        before and after
  desktop [ARGUMENTS]   build the window and open it; `desktop --help` lists its arguments
  test                  everything that CI checks: format, lints, native tests, browser tests,
                        tests of the browser's app
  test --only STAGE     one part of it: lint, native, browser (kernels and learners) or page
                        (the browser's app)
  web                   build the browser's app into web/dist and print its size; fails when
                        its code exceeds 1.8 MB, compressed as browsers fetch it
  web-bench             build it and measure it in Chromium: from a camera's picture to its
                        probabilities, first frame, frames per second and the answer to a
                        click, at rest and while it meta-trains
  web-train             build it and the command line, and meta-train in both on the same
                        software adapter: accuracy, time and episodes per second
  serve [--port PORT]   build it and serve it on localhost (port 8080)
  peers                 measure Inkling beside Burn, PyTorch and TensorFlow.js on this machine:
                        a table in reports/peers, as CSV, Markdown and SVG. It fetches PyTorch
                        (5 GB with what it needs) and TensorFlow.js into the target folder
  peers --only PLACE    one half of it: native or browser

`web --fast` and `serve --fast` build sooner, and larger: for work on the app itself.

Environment: CHROME names the Chromium or Chrome to use for the browser tests.";

/// The port of `serve` where none is named.
const PORT: u16 = 8080;

/// One parsed command.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    Help,
    Setup,
    Demo,
    /// With the arguments that the window gets.
    Desktop(Vec<String>),
    Test(Selection),
    Web {
        fast: bool,
    },
    WebBench,
    WebTrain,
    Serve {
        fast: bool,
        port: u16,
    },
    Peers(Places),
    /// Internal: started by `web` in a build with the `bindgen` feature.
    Pack {
        folder: PathBuf,
        fast: bool,
    },
    /// Internal: started by the browser stage in a build with the `bindgen` feature.
    Bindgen {
        module: PathBuf,
        folder: PathBuf,
        /// Whether stack traces will have names.
        keeps_names: bool,
    },
}

/// Where peers are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Places {
    pub native: bool,
    pub browser: bool,
}

/// The part of the test run that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    All,
    Lint,
    Native,
    Browser,
    Page,
}

impl Selection {
    /// Whether `part` (never `All`) belongs to this selection.
    pub fn includes(self, part: Self) -> bool {
        self == part || self == Self::All
    }

    fn parse(name: &str) -> Result<Self, String> {
        match name {
            "lint" => Ok(Self::Lint),
            "native" => Ok(Self::Native),
            "browser" => Ok(Self::Browser),
            "page" => Ok(Self::Page),
            _ => Err(format!("--only {name}: no such stage; it is one of lint, native, browser, page")),
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
        "desktop" => return Ok(Command::Desktop(arguments.collect())),
        "test" => match parse_test(&mut arguments)? {
            Some(selection) => Command::Test(selection),
            None => return Ok(Command::Help),
        },
        "web" => match parse_web(&mut arguments, false)? {
            Some((fast, _)) => Command::Web { fast },
            None => return Ok(Command::Help),
        },
        "web-bench" => Command::WebBench,
        "web-train" => Command::WebTrain,
        "serve" => match parse_web(&mut arguments, true)? {
            Some((fast, port)) => Command::Serve { fast, port },
            None => return Ok(Command::Help),
        },
        "pack" => {
            let folder = arguments.next().ok_or("pack needs the folder of the modules")?.into();
            Command::Pack { folder, fast: arguments.next().as_deref() == Some("--fast") }
        }
        "peers" => match parse_peers(&mut arguments)? {
            Some(places) => Command::Peers(places),
            None => return Ok(Command::Help),
        },
        "bindgen" => match (arguments.next(), arguments.next()) {
            (Some(module), Some(folder)) => Command::Bindgen {
                module: module.into(),
                folder: folder.into(),
                keeps_names: arguments.next().as_deref() == Some("--names"),
            },
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

/// The flags of `web` and `serve`: whether to build fast, and the port. `None` asks for help.
fn parse_web(arguments: &mut impl Iterator<Item = String>, has_port: bool) -> Result<Option<(bool, u16)>, String> {
    let (mut fast, mut port) = (false, PORT);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--help" | "-h" => return Ok(None),
            "--fast" => fast = true,
            "--port" if has_port => {
                let text = arguments.next().ok_or("--port needs a number")?;
                port = text.parse().map_err(|_| format!("--port {text}: it takes a number up to 65535"))?;
            }
            _ => return Err(format!("{argument}: no such flag here")),
        }
    }
    Ok(Some((fast, port)))
}

/// The flags of `peers`; `None` asks for help.
fn parse_peers(arguments: &mut impl Iterator<Item = String>) -> Result<Option<Places>, String> {
    let mut places = Places { native: true, browser: true };
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--help" | "-h" => return Ok(None),
            "--only" => match arguments.next().as_deref() {
                Some("native") => places = Places { native: true, browser: false },
                Some("browser") => places = Places { native: false, browser: true },
                _ => return Err("--only needs a place: native or browser".into()),
            },
            _ => return Err(format!("peers does not take the argument {argument}")),
        }
    }
    Ok(Some(places))
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
            None if argument == "--only" => {
                arguments.next().ok_or("--only needs a stage: lint, native, browser or page")?
            }
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
        assert_eq!(parse_line("peers"), Ok(Command::Peers(Places { native: true, browser: true })));
        assert_eq!(parse_line("peers --only native"), Ok(Command::Peers(Places { native: true, browser: false })));
        assert_eq!(parse_line("peers --only browser"), Ok(Command::Peers(Places { native: false, browser: true })));
        assert_eq!(parse_line("peers --help"), Ok(Command::Help));
        assert!(parse_line("peers --only gpu").is_err() && parse_line("peers --fast").is_err());
        let arguments = vec!["--run".to_owned(), "a.toml".to_owned()];
        assert_eq!(parse_line("desktop --run a.toml"), Ok(Command::Desktop(arguments)));
        assert_eq!(parse_line("test"), Ok(Command::Test(Selection::All)));
        assert_eq!(parse_line("web"), Ok(Command::Web { fast: false }));
        assert_eq!(parse_line("web-bench"), Ok(Command::WebBench));
        assert_eq!(parse_line("web-bench"), Ok(Command::WebBench));
        assert_eq!(parse_line("web-train"), Ok(Command::WebTrain));
        assert_eq!(parse_line("serve"), Ok(Command::Serve { fast: false, port: PORT }));
        assert_eq!(parse_line("serve --port 90 --fast"), Ok(Command::Serve { fast: true, port: 90 }));
        for line in ["help", "--help", "demo --help", "test -h", "web --help"] {
            assert_eq!(parse_line(line), Ok(Command::Help), "{line}");
        }
    }

    #[test]
    fn one_stage_can_be_selected() {
        for (name, part) in [
            ("lint", Selection::Lint),
            ("native", Selection::Native),
            ("browser", Selection::Browser),
            ("page", Selection::Page),
        ] {
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
            ("web --port 90", "--port"),
            ("serve --port many", "many"),
        ] {
            let message = parse_line(line).unwrap_err();
            assert!(message.contains(culprit), "{line}: {message}");
        }
        assert!(parse_line("").is_err());
    }
}
