//! Writing a resolved configuration, and the fingerprint by which a checkpoint recognises the
//! configuration it belongs to.

use sha2::{Digest, Sha256};

use super::{ConfigError, RunConfig, Schedule};
use crate::hex;

const HEADER: &str = "\
# The resolved configuration of a run of Inkling: every key with the value that was used.
# `inkling train --config THIS_FILE --out NEW_FOLDER` repeats the run.

";

impl RunConfig {
    /// The configuration as TOML with a header; reading it gives an equal value.
    ///
    /// # Errors
    /// When a value has no form in TOML, such as a path that is not Unicode.
    pub fn to_toml(&self) -> Result<String, ConfigError> {
        let body = toml::to_string(self).map_err(|error| ConfigError::Write(error.to_string()))?;
        Ok(format!("{HEADER}{body}"))
    }

    /// A hash of everything that determines the numbers of the steps.
    ///
    /// What only decides how long a run goes on, what it writes and how it is evaluated stays
    /// out, so that a run can be resumed with more steps or another time limit. With a cosine
    /// schedule the number of steps shapes every learning rate and stays in.
    ///
    /// # Errors
    /// As for [`RunConfig::to_toml`].
    pub fn fingerprint(&self) -> Result<String, ConfigError> {
        let mut arithmetic = self.clone();
        let defaults = Self::default();
        arithmetic.evaluation = defaults.evaluation;
        arithmetic.memory = defaults.memory;
        arithmetic.data.cache = defaults.data.cache;
        arithmetic.data.strict = defaults.data.strict;
        arithmetic.data.feature_cache = defaults.data.feature_cache;
        let training = &mut arithmetic.training;
        if training.schedule != Schedule::Cosine {
            training.steps = defaults.training.steps;
        }
        training.time_limit = None;
        training.checkpoint_every = defaults.training.checkpoint_every;
        training.keep_checkpoints = defaults.training.keep_checkpoints;
        Ok(hex::encode(&Sha256::digest(arithmetic.to_toml()?)))
    }
}
