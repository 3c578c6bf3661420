//! From a request to a run at its first step: data, device, plan, learner and files.

use std::sync::Arc;

use inkling_data::{Dataset, ImageShape, Normalization, Split};
use inkling_gpu::Gpu;
use inkling_meta::{Learner, Model};
use inkling_platform::unix_seconds;

use super::SessionError;
use super::evaluate::validation;
use super::live::Pace;
use super::memory::{Planner, by_category, choose_passes, run_limits, smaller_plan};
use super::model::{
    from_file, initial, learner_config, normalization, open_data, open_gpu, run_model, training_purpose,
};
use super::supply::{FeatureCache, Supply};
use super::tasks::{SkipReport, TaskSource, augmentation, evaluation_spec, training_spec};
use super::train::Run;
use crate::checkpoint::{Checkpoint, CheckpointState, RandomState};
use crate::config::{ConfigError, ModelConfig, RunConfig};
use crate::error::RunError;
use crate::events::{Event, SmallerPlan};
use crate::model_card::ModelCard;
use crate::run_folder::{Outlook, ResumedRun, RunFolder};
use crate::session::{Passes, RunRequest, Target};
use crate::tensor_file::{Tensor, TensorFile};

/// What a run needs before anything is allocated for it.
pub(super) struct Setup {
    /// The configuration of the run's beginning; what has changed since is in its folder.
    first: RunConfig,
    /// The configuration that holds at the step where the run goes on.
    config: RunConfig,
    target: Target,
    sources: Sources,
    gpu: Gpu,
    /// Whether the device is the run's own, and with it all bytes in its ledger.
    owns_gpu: bool,
    model: Model,
    /// Passes that the run goes on with from here on.
    passes: Option<Passes>,
    /// Weights to begin with, where they are at hand.
    weights: Option<Arc<TensorFile>>,
}

/// Where the tasks of a run come from.
pub(super) struct Sources {
    pub(super) training: TaskSource,
    pub(super) validation: TaskSource,
}

impl Sources {
    fn new(config: &RunConfig, dataset: Arc<dyn Dataset>, normalization: Normalization) -> Result<Self, SessionError> {
        let training = TaskSource {
            dataset,
            normalization: normalization.into(),
            split: Split::Train,
            spec: training_spec(&config.task),
            augmentation: augmentation(&config.data.augmentation)?,
            seed: config.training.seed,
            list: config.training.task_list(),
        };
        let fixed = validation(config);
        let validation = TaskSource {
            split: Split::Validation,
            spec: evaluation_spec(&fixed),
            augmentation: None,
            seed: fixed.seed,
            list: None,
            ..training.clone()
        };
        training.check()?;
        if config.training.validates() {
            validation.check()?;
        }
        Ok(Self { training, validation })
    }

    fn shape(&self) -> ImageShape {
        self.training.dataset.image_shape()
    }
}

impl Setup {
    /// Opens data and device; a plan above the budget is refused.
    pub(super) async fn new(
        request: RunRequest,
        outlook: Outlook,
        emit: &mut dyn FnMut(Event),
    ) -> Result<Self, SessionError> {
        let RunRequest { config: mut first, target, dataset, weights, adapter, gpu, mut passes } = request;
        let problems = first.problems();
        if !problems.is_empty() {
            return Err(RunError::from(ConfigError::Invalid(problems)).into());
        }
        let (step, mut changes) = (outlook.step(), outlook.changes);
        match (&target, passes) {
            (Target::Resume(_) | Target::ResumeArchive(_), Some(passes)) => changes.add_passes(step, passes),
            // Nothing has happened yet that a new run would have to be honest about.
            (Target::New(_) | Target::Memory, Some(smaller)) => {
                smaller.put(&mut first.gradient);
                passes = None;
            }
            (_, None) => {}
        }
        let mut config = changes.config_after(&first, step).map_err(RunError::from)?;
        let dataset = match dataset {
            Some(dataset) => dataset,
            None => open_data(&first)?,
        };
        let statistics = normalization(&first, dataset.as_ref())?;
        let sources = Sources::new(&first, dataset, statistics)?;
        let owns_gpu = gpu.is_none();
        let gpu = match gpu {
            Some(gpu) => gpu,
            None => open_gpu(adapter, false).await?,
        };
        for config in [&mut first, &mut config] {
            choose_passes(config, sources.shape(), gpu.tier())?;
        }
        let model = run_model(&config, learner_config(&config, sources.shape())?, gpu.tier())?;
        let setup = Self { first, config, target, sources, gpu, owns_gpu, model, passes, weights };
        let planned = setup.planner().check(setup.config.memory.budget)?;
        emit(Event::Planned { bytes: planned.total(), by_category: by_category(&planned) });
        Ok(setup)
    }

