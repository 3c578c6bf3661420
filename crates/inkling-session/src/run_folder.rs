//! The folder of a run: its configuration, logs, TensorBoard events, checkpoints and curves.
//! Exactly one process writes to it at a time; a kill at any moment leaves it resumable.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::atomic::{remove_leftovers, write_atomically};
use crate::checkpoint::{self, Checkpoint};
use crate::config::{Layers, RunConfig};
use crate::curves;
use crate::error::RunError;
use crate::metrics::{CsvLog, MetricsRow, TimingRow, read_log};
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
    path: PathBuf,
    keep_checkpoints: usize,
    metrics: CsvLog<MetricsRow>,
    timing: CsvLog<TimingRow>,
    events: EventWriter,
    // Held, not read: the system lets go of the lock when the process ends, however it ends.
    _lock: File,
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
        let text = config.to_toml()?;
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
        let begun = Self::begin(path, config, &text, unix_seconds, lock);
        if begun.is_err() {
            undo(path, existed, &mine);
        }
        begun
    }

    /// Says whether a run can begin in `path`, without touching it.
    ///
    /// # Errors
    /// [`RunError::Occupied`].
    pub fn check_free(path: &Path) -> Result<(), RunError> {
        let occupied = [CONFIG_FILE, METRICS_FILE, CHECKPOINTS].iter().any(|name| path.join(name).exists());
        if occupied { Err(RunError::Occupied(path.to_owned())) } else { Ok(()) }
    }

    fn begin(path: &Path, config: &RunConfig, text: &str, unix_seconds: f64, lock: File) -> Result<Self, RunError> {
        let checkpoints = path.join(CHECKPOINTS);
        fs::create_dir_all(&checkpoints).map_err(RunError::io("create", &checkpoints))?;
        let metrics = CsvLog::create(&path.join(METRICS_FILE))?;
        let timing = CsvLog::create(&path.join(TIMING_FILE))?;
        let events = EventWriter::create(&path.join(TENSORBOARD), unix_seconds, None)?;
        // Last, because this file makes the folder a run.
        write_atomically(&path.join(CONFIG_FILE), text.as_bytes())?;
        Ok(Self {
            path: path.to_owned(),
            keep_checkpoints: config.training.keep_checkpoints as usize,
            metrics,
            timing,
            events,
            _lock: lock,
        })
    }

    /// The configuration of the run in `path`, as a first layer for overrides.
    ///
    /// # Errors
    /// [`RunError::NotARun`] when there is none, or when it cannot be read.
    pub fn read_layers(path: &Path) -> Result<Layers, RunError> {
        let file = path.join(CONFIG_FILE);
        if !file.is_file() {
            return Err(RunError::NotARun(path.to_owned()));
        }
        let mut layers = Layers::new();
        layers.file(&file)?;
        Ok(layers)
    }

    /// The configuration of the run in `path`.
    ///
    /// # Errors
    /// As for [`RunFolder::read_layers`].
    pub fn read_config(path: &Path) -> Result<RunConfig, RunError> {
        Ok(Self::read_layers(path)?.run_config()?)
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
        let written = Self::read_config(path)?;
        let fingerprint = config.fingerprint()?;
        if written.fingerprint()? != fingerprint {
            return Err(RunError::OtherConfiguration(path.to_owned()));
        }
        let lock = lock(path)?;
        let checkpoints = path.join(CHECKPOINTS);
        fs::create_dir_all(&checkpoints).map_err(RunError::io("create", &checkpoints))?;
        remove_leftovers(path);
        remove_leftovers(&checkpoints);
        let (checkpoint, mut warnings) = checkpoint::newest(&checkpoints);
        let step = checkpoint.as_ref().map_or(0, |found| found.state.step);
        if let Some(found) = &checkpoint
            && found.state.fingerprint != fingerprint
        {
            return Err(RunError::OtherConfiguration(path.to_owned()));
        }
        if written != *config {
            write_atomically(&path.join(CONFIG_FILE), config.to_toml()?.as_bytes())?;
        }
        let (metrics, last) = CsvLog::resume(&path.join(METRICS_FILE), step)?;
        if last < step {
            warnings.push(format!(
                "{METRICS_FILE} ends at step {last}, before the checkpoint's step {step}: the rows between are lost"
            ));
        }
        let (timing, _) = CsvLog::resume(&path.join(TIMING_FILE), step)?;
        let events = EventWriter::create(&path.join(TENSORBOARD), unix_seconds, Some(step + 1))?;
        Ok(ResumedRun {
            folder: Self {
                path: path.to_owned(),
                keep_checkpoints: config.training.keep_checkpoints as usize,
                metrics,
                timing,
                events,
                _lock: lock,
            },
            checkpoint,
            warnings,
        })
    }

    /// The newest checkpoint of the run in `path`, for evaluation: reads only, and works while
    /// another process trains.
    ///
    /// # Errors
    /// [`RunError::NotARun`], or [`RunError::Corrupt`] when no checkpoint can be used.
    pub fn newest_checkpoint(path: &Path) -> Result<(Checkpoint, Vec<String>), RunError> {
        if !path.join(CONFIG_FILE).is_file() {
            return Err(RunError::NotARun(path.to_owned()));
        }
        match checkpoint::newest(&path.join(CHECKPOINTS)) {
            (Some(found), warnings) => Ok((found, warnings)),
            (None, warnings) => Err(RunError::corrupt(
                &path.join(CHECKPOINTS),
                match warnings.first() {
                    Some(warning) => warning.clone(),
                    None => "it holds no checkpoint yet; train on, or give another run".to_owned(),
                },
            )),
        }
    }

    /// Where the run lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Logs a step to `metrics.csv`, `timing.csv` and TensorBoard.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn log_step(&mut self, metrics: &MetricsRow, timing: &TimingRow) -> Result<(), RunError> {
        self.metrics.append(metrics)?;
        self.timing.append(timing)?;
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
        self.events.scalars(metrics.step, timing.unix_seconds, &scalars)
    }

    /// Writes a checkpoint, and removes those that are neither among the newest nor the best.
    /// The logs up to it are brought to the disk first.
    ///
    /// # Errors
    /// When it cannot be written; earlier checkpoints are untouched then.
    pub fn write_checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<PathBuf, RunError> {
        self.metrics.sync()?;
        self.timing.sync()?;
        let folder = self.path.join(CHECKPOINTS);
        let path = checkpoint.write(&folder)?;
        let best = checkpoint.state.best.map(|best| best.step);
        checkpoint::prune(&folder, self.keep_checkpoints, best)?;
        Ok(path)
    }

    /// Draws `curves.svg` from the metrics so far.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn write_curves(&self) -> Result<PathBuf, RunError> {
        let rows = read_log(&self.path.join(METRICS_FILE))?;
        let path = self.path.join(CURVES_FILE);
        let svg = curves::draw(&rows).map_err(|error| RunError::corrupt(&path, error))?;
        write_atomically(&path, svg.as_bytes())?;
        Ok(path)
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
