//! The run that `--run` asks for, read and checked before a window opens.

use std::path::{Path, PathBuf};

use inkling_session::config::{Layers, RunConfig};
use inkling_session::run_folder::RunFolder;
use inkling_session::session::Target;

use crate::failure::Failure;

/// Reads the configuration and finds the run's folder: `out`, or a numbered one in `home`.
///
/// # Errors
/// When the file cannot be read, asks for what cannot be, or the folder holds something.
pub fn read(file: &Path, out: Option<PathBuf>, home: &Path) -> Result<(RunConfig, Target), Failure> {
    let usage = |error: &dyn std::fmt::Display| Failure::Usage(error.to_string());
    let mut layers = Layers::new();
    layers.file(file).map_err(|error| usage(&error))?;
    let config = layers.run_config().map_err(|error| usage(&error))?;
    let folder = match out {
        Some(folder) => folder,
        None => {
            let name = file.file_stem().unwrap_or_default().to_string_lossy();
            RunFolder::numbered(home, &name).map_err(|error| usage(&error))?
        }
    };
    RunFolder::check_free(&folder).map_err(|error| usage(&error))?;
    Ok((config, Target::New(folder)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_read_and_its_folder_numbered() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("my.toml");
        std::fs::write(&file, "[training]\nsteps = 3\n").unwrap();
        std::fs::create_dir(folder.path().join("my-001")).unwrap();
        let (config, target) = read(&file, None, folder.path()).unwrap();
        assert_eq!(config.training.steps, 3);
        assert_eq!(target.folder(), Some(&*folder.path().join("my-002")));

        let out = folder.path().join("taken");
        std::fs::create_dir(&out).unwrap();
        std::fs::write(out.join("config.toml"), "").unwrap();
        let refused = read(&file, Some(out), folder.path()).unwrap_err();
        assert!(refused.to_string().contains("taken"), "{refused}");
    }
}
