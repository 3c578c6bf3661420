//! The rules that the values of a configuration must keep, each message with its key and the
//! remedy; and the warnings about what is allowed but seldom meant.

use super::{
    Algorithm, AugmentationConfig, BackboneKind, EstimatorKind, EvaluationConfig, GradientConfig, HeadConfig,
    LearnerConfig, ModelConfig, NormKind, Problem, RunConfig, Schedule, StartKind, TaskConfig, TrainedKind,
    TrainingConfig, head, learner,
};
use crate::units::{ByteSize, TimeSpan};

/// Larger counts of images per pass, classes or channels are slips, not settings: the dispatches
/// and buffers behind them leave the range that every adapter grants.
const MOST_IMAGES_PER_PASS: u32 = 65_536;
const MOST_CHANNELS: u32 = 4_096;
const MOST_WAYS: u32 = 4_096;
const MOST_PIXELS_PER_SIDE: u32 = 4_096;
/// TOML's integers are signed.
const LARGEST_INTEGER: u64 = i64::MAX as u64;

/// Four max-pools halve the image four times; below this nothing is left.
pub(super) const SMALLEST_CONV4_IMAGE: u32 = 16;

impl Problem {
    pub(super) fn new(key: &str, message: impl Into<String>) -> Self {
        Self { place: None, key: key.to_owned(), message: message.into() }
    }
}

/// Collects problems.
#[derive(Default)]
pub(super) struct Checks(Vec<Problem>);

