//! Checkpoints: `checkpoints/step-000100/` with the weights, the optimiser's tensors and a state
//! file that carries the checksums of both. A checkpoint appears by one rename, so one that is
//! there is complete unless the disk damaged it; the checksums tell.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::RunError;
use crate::hex;
use crate::store::Store;
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
    /// Writes the checkpoint into `folder` under its step's name, whole or not at all, and gives
    /// its name there.
    ///
    /// # Errors
    /// When it cannot be written; earlier checkpoints are untouched then.
    pub(crate) fn write(&self, store: &mut Store, folder: &str) -> Result<String, RunError> {
        let name = format!("{folder}/{}", checkpoint_name(self.state.step));
        let path = store.path(&name);
        let encode = |file: &TensorFile| file.encode().map_err(|reason| RunError::corrupt(&path, reason));
        let mut files = vec![(WEIGHTS_FILE, encode(&self.weights)?), (OPTIMIZER_FILE, encode(&self.optimizer)?)];
        let mut state = self.state.clone();
        // JSON has no NaN; a validation without a number is no best one.
        state.best = state.best.filter(|best| best.accuracy.is_finite());
        let state = StateFile {
            format: FORMAT,
            state,
            files: files.iter().map(|(name, bytes)| ((*name).to_owned(), FileDigest::of(bytes))).collect(),
        };
        // Last, because it vouches for the others.
        files.push((STATE_FILE, serde_json::to_vec_pretty(&state).map_err(|error| RunError::corrupt(&path, error))?));
        store.write_folder(&name, &files)?;
        Ok(name)
    }

    /// Reads a checkpoint and verifies its checksums.
    ///
    /// # Errors
    /// When a file is missing, damaged or of another format.
    pub(crate) fn read(store: &Store, name: &str) -> Result<Self, RunError> {
        let state_name = format!("{name}/{STATE_FILE}");
        let state_path = store.path(&state_name);
        let text = store.require(&state_name)?;
        let file: StateFile = serde_json::from_slice(&text).map_err(|error| RunError::corrupt(&state_path, error))?;
        if file.format != FORMAT {
            return Err(RunError::corrupt(
                &state_path,
                format!("it has format {}, and this program reads format {FORMAT}", file.format),
            ));
        }
        let tensors = |tensors: &str| {
            let name = format!("{name}/{tensors}");
            let bytes = store.require(&name)?;
            let path = store.path(&name);
            if file.files.get(tensors) != Some(&FileDigest::of(&bytes)) {
                return Err(RunError::corrupt(&path, "its checksum is not the one it was written with"));
            }
            TensorFile::decode(&bytes).map_err(|reason| RunError::corrupt(&path, reason))
        };
        Ok(Self { weights: tensors(WEIGHTS_FILE)?, optimizer: tensors(OPTIMIZER_FILE)?, state: file.state })
    }
}

/// The checkpoints in `folder` by step with their names, oldest first; whatever is called otherwise
/// is no checkpoint.
fn list(store: &Store, folder: &str) -> Vec<(u64, String)> {
    let mut found: Vec<(u64, String)> = store
        .list(folder)
        .into_iter()
        .filter_map(|name| {
            let step: u64 = name.strip_prefix("step-")?.parse().ok()?;
            (name == checkpoint_name(step)).then(|| (step, format!("{folder}/{name}")))
        })
        .collect();
    found.sort();
    found
}

/// The newest checkpoint that can be read, and a warning for each newer one that cannot.
pub(crate) fn newest(store: &Store, folder: &str) -> (Option<Checkpoint>, Vec<String>) {
    let mut warnings = Vec::new();
    for (_, name) in list(store, folder).into_iter().rev() {
        match Checkpoint::read(store, &name) {
            Ok(checkpoint) => return (Some(checkpoint), warnings),
            Err(error) => {
                warnings.push(format!("the checkpoint {} is passed over: {error}", store.path(&name).display()));
            }
        }
    }
    (None, warnings)
}

/// Removes all but the newest `keep` checkpoints and the one of the best validation.
pub(crate) fn prune(store: &mut Store, folder: &str, keep: usize, best: Option<u64>) -> Result<(), RunError> {
    let all = list(store, folder);
    let old = all.len().saturating_sub(keep.max(1));
    for (step, name) in all.into_iter().take(old) {
        if Some(step) != best {
            store.remove_folder(&name)?;
        }
    }
    Ok(())
}
