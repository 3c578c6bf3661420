//! Checkpoints: `checkpoints/step-000100/` with the weights, the optimiser's tensors and a state
//! file that carries the checksums of both. A checkpoint appears by one rename, so one that is
//! there is complete unless the disk damaged it; the checksums tell.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::atomic::{remove_folder, write_folder_atomically, write_through};
use crate::error::RunError;
use crate::hex;
use crate::tensor_file::TensorFile;

/// The version of the state file's fields.
const FORMAT: u32 = 1;
/// The file of weights in a checkpoint.
pub const WEIGHTS_FILE: &str = "weights.safetensors";
/// The file of the optimiser's tensors in a checkpoint.
pub const OPTIMIZER_FILE: &str = "optimizer.safetensors";
/// The file of counters in a checkpoint.
pub const STATE_FILE: &str = "state.json";

/// Where the random streams stand. They are counter-based: a seed and a count per stream say all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomState {
    /// The seed of the run.
    pub seed: u64,
    /// How far each named stream has been used.
    pub counters: BTreeMap<String, u64>,
}

/// The best validation so far.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BestValidation {
    /// The step after which it took place.
    pub step: u64,
    /// Its mean accuracy, `0..=1`.
    pub accuracy: f32,
}

/// The counters of a run between two steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointState {
    /// Optimiser steps done.
    pub step: u64,
    /// Training episodes seen.
    pub episodes: u64,
    /// Where the random streams stand.
    pub random: RandomState,
    /// The step count inside the optimiser (Adam's bias correction).
    pub optimizer_step: u64,
    /// [`crate::config::RunConfig::fingerprint`] of the run.
    pub fingerprint: String,
    /// The best validation so far.
    pub best: Option<BestValidation>,
}

/// Everything that a run needs to go on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checkpoint {
    /// The counters.
    pub state: CheckpointState,
    /// The weights and running statistics, with the model card.
    pub weights: TensorFile,
    /// The optimiser's tensors.
    pub optimizer: TensorFile,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StateFile {
    format: u32,
    state: CheckpointState,
    files: BTreeMap<String, FileDigest>,
}

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileDigest {
    bytes: u64,
    sha256: String,
}

impl FileDigest {
    fn of(contents: &[u8]) -> Self {
        Self { bytes: contents.len() as u64, sha256: hex::encode(&Sha256::digest(contents)) }
    }
}

/// The name of the checkpoint after `step`.
pub fn checkpoint_name(step: u64) -> String {
    format!("step-{step:06}")
}

impl Checkpoint {
    /// Writes the checkpoint into `folder` under its step's name, whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written; earlier checkpoints are untouched then.
    pub fn write(&self, folder: &Path) -> Result<PathBuf, RunError> {
        let path = folder.join(checkpoint_name(self.state.step));
        let encode = |file: &TensorFile| file.encode().map_err(|reason| RunError::corrupt(&path, reason));
        let files = [(WEIGHTS_FILE, encode(&self.weights)?), (OPTIMIZER_FILE, encode(&self.optimizer)?)];
        let mut state = self.state.clone();
        // JSON has no NaN; a validation without a number is no best one.
        state.best = state.best.filter(|best| best.accuracy.is_finite());
        let state = StateFile {
            format: FORMAT,
            state,
            files: files.iter().map(|(name, bytes)| ((*name).to_owned(), FileDigest::of(bytes))).collect(),
        };
        let state = serde_json::to_vec_pretty(&state).map_err(|error| RunError::corrupt(&path, error))?;
        write_folder_atomically(&path, |partial| {
            for (name, bytes) in &files {
                write_through(&partial.join(name), bytes)?;
            }
            write_through(&partial.join(STATE_FILE), &state)
        })?;
        Ok(path)
    }

    /// Reads a checkpoint and verifies its checksums.
    ///
    /// # Errors
    /// When a file is missing, damaged or of another format.
    pub fn read(path: &Path) -> Result<Self, RunError> {
        let state_path = path.join(STATE_FILE);
        let text = fs::read(&state_path).map_err(RunError::io("read", &state_path))?;
        let file: StateFile = serde_json::from_slice(&text).map_err(|error| RunError::corrupt(&state_path, error))?;
        if file.format != FORMAT {
            return Err(RunError::corrupt(
                &state_path,
                format!("it has format {}, and this program reads format {FORMAT}", file.format),
            ));
        }
        let tensors = |name: &str| {
            let path = path.join(name);
            let bytes = fs::read(&path).map_err(RunError::io("read", &path))?;
            if file.files.get(name) != Some(&FileDigest::of(&bytes)) {
                return Err(RunError::corrupt(&path, "its checksum is not the one it was written with"));
            }
            TensorFile::decode(&bytes).map_err(|reason| RunError::corrupt(&path, reason))
        };
        Ok(Self { weights: tensors(WEIGHTS_FILE)?, optimizer: tensors(OPTIMIZER_FILE)?, state: file.state })
    }
}

/// The checkpoints in `folder` by step, oldest first; whatever has another name is no checkpoint.
pub(crate) fn list(folder: &Path) -> Vec<(u64, PathBuf)> {
    let mut found: Vec<(u64, PathBuf)> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let step: u64 = name.strip_prefix("step-")?.parse().ok()?;
            (name == checkpoint_name(step)).then(|| (step, entry.path()))
        })
        .collect();
    found.sort();
    found
}

/// The newest checkpoint that can be read, and a warning for each newer one that cannot.
pub(crate) fn newest(folder: &Path) -> (Option<Checkpoint>, Vec<String>) {
    let mut warnings = Vec::new();
    for (_, path) in list(folder).into_iter().rev() {
        match Checkpoint::read(&path) {
            Ok(checkpoint) => return (Some(checkpoint), warnings),
            Err(error) => warnings.push(format!("the checkpoint {} is passed over: {error}", path.display())),
        }
    }
    (None, warnings)
}

/// Removes all but the newest `keep` checkpoints and the one of the best validation.
pub(crate) fn prune(folder: &Path, keep: usize, best: Option<u64>) -> Result<(), RunError> {
    let all = list(folder);
    let old = all.len().saturating_sub(keep.max(1));
    for (step, path) in all.into_iter().take(old) {
        if Some(step) != best {
            remove_folder(&path)?;
        }
    }
    Ok(())
}
