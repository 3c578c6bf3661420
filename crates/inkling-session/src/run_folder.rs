//! The folder of a run: its configuration, logs, TensorBoard events, checkpoints and curves, on disk
//! or in memory. Exactly one process writes to one on disk at a time; a kill at any moment leaves it
//! resumable.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::atomic::remove_leftovers;
use crate::changes::Changes;
use crate::checkpoint::{self, Checkpoint};
use crate::config::{Layers, RunConfig};
use crate::curves;
use crate::error::RunError;
use crate::metrics::{MetricsRow, TimingRow, append_row, begin_log, resume_log, rows_of};
use crate::session::{Passes, Target};
use crate::store::Store;
use crate::tensorboard::EventWriter;

/// The resolved configuration in a run folder.
pub const CONFIG_FILE: &str = "config.toml";
/// The deterministic log in a run folder.
pub const METRICS_FILE: &str = "metrics.csv";
/// The log of seconds and bytes in a run folder.
pub const TIMING_FILE: &str = "timing.csv";
/// The plot of loss and accuracy in a run folder.
pub const CURVES_FILE: &str = "curves.svg";
const CHECKPOINTS: &str = "checkpoints";
const TENSORBOARD: &str = "tensorboard";
const LOCK_FILE: &str = ".lock";
/// A killed process keeps its lock until the system has cleared it away: two seconds are plenty.
const LOCK_ATTEMPTS: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// An open run folder.
#[derive(Debug)]
pub struct RunFolder {
    store: Store,
    keep_checkpoints: usize,
    events: EventWriter,
    changes: Changes,
    // Held, not read: the system lets go of the lock when the process ends, however it ends.
    _lock: Option<File>,
}

/// What the files of a run say of where it stands, read without touching them.
#[derive(Debug, Default)]
pub(crate) struct Outlook {
    /// The step of the newest checkpoint; none before the first, and for a new run.
    pub(crate) checkpoint: Option<u64>,
    /// What was changed on the way.
    pub(crate) changes: Changes,
}

impl Outlook {
    /// Looks at the run that is to go on; nothing stands yet of a new one.
    ///
    /// # Errors
    /// When the files cannot be used.
    pub(crate) fn of(target: &Target) -> Result<Self, RunError> {
        let store = match target {
            Target::New(_) | Target::Memory => return Ok(Self::default()),
            Target::Resume(path) => Store::disk(path),
            Target::ResumeArchive(bytes) => Store::of_archive(bytes)?,
        };
        let (checkpoint, _) = checkpoint::newest(&store, CHECKPOINTS);
        Ok(Self { checkpoint: checkpoint.map(|found| found.state.step), changes: Changes::read(&store)? })
    }

    /// The step where the run goes on.
    pub(crate) fn step(&self) -> u64 {
        self.checkpoint.unwrap_or(0)
    }
}

/// A run that is ready to go on.
#[derive(Debug)]
pub struct ResumedRun {
    /// The folder, its logs cut back to the checkpoint.
    pub folder: RunFolder,
    /// Where to go on from; none when the run ended before its first checkpoint.
    pub checkpoint: Option<Checkpoint>,
    /// What was passed over, for the user to read.
    pub warnings: Vec<String>,
}

impl RunFolder {
    /// Begins a run in `path`, which may be new, or exist without a run in it.
    ///
    /// # Errors
    /// [`RunError::Occupied`] when there is a run already; otherwise when the folder cannot be
    /// written, and then nothing new is left behind.
    pub fn create(path: &Path, config: &RunConfig, unix_seconds: f64) -> Result<Self, RunError> {
        Self::check_free(path)?;
        let existed = path.exists();
        fs::create_dir_all(path).map_err(RunError::io("create", path))?;
        let lock = lock(path)?;
        // Another process may have begun a run since the first look, and ended.
        Self::check_free(path)?;
        let mine: Vec<PathBuf> = [CONFIG_FILE, METRICS_FILE, TIMING_FILE, CHECKPOINTS, TENSORBOARD, LOCK_FILE]
            .iter()
            .map(|name| path.join(name))
            .filter(|file| !file.exists() || file.ends_with(LOCK_FILE))
            .collect();
        let begun = Self::begin(Store::disk(path), config, unix_seconds, Some(lock));
        if begun.is_err() {
            undo(path, existed, &mine);
        }
        begun
    }