    fn planner(&self) -> Planner<'_> {
        let (limits, purpose) = (run_limits(&self.config), training_purpose(&self.config.training));
        Planner { model: &self.model, tier: self.gpu.tier(), limits, purpose }
    }

    /// The passes to go on with when the device has no room for these.
    pub(super) fn smaller(&self) -> Option<SmallerPlan> {
        let smaller = smaller_plan(&self.planner())?;
        let mut config = self.config.clone();
        smaller.passes.put(&mut config.gradient);
        config.problems().is_empty().then_some(smaller)
    }

    /// Allocates the learner, and opens the files when that has worked.
    pub(super) async fn begin(self, emit: &mut dyn FnMut(Event)) -> Result<Run, SessionError> {
        let planner = self.planner();
        let (limits, purpose, planned) = (planner.limits, planner.purpose, planner.bytes()?.total());
        let card = self.card();
        if self.model.layout().elements() == 0 {
            return Err(SessionError::Setting(
                "nothing would be trained: the backbone is frozen (model.trained = \"nothing\") and the head has no \
                 parameters; set model.trained = \"norms\", or evaluate the weights as they are (inkling eval --model)"
                    .to_owned(),
            ));
        }
        // A run that goes on has its weights in its checkpoint; where they came from may be gone.
        let first_weights = match self.target {
            Target::New(_) | Target::Memory => Some(initial(&self.model, &self.first, self.weights.as_deref())?),
            Target::Resume(_) | Target::ResumeArchive(_) => None,
        };
        let mut learner = Learner::new(&self.gpu, self.model, limits, purpose)?;
        let now = unix_seconds();
        let (mut folder, checkpoint) = match &self.target {
            Target::New(path) => (RunFolder::create(path, &self.first, now)?, None),
            Target::Memory => (RunFolder::in_memory(&self.first, now)?, None),
            Target::Resume(path) => opened(RunFolder::resume(path, &self.first, now)?, emit),
            Target::ResumeArchive(bytes) => opened(RunFolder::resume_archive(bytes, &self.first, now)?, emit),
        };
        let saved = checkpoint.as_ref().map(|found| found.state.step);
        if let Some(passes) = self.passes {
            folder.log_passes(saved.unwrap_or(0), passes)?;
        }
        let state = match checkpoint {
            Some(checkpoint) => {
                restore(&mut learner, &checkpoint).await?;
                checkpoint.state
            }
            None => {
                let weights = match first_weights {
                    Some(weights) => weights,
                    None => initial(learner.model(), &self.first, self.weights.as_deref())?,
                };
                learner.set_weights(&weights).await?;
                CheckpointState {
                    random: RandomState { seed: self.first.training.seed, counters: Default::default() },
                    fingerprint: self.first.fingerprint().map_err(RunError::from)?,
                    ..CheckpointState::default()
                }
            }
        };
        learner.clear_gradient();
        learner.set_backbone_factor(self.first.training.backbone_factor as f32);
        let features = learner.model().is_over_features().then(|| FeatureCache::new(self.first.data.feature_cache));
        Ok(Run {
            supply: Supply::new(&self.sources.training, state.episodes, features),
            first: self.first,
            config: self.config,
            gpu: self.gpu,
            owns_gpu: self.owns_gpu,
            learner,
            folder,
            card,
            sources: self.sources,
            state,
            planned,
            saved,
            pace: Pace::default(),
            skips: SkipReport::default(),
        })
    }

    fn card(&self) -> ModelCard {
        let normalization = &self.sources.training.normalization;
        ModelCard::new(
            ModelConfig { weights: None, ..self.config.model.clone() },
            (self.config.head.clone(), self.config.learner.clone()),
            (self.sources.shape(), self.config.center_crop()),
            normalization.mean.clone(),
            normalization.std.clone(),
            self.config.data.spec.clone(),
            0,
        )
    }
}

/// The parts of a run that goes on; its warnings are said.
fn opened(resumed: ResumedRun, emit: &mut dyn FnMut(Event)) -> (RunFolder, Option<Checkpoint>) {
    resumed.warnings.into_iter().for_each(|warning| emit(Event::warning(warning)));
    (resumed.folder, resumed.checkpoint)
}

/// Puts a checkpoint's weights and moments on the device.
async fn restore(learner: &mut Learner, checkpoint: &Checkpoint) -> Result<(), SessionError> {
    let weights = from_file(&checkpoint.weights, learner.model())?;
    learner.set_weights(&weights).await?;
    let mut moments = Vec::new();
    for name in learner.moment_names() {
        let prefix = format!("{name}.");
        let mut moment = inkling_nn::Weights::default();
        for (parameter, tensor) in &checkpoint.optimizer.tensors {
            if let (Some(parameter), Some(values)) = (parameter.strip_prefix(&prefix), tensor.as_f32()) {
                moment.insert(parameter, tensor.shape().to_vec(), values.to_vec());
            }
        }
        moments.push(moment);
    }
    learner.set_moments(&moments).await?;
    let tensors = &checkpoint.optimizer.tensors;
    let kept = |(name, _): &(&'static str, Vec<f32>)| tensors.get(*name).and_then(Tensor::as_f32).map(<[f32]>::to_vec);
    let warm: Vec<Vec<f32>> = learner.warm_starts().await?.iter().filter_map(kept).collect();
    Ok(learner.set_warm_starts(&warm).await?)
}