impl Checks {
    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.0
    }

    pub(super) fn fail(&mut self, key: &str, message: impl AsRef<str>) {
        self.0.push(Problem::new(key, format!("{key} {}", message.as_ref())));
    }

    pub(super) fn push(&mut self, problem: Option<Problem>) {
        self.0.extend(problem);
    }

    pub(super) fn count(&mut self, key: &str, value: u64, least: u64, most: u64) {
        if value < least {
            self.fail(key, format!("is {value}; it must be at least {least}"));
        } else if value > most {
            self.fail(key, format!("is {value}; it must be at most {most}"));
        }
    }

    /// Not NaN, not infinite, and inside the range.
    fn number(&mut self, key: &str, value: f64, allowed: &str, inside: impl Fn(f64) -> bool) {
        if !value.is_finite() || !inside(value) {
            self.fail(key, format!("is {value}; it must be {allowed}"));
        }
    }

    pub(super) fn positive(&mut self, key: &str, value: f64) {
        self.number(key, value, "a finite number above zero", |v| v > 0.0);
    }

    pub(super) fn not_negative(&mut self, key: &str, value: f64) {
        self.number(key, value, "a finite number, zero or above", |v| v >= 0.0);
    }

    fn fraction(&mut self, key: &str, value: f64) {
        self.number(key, value, "at least 0 and below 1", |v| (0.0..1.0).contains(&v));
    }

    pub(super) fn model(&mut self, model: &ModelConfig) {
        if let Some(rate) = model.drop_rate {
            self.fraction("model.drop_rate", rate.into());
            if rate > 0.0 && !model.backbone.has_drops() {
                self.fail("model.drop_rate", "belongs to resnet-12 and efficientnet-b0; leave it out");
            }
        }
        self.stages(model);
        self.count("model.channels", model.channels.into(), 1, MOST_CHANNELS.into());
        if model.norm == NormKind::Group {
            self.count("model.groups", model.groups.into(), 1, MOST_CHANNELS.into());
            // ResNet-12 has 64, 160, 320 and 640 channels; the norms of others have no groups.
            let (divided, channels) = match model.backbone {
                BackboneKind::Conv4 => ("model.channels =", model.channels),
                BackboneKind::Resnet12 => ("the blocks' channels, multiples of", 32),
                _ => ("", 0),
            };
            if model.groups > 0 && !channels.is_multiple_of(model.groups) {
                let groups = model.groups;
                let message = format!("is {groups}, which does not divide {divided} {channels}; choose a divisor");
                self.fail("model.groups", message);
            }
        }
        model.film.check(self);
    }

    fn stages(&mut self, model: &ModelConfig) {
        let Some(stages) = model.stages else { return };
        let (name, all) = (model.backbone.words(), model.backbone.stages());
        // Only EfficientNets have something to train behind their stages: a last convolution.
        let least =
            u32::from(!matches!(model.backbone, BackboneKind::EfficientnetLite0 | BackboneKind::EfficientnetB0));
        if !(least..=all).contains(&stages) {
            self.fail("model.stages", format!("is {stages}; {name} takes {least} to {all}"));
        } else if matches!(model.trained(), TrainedKind::Nothing | TrainedKind::Film) {
            self.fail(
                "model.stages",
                format!("is {stages}, but no stage of {name} is trained; set model.trained = \"norms\" or \"all\""),
            );
        }
    }

    pub(super) fn image_size(&mut self, key: &str, size: u32) {
        self.count(key, size.into(), SMALLEST_CONV4_IMAGE.into(), MOST_PIXELS_PER_SIDE.into());
    }

    pub(super) fn batch_norm_estimator(&mut self, norm: NormKind, estimator: EstimatorKind) {
        if norm != NormKind::Batch {
            return;
        }
        let name = match estimator {
            EstimatorKind::Chunked => "chunked",
            EstimatorKind::Lite => "lite",
            EstimatorKind::Full | EstimatorKind::Subsampled => return,
        };
        self.fail(
            "model.norm",
            format!(
                "is \"batch\", which gradient.estimator = \"{name}\" cannot use: batch statistics couple the images of a pass, \
                 so the gradient is no sum over images and cannot be taken in pieces; \
                 use model.norm = \"group\", or gradient.estimator = \"full\""
            ),
        );
    }

    /// `ways` classes, and N support images at most where that is known.
    pub(super) fn gradient(&mut self, gradient: &GradientConfig, ways: Option<u32>, support: Option<u64>) {
        let most = MOST_IMAGES_PER_PASS.into();
        self.count("gradient.chunk", gradient.chunk.into(), 0, most);
        self.count("gradient.query_batch", gradient.query_batch.into(), 0, most);
        let uses_h = matches!(gradient.estimator, EstimatorKind::Lite | EstimatorKind::Subsampled);
        if !uses_h {
            return;
        }
        self.count("gradient.h", gradient.h.into(), 0, u32::MAX.into());
        if let Some(support) = support.filter(|n| *n > 0 && u64::from(gradient.h) > *n) {
            self.fail(
                "gradient.h",
                format!(
                    "is {}, but an episode has only {support} support images; \
                     choose gradient.h of at most {support}, or gradient.estimator = \"full\"",
                    gradient.h
                ),
            );
        }
        let least = ways.unwrap_or(1);
        if gradient.estimator == EstimatorKind::Subsampled && gradient.h < least {
            self.fail(
                "gradient.h",
                format!(
                    "is {}, but \"subsampled\" keeps at least one support image of each of the {least} classes; \
                     choose gradient.h of at least {least}",
                    gradient.h
                ),
            );
        }
    }

    fn task(&mut self, task: &TaskConfig) {
        self.count("task.queries", task.queries.into(), 1, MOST_IMAGES_PER_PASS.into());
        if task.variable {
            self.count("task.max_ways", task.max_ways.into(), 2, MOST_WAYS.into());
            self.count("task.max_support", task.max_support.into(), task.max_ways.into(), u32::MAX.into());
        } else {
            self.count("task.ways", task.ways.into(), 2, MOST_WAYS.into());
            self.count("task.shots", task.shots.into(), 1, MOST_IMAGES_PER_PASS.into());
        }
    }

    fn evaluation(&mut self, evaluation: &EvaluationConfig) {
        let most = MOST_IMAGES_PER_PASS.into();
        self.count("evaluation.ways", evaluation.ways.into(), 2, MOST_WAYS.into());
        self.count("evaluation.shots", evaluation.shots.into(), 1, most);
        self.count("evaluation.queries", evaluation.queries.into(), 1, most);
        // One episode has no confidence interval.
        self.count("evaluation.episodes", evaluation.episodes.into(), 2, u32::MAX.into());
        self.count("evaluation.seed", evaluation.seed, 0, LARGEST_INTEGER);
    }

    fn training(&mut self, training: &TrainingConfig) {
        self.count("training.steps", training.steps, 1, LARGEST_INTEGER);
        self.count("training.tasks_per_step", training.tasks_per_step.into(), 1, u32::MAX.into());
        if training.tasks_per_pass > training.tasks_per_step.max(1) {
            self.fail(
                "training.tasks_per_pass",
                format!(
                    "is {}, more than the {} of training.tasks_per_step; use 0 for all of a step",
                    training.tasks_per_pass, training.tasks_per_step
                ),
            );
        }
        self.positive("training.learning_rate", training.learning_rate);
        self.not_negative("training.backbone_factor", training.backbone_factor);
        self.fraction("training.momentum", training.momentum);
        self.fraction("training.beta1", training.beta1);
        self.fraction("training.beta2", training.beta2);
        self.positive("training.epsilon", training.epsilon);
        self.not_negative("training.weight_decay", training.weight_decay);
        self.not_negative("training.clip_norm", training.clip_norm);
        if training.schedule == Schedule::Step {
            self.count("training.schedule_every", training.schedule_every, 1, LARGEST_INTEGER);
        }
        self.positive("training.schedule_factor", training.schedule_factor);
        self.count("training.warmup_steps", training.warmup_steps, 0, LARGEST_INTEGER);
        self.count("training.seed", training.seed, 0, LARGEST_INTEGER);
        self.count("training.validate_every", training.validate_every, 0, LARGEST_INTEGER);
        if training.validate_every > 0 {
            self.count("training.validation_episodes", training.validation_episodes.into(), 2, u32::MAX.into());
        }
        self.count("training.checkpoint_every", training.checkpoint_every, 0, LARGEST_INTEGER);
        self.count("training.keep_checkpoints", training.keep_checkpoints.into(), 1, u32::MAX.into());
        if training.time_limit.is_some_and(|limit| limit.0.is_zero()) {
            self.fail("training.time_limit", "is zero; leave it out for no limit");
        }
    }
}

