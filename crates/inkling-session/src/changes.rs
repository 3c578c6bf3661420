//! What was changed while a run went on: `changes.csv` in its folder, a row for each change. The
//! configuration in the folder stays the one that the run began with; together they determine every
//! number, so that a resumed run repeats the changes at their steps.

use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, Layers, RunConfig};
use crate::error::RunError;
use crate::metrics::{LogRow, log_bytes, rows_of};
use crate::session::Passes;
use crate::store::Store;

/// The log of changes in a run folder.
const CHANGES_FILE: &str = "changes.csv";
/// The keys of [`Passes`]. They hold for a whole session, because its memory is planned once.
const PASSES: [&str; 3] = ["gradient.estimator", "gradient.chunk", "gradient.query_batch"];

/// One row of `changes.csv`: a key of the configuration has another value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ChangeRow {
    /// The last step with the old value.
    after_step: u64,
    /// The dotted key.
    key: String,
    /// The new value, as TOML writes it.
    value: String,
    /// Whether the change came with smaller passes for a whole session.
    passes: bool,
}

impl LogRow for ChangeRow {
    const HEADER: &'static str = "after_step,key,value,passes";
    fn step(&self) -> u64 {
        self.after_step
    }
}

/// All changes of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes(Vec<ChangeRow>);

impl Changes {
    /// Those of a run; none where there is no log of them.
    pub(crate) fn read(store: &Store) -> Result<Self, RunError> {
        match store.read(CHANGES_FILE)? {
            Some(bytes) => Ok(Self(rows_of(&store.path(CHANGES_FILE), &bytes)?)),
            None => Ok(Self::default()),
        }
    }

    /// Writes the log, where there is anything to write.
    pub(crate) fn write(&self, store: &mut Store) -> Result<(), RunError> {
        let bytes = log_bytes(&self.0).map_err(|reason| RunError::corrupt(&store.path(CHANGES_FILE), reason))?;
        store.write(CHANGES_FILE, &bytes)
    }

    /// Adds a change, and forgets later ones of the same key: they belong to a run that was resumed
    /// from before them, and has now gone another way.
    pub(crate) fn add(&mut self, after_step: u64, key: &str, value: String) {
        self.put(after_step, (key, value), false);
    }

    /// Adds passes, for the present session and all that follow.
    pub(crate) fn add_passes(&mut self, after_step: u64, passes: Passes) {
        let Passes { estimator, chunk, query_batch } = passes;
        for change in PASSES.into_iter().zip([estimator.name().to_owned(), chunk.to_string(), query_batch.to_string()])
        {
            self.put(after_step, change, true);
        }
    }

    fn put(&mut self, after_step: u64, (key, value): (&str, String), passes: bool) {
        self.0.retain(|row| row.key != key || row.after_step <= after_step);
        self.0.push(ChangeRow { after_step, key: key.to_owned(), value, passes });
    }

    /// The configuration after `step`, of a run that began with `first`.
    ///
    /// # Errors
    /// When a change leads to a configuration that cannot be.
    pub(crate) fn config_after(&self, first: &RunConfig, step: u64) -> Result<RunConfig, ConfigError> {
        let counts = |row: &&ChangeRow| row.passes || row.after_step <= step;
        let mut changes = self.0.iter().filter(counts).map(|row| (row.key.as_str(), row.value.as_str())).peekable();
        if changes.peek().is_none() {
            return Ok(first.clone());
        }
        changed(first, changes)
    }

    /// Whether a change takes effect just after this step.
    pub(crate) fn any_after(&self, step: u64) -> bool {
        self.0.iter().any(|row| row.after_step == step)
    }
}

/// A configuration with other values, checked.
///
/// # Errors
/// When it cannot be.
pub(crate) fn changed<'c>(
    config: &RunConfig,
    changes: impl IntoIterator<Item = (&'c str, &'c str)>,
) -> Result<RunConfig, ConfigError> {
    let mut layers = Layers::new();
    layers.text("the run's configuration", &config.to_toml()?)?;
    for (key, value) in changes {
        layers.assign(&format!("{key}={value}"))?;
    }
    layers.run_config()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::EstimatorKind;

    #[test]
    fn changes_hold_from_their_step_on_and_survive_a_store() {
        let first = RunConfig::default();
        let mut store = Store::memory();
        let mut changes = Changes::read(&store).unwrap();
        changes.add(10, "training.learning_rate", "1e-5".to_owned());
        changes.add(20, "gradient.h", "7".to_owned());
        changes.write(&mut store).unwrap();
        let changes = Changes::read(&store).unwrap();
        let after = |step| changes.config_after(&first, step).unwrap();
        assert_eq!(after(9), first);
        assert_eq!((after(10).training.learning_rate, after(10).gradient.h), (1e-5, first.gradient.h));
        assert_eq!(after(20).gradient.h, 7);
        assert!(changes.any_after(20) && !changes.any_after(19));
    }

    #[test]
    fn a_change_replaces_later_ones_of_its_key() {
        let first = RunConfig::default();
        let mut changes = Changes::default();
        changes.add(10, "gradient.h", "7".to_owned());
        changes.add(12, "training.learning_rate", "0.5".to_owned());
        changes.add(5, "gradient.h", "6".to_owned());
        let last = changes.config_after(&first, 100).unwrap();
        assert_eq!((last.gradient.h, last.training.learning_rate), (6, 0.5));
    }

    #[test]
    fn passes_hold_for_the_whole_session() {
        let first = RunConfig::default();
        let mut changes = Changes::default();
        let passes = Passes { estimator: EstimatorKind::Chunked, chunk: 3, query_batch: 2 };
        changes.add_passes(10, passes);
        assert_eq!(Passes::of(&changes.config_after(&first, 0).unwrap().gradient), passes);
        changes.add(12, "gradient.estimator", "lite".to_owned());
        assert_eq!(changes.config_after(&first, 12).unwrap().gradient.estimator, EstimatorKind::Lite);
        assert!(changes.config_after(&first, 11).unwrap().gradient.estimator == EstimatorKind::Chunked);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let first = RunConfig::default();
        for (key, value) in [("training.learning_rate", "NaN"), ("gradient.h", "-1"), ("gradient.nothing", "1")] {
            assert!(changed(&first, [(key, value)]).is_err(), "{key} = {value}");
        }
    }
}