    /// Begins a run that keeps its files in memory; [`RunFolder::archive`] gives them as one.
    ///
    /// # Errors
    /// When the configuration has no form in TOML.
    pub fn in_memory(config: &RunConfig, unix_seconds: f64) -> Result<Self, RunError> {
        Self::begin(Store::memory(), config, unix_seconds, None)
    }

    /// The first of `name-001`, `name-002`, … in `home` that does not exist.
    ///
    /// # Errors
    /// [`RunError::Full`] when there is none.
    pub fn numbered(home: &Path, name: &str) -> Result<PathBuf, RunError> {
        (1..100_000)
            .map(|number| home.join(format!("{name}-{number:03}")))
            .find(|path| !path.exists())
            .ok_or_else(|| RunError::Full(home.to_owned()))
    }

    /// Says whether a run can begin in `path`, without touching it.
    ///
    /// # Errors
    /// [`RunError::Occupied`].
    pub fn check_free(path: &Path) -> Result<(), RunError> {
        let occupied = [CONFIG_FILE, METRICS_FILE, CHECKPOINTS].iter().any(|name| path.join(name).exists());
        if occupied { Err(RunError::Occupied(path.to_owned())) } else { Ok(()) }
    }

    fn begin(mut store: Store, config: &RunConfig, unix_seconds: f64, lock: Option<File>) -> Result<Self, RunError> {
        let text = config.to_toml()?;
        store.make_folder(CHECKPOINTS)?;
        begin_log::<MetricsRow>(&mut store, METRICS_FILE)?;
        begin_log::<TimingRow>(&mut store, TIMING_FILE)?;
        let events = EventWriter::create(&mut store, TENSORBOARD, unix_seconds, None)?;
        // Last, because this file makes the folder a run.
        store.write(CONFIG_FILE, text.as_bytes())?;
        let keep_checkpoints = config.training.keep_checkpoints as usize;
        Ok(Self { store, keep_checkpoints, events, changes: Changes::default(), _lock: lock })
    }

    /// The configuration of the run in `path`, as a first layer for overrides.
    ///
    /// # Errors
    /// [`RunError::NotARun`] when there is none, or when it cannot be read.
    pub fn read_layers(path: &Path) -> Result<Layers, RunError> {
        layers_of(&Store::disk(path))
    }

    /// The configuration of the run in `path`.
    ///
    /// # Errors
    /// As for [`RunFolder::read_layers`].
    pub fn read_config(path: &Path) -> Result<RunConfig, RunError> {
        Ok(Self::read_layers(path)?.run_config()?)
    }

    /// The configuration of the run in an archive.
    ///
    /// # Errors
    /// When it is no archive of a run.
    pub fn read_archive_config(bytes: &[u8]) -> Result<RunConfig, RunError> {
        Ok(layers_of(&Store::of_archive(bytes)?)?.run_config()?)
    }

    /// Opens the run in `path` to go on from its newest whole checkpoint: removes what a kill left
    /// half-written and cuts the logs back to the checkpoint's step.
    ///
    /// `config` is the configuration to go on with: the run's own, or one that differs in its
    /// length and outputs only ([`RunConfig::fingerprint`]); it replaces the one in the folder.
    ///
    /// # Errors
    /// [`RunError::OtherConfiguration`], [`RunError::InUse`], or when files cannot be used.
    pub fn resume(path: &Path, config: &RunConfig, unix_seconds: f64) -> Result<ResumedRun, RunError> {
        let store = Store::disk(path);
        check_same(&store, config)?;
        let lock = lock(path)?;
        store.make_folder(CHECKPOINTS)?;
        remove_leftovers(path);
        remove_leftovers(&path.join(CHECKPOINTS));
        Self::go_on(store, config, unix_seconds, Some(lock))
    }

    /// Opens the run in an archive to go on in memory, as [`RunFolder::resume`] does on disk.
    ///
    /// # Errors
    /// [`RunError::OtherConfiguration`], or when the archive cannot be used.
    pub fn resume_archive(bytes: &[u8], config: &RunConfig, unix_seconds: f64) -> Result<ResumedRun, RunError> {
        let store = Store::of_archive(bytes)?;
        check_same(&store, config)?;
        Self::go_on(store, config, unix_seconds, None)
    }

