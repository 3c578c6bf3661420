//! A learner with a few prepared training tasks, for outer steps that are measured.

use inkling_data::{Numbers, Split};
use inkling_gpu::{Gpu, Recorder};
use inkling_meta::{Learner, Model, Purpose};

use super::SessionError;
use super::memory::{Planner, choose_passes};
use super::model::{initial, learner_config, normalization, training_limits, training_purpose};
use super::site::Site;
use super::tasks::{PreparedTask, TaskSource, training_spec};
use crate::config::RunConfig;

/// A learner with prepared tasks on a device of its own.
pub(super) struct Trial {
    gpu: Gpu,
    learner: Learner,
    tasks: Vec<PreparedTask>,
    learning_rate: f32,
    purpose: Purpose,
    steps: u64,
    /// Bytes that the plan lists.
    pub(super) planned_bytes: u64,
}

impl Trial {
    /// The configuration with `tasks` tasks in every step, side by side.
    pub(super) async fn new(config: &RunConfig, tasks: u32, site: &Site) -> Result<Self, SessionError> {
        let mut config = with_tasks(config, tasks);
        let dataset = site.data(&config)?;
        let normalization = normalization(&config, dataset.as_ref())?.into();
        let shape = dataset.image_shape();
        let source = TaskSource {
            dataset,
            normalization,
            split: Split::Train,
            spec: training_spec(&config.task),
            augmentation: None,
            seed: config.training.seed,
            list: None,
        };
        source.check()?;
        let gpu = site.gpu().await?;
        choose_passes(&mut config, shape, gpu.tier())?;
        let model = Model::new(learner_config(&config, shape)?, gpu.tier())?;
        let (limits, purpose) = (training_limits(&config.task, &config.training), training_purpose(&config.training));
        let planned = Planner { model: &model, tier: gpu.tier(), limits, purpose }.check(config.memory.budget)?;
        let weights = initial(&model, &config, site.weights.as_deref())?;
        let mut learner = Learner::new(&gpu, model, limits, purpose)?;
        learner.set_weights(&weights).await?;
        learner.clear_gradient();
        let tasks = (0..u64::from(tasks)).map(|index| source.prepare(index)).collect::<Result<_, _>>()?;
        let learning_rate = config.training.learning_rate as f32;
        Ok(Self { gpu, learner, tasks, learning_rate, purpose, steps: 0, planned_bytes: planned.total() })
    }

    /// Bytes that the plan of such a trial lists, whatever the budget, and the device's name.
    pub(super) async fn plan(config: &RunConfig, tasks: u32, site: &Site) -> Result<(u64, String), SessionError> {
        let mut config = with_tasks(config, tasks);
        let shape = site.data(&config)?.image_shape();
        let gpu = site.gpu().await?;
        let tier = gpu.tier();
        choose_passes(&mut config, shape, tier)?;
        let model = Model::new(learner_config(&config, shape)?, tier)?;
        let (limits, purpose) = (training_limits(&config.task, &config.training), training_purpose(&config.training));
        let bytes = Planner { model: &model, tier, limits, purpose }.bytes()?;
        Ok((bytes.total(), format!("{} ({})", gpu.adapter().name, gpu.adapter().backend)))
    }

    /// One outer step, until its outcomes are read back.
    pub(super) async fn step(&mut self) -> Result<(), SessionError> {
        let tasks: Vec<_> = self.tasks.iter().map(PreparedTask::task).collect();
        for (number, pass) in (0..).zip(tasks.chunks(self.learner.limits().tasks.max(1) as usize)) {
            let draw = |task| Numbers::new(b"subset__", 0, self.steps, number << 32 | task);
            let mut numbers: Vec<_> = (0..pass.len() as u64).map(draw).collect();
            self.learner.accumulate_pass(pass, &mut numbers).await?;
        }
        self.steps += 1;
        self.learner.update(self.steps, self.learning_rate, 0.0).await?;
        Ok(())
    }

    /// Bytes by plan of the learner that keeps its whole unrolled graph, as automatic
    /// differentiation does: the published form of MAML; none for other learners.
    pub(super) fn unrolled_graph_bytes(&self) -> Result<Option<u64>, SessionError> {
        let plan = self.learner.model().unrolled_graph_plan(self.learner.limits(), self.purpose)?;
        Ok(plan.map(|plan| plan.bytes().total() + Recorder::planned_bytes().total()))
    }

    /// The device.
    pub(super) fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// Kernels launched so far.
    pub(super) fn dispatches(&self) -> u64 {
        self.learner.stats().dispatches
    }

    /// The most bytes in use so far.
    pub(super) fn peak_bytes(&self) -> u64 {
        self.gpu.ledger().peak().total()
    }
}

/// The configuration with so many tasks in every step.
fn with_tasks(config: &RunConfig, tasks: u32) -> RunConfig {
    let mut config = config.clone();
    config.training.tasks_per_step = tasks;
    config.training.tasks_per_pass = if config.task.variable { 1 } else { 0 };
    config
}