impl RunConfig {
    /// A configuration in which every optional key is set: the source of the known keys.
    pub(super) fn complete() -> Self {
        let mut config = Self::default();
        config.data.image_size = Some(28);
        config.data.center_crop = Some(1.0);
        config.data.split_file = Some("splits.toml".into());
        config.data.split_counts = Some([25, 6, 10]);
        config.data.mean = Some(vec![0.0]);
        config.data.std = Some(vec![1.0]);
        config.model.trained = Some(TrainedKind::All);
        config.model.film.blocks = 4;
        config.model.backbone = BackboneKind::Resnet12;
        config.model.drop_rate = Some(0.1);
        config.model.stages = Some(2);
        config.model.weights = Some("weights.safetensors".to_owned());
        config.head = HeadConfig::complete();
        config.learner = Some(LearnerConfig::complete());
        config.gradient.estimator = EstimatorKind::Chunked;
        config.training.time_limit = Some(TimeSpan(std::time::Duration::from_secs(60)));
        config.memory.budget = Some(ByteSize(1));
        config
    }

    /// Everything that is wrong with the values; empty when the configuration can be run.
    pub fn problems(&self) -> Vec<Problem> {
        let mut checks = Checks::default();
        checks.data(self);
        checks.task(&self.task);
        checks.model(&self.model);
        checks.features(self);
        head::check(&mut checks, &self.head);
        if let Some(learner) = &self.learner {
            learner.check(&mut checks);
            checks.push(learner::estimator_problem(learner, &self.gradient));
        }
        let ways = self.task.most_ways();
        // Variable episodes may be smaller than H: those are exact, and right to be.
        let support = (!self.task.variable).then(|| self.task.max_support_images());
        checks.gradient(&self.gradient, Some(ways), support);
        checks.batch_norm_estimator(self.model.norm, self.gradient.estimator);
        checks.batch_norm_pieces(self);
        checks.training(&self.training);
        if self.task.variable && self.training.tasks_per_pass != 1 {
            checks.fail("training.tasks_per_pass", "must be 1 with task.variable: tasks of one pass are of one size");
        }
        checks.algorithm(self);
        checks.evaluation(&self.evaluation);
        if self.memory.budget == Some(ByteSize(0)) {
            checks.fail("memory.budget", "is zero; leave it out for no limit");
        }
        checks.into_problems()
    }

    /// What is allowed, but probably not meant.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.gradient.estimator == EstimatorKind::Lite && self.gradient.h == 0 {
            warnings.push(
                "gradient.h = 0: no gradient flows through the support images, only through the queries".to_owned(),
            );
        }
        if self.model.norm == NormKind::Batch {
            warnings.push(
                "model.norm = \"batch\": queries share their statistics, so accuracies are transductive".to_owned(),
            );
        }
        if self.training.warmup_steps >= self.training.steps && self.training.warmup_steps > 0 {
            warnings.push(format!(
                "training.warmup_steps = {} covers all {} steps: the learning rate never reaches training.learning_rate",
                self.training.warmup_steps, self.training.steps
            ));
        }
        warnings
    }
}