    fn go_on(
        mut store: Store,
        config: &RunConfig,
        unix_seconds: f64,
        lock: Option<File>,
    ) -> Result<ResumedRun, RunError> {
        let (checkpoint, mut warnings) = checkpoint::newest(&store, CHECKPOINTS);
        let step = checkpoint.as_ref().map_or(0, |found| found.state.step);
        if let Some(found) = &checkpoint
            && found.state.fingerprint != config.fingerprint()?
        {
            return Err(RunError::OtherConfiguration(store.path("")));
        }
        if layers_of(&store)?.run_config()? != *config {
            store.write(CONFIG_FILE, config.to_toml()?.as_bytes())?;
        }
        let changes = Changes::read(&store)?;
        let last = resume_log::<MetricsRow>(&mut store, METRICS_FILE, step)?;
        if last < step {
            warnings.push(format!(
                "{METRICS_FILE} ends at step {last}, before the checkpoint's step {step}: the rows between are lost"
            ));
        }
        resume_log::<TimingRow>(&mut store, TIMING_FILE, step)?;
        let events = EventWriter::create(&mut store, TENSORBOARD, unix_seconds, Some(step + 1))?;
        let keep_checkpoints = config.training.keep_checkpoints as usize;
        let folder = Self { store, keep_checkpoints, events, changes, _lock: lock };
        Ok(ResumedRun { folder, checkpoint, warnings })
    }

    /// The newest checkpoint of the run in `path`, for evaluation: reads only, and works while
    /// another process trains.
    ///
    /// # Errors
    /// [`RunError::NotARun`], or [`RunError::Corrupt`] when no checkpoint can be used.
    pub fn newest_checkpoint(path: &Path) -> Result<(Checkpoint, Vec<String>), RunError> {
        newest_of(&Store::disk(path))
    }

    /// The checkpoint of the best validation of the run in `path`, for evaluation.
    ///
    /// # Errors
    /// As for [`RunFolder::newest_checkpoint`], and when there was no validation, or none was written
    /// where the best was.
    pub fn best_checkpoint(path: &Path) -> Result<(Checkpoint, Vec<String>), RunError> {
        let store = Store::disk(path);
        let (newest, warnings) = newest_of(&store)?;
        let Some(best) = newest.state.best else {
            return Err(RunError::corrupt(&store.path(CHECKPOINTS), "there was no validation yet; take the newest"));
        };
        if best.step == newest.state.step {
            return Ok((newest, warnings));
        }
        let name = format!("{CHECKPOINTS}/{}", checkpoint::checkpoint_name(best.step));
        if !store.exists(&format!("{name}/{}", checkpoint::STATE_FILE)) {
            let reason = format!(
                "the best validation was after step {}, where no checkpoint was written; train with \
                 training.checkpoint_every = training.validate_every",
                best.step
            );
            return Err(RunError::corrupt(&store.path(&name), reason));
        }
        Ok((Checkpoint::read(&store, &name)?, warnings))
    }

    /// The newest checkpoint in the archive of a run.
    ///
    /// # Errors
    /// As for [`RunFolder::newest_checkpoint`].
    pub fn newest_in_archive(bytes: &[u8]) -> Result<(Checkpoint, Vec<String>), RunError> {
        newest_of(&Store::of_archive(bytes)?)
    }

    /// Where the run lies; none in memory.
    pub fn path(&self) -> Option<&Path> {
        self.store.root()
    }

