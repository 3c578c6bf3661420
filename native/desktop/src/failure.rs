//! Why no window opened, and what to do about it.

use std::process::ExitCode;

/// How the program ends when it does not end by closing its window.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// There is no screen to open a window on.
    #[error(
        "no window can be opened ({0}); run this inside a desktop session, or use the command line \
         `inkling`, which needs no display"
    )]
    NoDisplay(String),
    /// A library of the system that windows need.
    #[error("{library} is missing; install it (Debian and Ubuntu: apt-get install {package})")]
    NoLibrary {
        /// Its file.
        library: &'static str,
        /// The package of Debian that holds it.
        package: &'static str,
    },
    /// Nothing draws on that screen.
    #[error(
        "no graphics adapter can draw into this window ({0}); install a Vulkan driver (Debian and \
         Ubuntu: apt-get install mesa-vulkan-drivers), or run `cargo xtask setup`"
    )]
    NoAdapter(String),
    /// The window itself, for another reason.
    #[error("the window failed: {0}")]
    Window(String),
    /// The arguments ask for what cannot be.
    #[error("{0}")]
    Usage(String),
    /// The picture was not written.
    #[error("cannot write the picture {path}: {reason}")]
    Picture {
        /// Where it should go.
        path: String,
        /// What went wrong.
        reason: String,
    },
}

impl Failure {
    /// The number that the shell sees.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            _ => ExitCode::from(1),
        }
    }
}

impl From<eframe::Error> for Failure {
    fn from(error: eframe::Error) -> Self {
        match error {
            eframe::Error::WinitEventLoop(reason) => Self::NoDisplay(reason.to_string()),
            eframe::Error::Wgpu(reason) => Self::NoAdapter(reason.to_string()),
            eframe::Error::AppCreation(reason) => Self::Window(reason.to_string()),
            other => Self::Window(other.to_string()),
        }
    }
}

/// Looks for the libraries whose absence winit answers with a panic.
///
/// # Errors
/// The first one that is missing.
#[cfg(target_os = "linux")]
pub fn check_libraries() -> Result<(), Failure> {
    if xkbcommon_dl::xkbcommon_option().is_none() {
        return Err(Failure::NoLibrary { library: "libxkbcommon.so.0", package: "libxkbcommon0" });
    }
    let is_wayland = ["WAYLAND_DISPLAY", "WAYLAND_SOCKET"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    if !is_wayland && xkbcommon_dl::x11::xkbcommon_x11_option().is_none() {
        return Err(Failure::NoLibrary { library: "libxkbcommon-x11.so.0", package: "libxkbcommon-x11-0" });
    }
    Ok(())
}

/// Windows and macOS bring all that windows need.
///
/// # Errors
/// Never.
#[cfg(not(target_os = "linux"))]
pub fn check_libraries() -> Result<(), Failure> {
    Ok(())
}