impl Checks {
    fn data(&mut self, config: &RunConfig) {
        let data = &config.data;
        if data.spec.trim().is_empty() {
            self.fail("data.spec", "is empty; name a data set such as \"glyphs\" or \"folder:PATH\"");
        }
        if let Some(size) = data.image_size {
            self.image_size("data.image_size", size);
        }
        if let Some(share) = data.center_crop {
            self.number("data.center_crop", share.into(), "above 0 and at most 1", |v| v > 0.0 && v <= 1.0);
        }
        self.count("data.seed", data.seed, 0, LARGEST_INTEGER);
        if data.cache.0 > LARGEST_INTEGER {
            self.fail("data.cache", "is larger than any memory");
        }
        for mean in data.mean.iter().flatten() {
            self.number("data.mean", (*mean).into(), "a finite number", |_| true);
        }
        for std in data.std.iter().flatten() {
            self.positive("data.std", (*std).into());
        }
        if data.mean.is_some() != data.std.is_some() {
            let (key, other) = if data.mean.is_some() { ("data.mean", "data.std") } else { ("data.std", "data.mean") };
            self.fail(key, format!("stands alone; give {other} too, one value per channel each"));
        } else if let (Some(mean), Some(std)) = (&data.mean, &data.std)
            && (mean.len() != std.len() || mean.is_empty())
        {
            self.fail(
                "data.mean",
                format!("has {} values and data.std {}; give one per channel each", mean.len(), std.len()),
            );
        }
        let augmentation = &data.augmentation;
        self.count(
            "data.augmentation.crop_padding",
            augmentation.crop_padding.into(),
            0,
            data.image_size.unwrap_or(MOST_PIXELS_PER_SIDE).into(),
        );
        self.number("data.augmentation.rotation_degrees", augmentation.rotation_degrees.into(), "from 0 to 180", |v| {
            (0.0..=180.0).contains(&v)
        });
        self.fraction("data.augmentation.scale", augmentation.scale.into());
    }

    /// Feature maps of frozen stages are those of images as they are.
    fn features(&mut self, config: &RunConfig) {
        let (given, none) = (&config.data.augmentation, AugmentationConfig::default());
        let changes = [
            ("data.augmentation.crop_padding", given.crop_padding != none.crop_padding),
            ("data.augmentation.flip", given.flip != none.flip),
            ("data.augmentation.rotation_degrees", given.rotation_degrees != none.rotation_degrees),
            ("data.augmentation.scale", given.scale != none.scale),
        ];
        let keeps = config.keeps_features();
        for (key, _) in changes.into_iter().filter(|(_, is_changed)| keeps && *is_changed) {
            self.fail(
                key,
                "changes images, but with model.stages the frozen stages see each image once; leave the augmentation \
                 out, or keep no feature maps (data.feature_cache = \"0\")",
            );
        }
    }

    /// What goes with a finite list of tasks, and what needs one.
    fn algorithm(&mut self, config: &RunConfig) {
        let deterministic = config.training.algorithm == Algorithm::Deterministic;
        if !deterministic && config.learner.is_none() && config.head.starts_warm() {
            let key = if config.head.start == Some(StartKind::Warm) { "head.start" } else { "head.solve_start" };
            self.fail(
                key,
                "is \"warm\", but fresh tasks have no last step to start from; \
                 use training.algorithm = \"deterministic\", or leave it out",
            );
        }
        if !deterministic {
            return;
        }
        if matches!(config.gradient.estimator, EstimatorKind::Lite | EstimatorKind::Subsampled) {
            self.fail(
                "gradient.estimator",
                format!(
                    "is \"{}\", which draws images at random; with training.algorithm = \"deterministic\" use \
                     \"chunked\" or \"full\"",
                    config.gradient.estimator.name()
                ),
            );
        }
        if config.task.variable {
            self.fail("task.variable", "draws tasks of any size; a finite list of tasks has tasks of one size");
        }
    }

    /// Batch statistics are those of one pass, so nothing may cut a pass into pieces.
    fn batch_norm_pieces(&mut self, config: &RunConfig) {
        if config.model.norm != NormKind::Batch {
            return;
        }
        let gradient = &config.gradient;
        let queries = config.task.max_query_images();
        if gradient.query_batch != 0 && u64::from(gradient.query_batch) < queries {
            self.fail(
                "gradient.query_batch",
                format!(
                    "is {}, but with model.norm = \"batch\" all {queries} queries of a task must pass together: \
                     their statistics are those of one pass; use gradient.query_batch = 0",
                    gradient.query_batch
                ),
            );
        }
        if gradient.estimator == EstimatorKind::Subsampled && gradient.chunk < gradient.h {
            self.fail(
                "gradient.chunk",
                format!(
                    "is {}, but with model.norm = \"batch\" all gradient.h = {} support images must pass together; \
                     use gradient.chunk = {}",
                    gradient.chunk, gradient.h, gradient.h
                ),
            );
        }
    }
}
