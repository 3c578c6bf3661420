//! The rows on which Inkling is compared with other systems: passes of Conv-4 and outer steps,
//! described in terms that each of them understands.

use inkling_gpu::Gpu;
use inkling_platform::Stopwatch;
use serde::Deserialize;
use toml::Value;

use super::SessionError;
use super::bench::{NetworkBench, Passes};
use super::site::Site;
use super::trial::Trial;
use crate::config::{Layers, ModelConfig, NormKind, RunConfig};
use crate::report::peers::{Measurement, Place};

/// What all systems measure, and how.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowList {
    /// Timed runs of a row, after one that is not.
    pub repeats: u32,
    /// No further run begins after so many seconds of timed ones; a first run that takes longer is the
    /// row's figure.
    pub seconds: f64,
    /// Groups of a group norm.
    pub groups: u32,
    /// In the order of the table.
    pub rows: Vec<Row>,
}

/// One row. Fields that its pass has no use for are zero.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// What measurements call it.
    pub name: String,
    /// What the table calls it.
    pub title: String,
    /// What is timed.
    pub pass: RowPass,
    /// Channels of each block of Conv-4.
    pub channels: u32,
    /// Channels of the images, and their height and width.
    pub image: [u32; 2],
    /// The norm of every block; batch norms take the statistics of the pass.
    pub norm: NormKind,
    /// Images of a pass through the network alone.
    #[serde(default)]
    pub batch: u32,
    /// Tasks of a step, side by side.
    #[serde(default)]
    pub tasks: u32,
    /// Classes of a task.
    #[serde(default)]
    pub ways: u32,
    /// Support images of each class.
    #[serde(default)]
    pub shots: u32,
    /// Query images of each class.
    #[serde(default)]
    pub queries: u32,
    /// Support images that LITE back-propagates; without it, all.
    pub h: Option<u32>,
    /// Gradient steps within a task.
    #[serde(default)]
    pub inner_steps: u32,
    /// Their rate.
    #[serde(default)]
    pub inner_lr: f64,
    /// The ridge on a linear classifier.
    #[serde(default)]
    pub ridge: f64,
    /// Iterations of conjugate gradient.
    #[serde(default)]
    pub cg_steps: u32,
}

/// What a row times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RowPass {
    /// Images to embeddings.
    Forward,
    /// And back from half the sum of their squares to all parameters.
    ForwardBackward,
    /// A training step of prototypical networks.
    Prototypes,
    /// A training step of exact MAML.
    Maml,
    /// A training step with the implicit head.
    Implicit,
}

/// Measures every row on a device of its own; `emit` hears of each as soon as it is measured.
///
/// # Errors
/// When a row cannot be built or the device fails.
pub async fn bench_rows(
    list: &RowList,
    adapter: Option<String>,
    emit: &mut dyn FnMut(Measurement),
) -> Result<(), SessionError> {
    for row in &list.rows {
        emit(measure(list, row, adapter.clone()).await?);
    }
    Ok(())
}

async fn measure(list: &RowList, row: &Row, adapter: Option<String>) -> Result<Measurement, SessionError> {
    let mut work = Work::new(list, row, adapter).await?;
    // The first run compiles the kernels. It stands for the others where none is asked for, and where
    // it takes all their time.
    let first = work.timed().await?;
    let mut millis = Vec::new();
    if list.repeats == 0 || first > 1e3 * list.seconds {
        millis.push(first);
    } else {
        let all = Stopwatch::start();
        while millis.is_empty() || (millis.len() < list.repeats as usize && all.seconds() < list.seconds) {
            millis.push(work.timed().await?);
        }
    }
    let gpu = work.gpu();
    let measurement = Measurement {
        peer: "Inkling".to_owned(),
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        device: Some(format!("{} ({})", gpu.adapter().name, gpu.adapter().backend)),
        place: if cfg!(target_arch = "wasm32") { Place::Browser } else { Place::Native },
        row: Some(row.name.clone()),
        peak_bytes: Some(gpu.ledger().peak().total()),
        ..Measurement::default()
    };
    Ok(measurement.with_times(millis))
}

/// What is run again and again.
enum Work {
    Pass(Passes),
    Step(Trial),
}

impl RowList {
    /// Name and title of each row.
    pub fn titles(&self) -> Vec<(String, String)> {
        self.rows.iter().map(|row| (row.name.clone(), row.title.clone())).collect()
    }
}

impl Work {
    async fn new(list: &RowList, row: &Row, adapter: Option<String>) -> Result<Self, SessionError> {
        let backward = row.pass == RowPass::ForwardBackward;
        if !backward && row.pass != RowPass::Forward {
            let config = config(list, row)?;
            return Ok(Self::Step(Trial::new(&config, row.tasks, &Site::on(adapter)).await?));
        }
        let model =
            ModelConfig { channels: row.channels, norm: row.norm, groups: list.groups, ..ModelConfig::default() };
        let [in_channels, image_size] = row.image;
        let bench = NetworkBench { model, image_size, batch: row.batch, in_channels, repeats: list.repeats };
        Ok(Self::Pass(Passes::new(&bench, adapter, backward, false).await?))
    }

    /// Milliseconds of one run.
    async fn timed(&mut self) -> Result<f64, SessionError> {
        let clock = Stopwatch::start();
        match self {
            Self::Pass(passes) => passes.run().await?,
            Self::Step(trial) => trial.step().await?,
        }
        Ok(1e3 * clock.seconds())
    }

    fn gpu(&self) -> &Gpu {
        match self {
            Self::Pass(passes) => passes.gpu(),
            Self::Step(trial) => trial.gpu(),
        }
    }
}

/// The configuration of a row's step. What its images show does not matter for its time.
fn config(list: &RowList, row: &Row) -> Result<RunConfig, SessionError> {
    let mut layers = Layers::new();
    let mut set = |key: &str, value: Value| layers.set(&row.name, key, value);
    let word = |text: &str| Value::String(text.to_owned());
    let number = |number: u32| Value::Integer(number.into());
    let [in_channels, image_size] = row.image;
    set("data.spec", word(if in_channels == 1 { "glyphs" } else { "scenes" }));
    set("data.image_size", number(image_size));
    set("task.ways", number(row.ways));
    set("task.shots", number(row.shots));
    set("task.queries", number(row.queries));
    set("model.channels", number(row.channels));
    set("model.norm", word(if row.norm == NormKind::Batch { "batch" } else { "group" }));
    set("model.groups", number(list.groups));
    set("gradient.estimator", word(if row.h.is_some() { "lite" } else { "full" }));
    set("gradient.h", number(row.h.unwrap_or(1)));
    set("gradient.chunk", number(row.ways * row.shots));
    set("gradient.query_batch", number(0));
    let section = match row.pass {
        RowPass::Maml => "learner",
        _ => "head",
    };
    let kind = match row.pass {
        RowPass::Maml => "maml",
        RowPass::Implicit => "implicit",
        _ => "prototypes",
    };
    set(&format!("{section}.kind"), word(kind));
    if kind != "prototypes" {
        set(&format!("{section}.inner_steps"), number(row.inner_steps));
        set(&format!("{section}.inner_lr"), Value::Float(row.inner_lr));
    }
    if kind == "implicit" {
        set("head.ridge", Value::Float(row.ridge));
        set("head.cg_steps", number(row.cg_steps));
        // All iterations, as the others do them.
        set("head.cg_tolerance", Value::Float(0.0));
    }
    layers.run_config().map_err(|error| SessionError::Setting(error.to_string()))
}