    /// All files of the run as one zip, with which it can go on elsewhere.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn archive(&self) -> Result<Vec<u8>, RunError> {
        self.store.archive()
    }

    /// The changes so far.
    pub(crate) fn changes(&self) -> &Changes {
        &self.changes
    }

    /// Writes down that a key has another value after `step`.
    pub(crate) fn log_change(&mut self, step: u64, key: &str, value: String) -> Result<(), RunError> {
        self.changes.add(step, key, value);
        self.changes.write(&mut self.store)
    }

    /// Writes down that the run goes on with other passes after `step`.
    pub(crate) fn log_passes(&mut self, step: u64, passes: Passes) -> Result<(), RunError> {
        self.changes.add_passes(step, passes);
        self.changes.write(&mut self.store)
    }

    /// Logs a step to `metrics.csv`, `timing.csv` and TensorBoard.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn log_step(&mut self, metrics: &MetricsRow, timing: &TimingRow) -> Result<(), RunError> {
        append_row(&mut self.store, METRICS_FILE, metrics)?;
        append_row(&mut self.store, TIMING_FILE, timing)?;
        let mut scalars = vec![
            ("train/loss", metrics.loss),
            ("train/accuracy", metrics.accuracy),
            ("train/learning_rate", metrics.learning_rate as f32),
            ("speed/episodes_per_second", timing.episodes_per_second as f32),
            ("memory/bytes_in_use", timing.bytes_in_use as f32),
            ("memory/bytes_peak", timing.bytes_peak as f32),
        ];
        let optional = [
            ("train/gradient_norm", metrics.gradient_norm),
            ("solve/failed_tasks", metrics.failed_tasks.map(|tasks| tasks as f32)),
            ("solve/iterations", metrics.solve_iterations),
            ("solve/condition", metrics.condition),
            ("validation/loss", metrics.validation_loss),
            ("validation/accuracy", metrics.validation_accuracy),
        ];
        scalars.extend(optional.iter().filter_map(|(tag, value)| Some((*tag, (*value)?))));
        self.events.scalars(&mut self.store, metrics.step, timing.unix_seconds, &scalars)
    }

    /// Writes a checkpoint, and removes those that are neither among the newest nor the best.
    /// The logs up to it are brought to the disk first.
    ///
    /// # Errors
    /// When it cannot be written; earlier checkpoints are untouched then.
    pub fn write_checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<Option<PathBuf>, RunError> {
        self.store.sync(METRICS_FILE)?;
        self.store.sync(TIMING_FILE)?;
        let name = checkpoint.write(&mut self.store, CHECKPOINTS)?;
        let best = checkpoint.state.best.map(|best| best.step);
        checkpoint::prune(&mut self.store, CHECKPOINTS, self.keep_checkpoints, best)?;
        Ok(self.store.root().map(|root| root.join(name)))
    }

    /// Draws `curves.svg` from the metrics so far.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn write_curves(&mut self) -> Result<(), RunError> {
        let rows: Vec<MetricsRow> = rows_of(&self.store.path(METRICS_FILE), &self.store.require(METRICS_FILE)?)?;
        let svg = curves::draw(&rows).map_err(|error| RunError::corrupt(&self.store.path(CURVES_FILE), error))?;
        self.store.write(CURVES_FILE, svg.as_bytes())
    }
}

/// The configuration in a store.
fn layers_of(store: &Store) -> Result<Layers, RunError> {
    let Some(bytes) = store.read(CONFIG_FILE)? else { return Err(RunError::NotARun(store.path(""))) };
    let path = store.path(CONFIG_FILE);
    let text = String::from_utf8(bytes).map_err(|error| RunError::corrupt(&path, error))?;
    let mut layers = Layers::new();
    layers.text(&path.display().to_string(), &text)?;
    Ok(layers)
}

/// Refuses a configuration under which the run in a store would have other numbers.
fn check_same(store: &Store, config: &RunConfig) -> Result<(), RunError> {
    let written = layers_of(store)?.run_config()?;
    if written.fingerprint()? == config.fingerprint()? {
        Ok(())
    } else {
        Err(RunError::OtherConfiguration(store.path("")))
    }
}

fn newest_of(store: &Store) -> Result<(Checkpoint, Vec<String>), RunError> {
    if !store.exists(CONFIG_FILE) {
        return Err(RunError::NotARun(store.path("")));
    }
    match checkpoint::newest(store, CHECKPOINTS) {
        (Some(found), warnings) => Ok((found, warnings)),
        (None, warnings) => Err(RunError::corrupt(
            &store.path(CHECKPOINTS),
            match warnings.first() {
                Some(warning) => warning.clone(),
                None => "it holds no checkpoint yet; train on, or give another run".to_owned(),
            },
        )),
    }
}

/// Takes back what a failed start left: all of a new folder, else what was not there before.
fn undo(path: &Path, existed: bool, mine: &[PathBuf]) {
    // The error that led here is the one to report, so further ones are let go.
    if !existed {
        let _ = fs::remove_dir_all(path);
        return;
    }
    for file in mine {
        let _ = if file.is_dir() { fs::remove_dir_all(file) } else { fs::remove_file(file) };
    }
}

fn lock(folder: &Path) -> Result<File, RunError> {
    let path = folder.join(LOCK_FILE);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(RunError::io("create", &path))?;
    for _ in 0..LOCK_ATTEMPTS {
        match file.try_lock() {
            // Some network file systems know no locks; a run there goes on without one.
            Ok(()) | Err(TryLockError::Error(_)) => return Ok(file),
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
        }
    }
    Err(RunError::InUse(folder.to_owned()))
}
