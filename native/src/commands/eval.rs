//! `inkling eval`.

use std::path::{Path, PathBuf};

use inkling_session::checkpoint::Checkpoint;
use inkling_session::config::{DataConfig, EstimatorKind, Layers, NormKind, RunConfig};
use inkling_session::error::RunError;
use inkling_session::events::{Evaluation, Event};
use inkling_session::model_card::{CardResult, ModelCard};
use inkling_session::run::{Scores, Site, evaluate, initial_weights};
use inkling_session::run_folder::RunFolder;
use inkling_session::tensor_file::TensorFile;
use serde_json::json;

use super::{assign, resolve, set_budget, set_episode, set_strict};
use crate::args::EvalArgs;
use crate::failure::Failure;
use crate::output::Output;
use crate::printer::{Printer, evaluation_text};

pub fn run(args: &EvalArgs, adapter: Option<String>, output: Output) -> Result<(), Failure> {
    let Learned { layers, mut weights, mut name, path } = match (&args.run, &args.model) {
        (Some(run), _) => of_run(run, args.best, output)?,
        (None, Some(model)) => of_model(model)?,
        (None, None) => return Err(Failure::Usage("give --run DIR or --model FILE".to_owned())),
    };
    let config = configuration(layers, args, output)?;
    if args.untrained {
        (weights, name) = (initial_weights(&config)?, "untrained".to_owned());
    }
    let contender = Contender { config, weights, name, path };
    let opponent = args.against.as_deref().map(|against| opponent(against, &contender, args, output)).transpose()?;
    let scores = contender.score(adapter.clone(), output)?;
    if let Some(opponent) = opponent {
        let others = opponent.score(adapter, output)?;
        print_difference((&contender.name, &scores), (&opponent.name, &others), output);
    }
    match &args.save {
        Some(file) => save(contender.weights, &contender.path, &contender.config, &scores.evaluation(), file),
        None => Ok(()),
    }
}

/// What the arguments make of the configuration of a run or model.
fn configuration(mut layers: Layers, args: &EvalArgs, output: Output) -> Result<RunConfig, Failure> {
    if let Some(spec) = &args.data {
        layers.set("--data", "data.spec", toml::Value::String(spec.clone()));
    }
    set_strict(&mut layers, args.strict);
    set_episode(&mut layers, &args.episode, args.episodes)?;
    set_budget(&mut layers, args.memory_budget);
    assign(&mut layers, &args.overrides)?;
    resolve(&layers, output)
}

/// A learner that is ready to be scored.
struct Contender {
    config: RunConfig,
    weights: TensorFile,
    name: String,
    path: PathBuf,
}

impl Contender {
    /// Scores the fixed episodes, and prints the result.
    fn score(&self, adapter: Option<String>, output: Output) -> Result<Scores, Failure> {
        let mut printer = Printer::new(output);
        let mut show = |event: Event| printer.show(&event);
        let result = pollster::block_on(evaluate(&self.config, &self.weights, &Site::on(adapter), &mut show));
        printer.close();
        let scores = result.map_err(Failure::with_weights(&self.path))?;
        print(&self.config, &self.name, &scores.evaluation(), output);
        Ok(scores)
    }
}

/// The learner to compare with: its own network and head, the same images and episodes.
fn opponent(against: &Path, contender: &Contender, args: &EvalArgs, output: Output) -> Result<Contender, Failure> {
    if against.as_os_str() == "start" && !against.exists() {
        if args.run.is_none() {
            return Err(Failure::Usage(
                "--against start needs --run: a file does not say what it started from".to_owned(),
            ));
        }
        let (config, path) = (contender.config.clone(), contender.path.clone());
        return Ok(Contender { weights: initial_weights(&config)?, name: "start".to_owned(), config, path });
    }
    let Learned { layers, weights, name, path } =
        if against.is_dir() { of_run(against, args.best, output)? } else { of_model(against)? };
    let mut config = configuration(layers, args, output)?;
    let own = config.data;
    // What an image is resized to, and how it is normalised, belongs to the learner.
    config.data = DataConfig {
        image_size: own.image_size,
        center_crop: own.center_crop,
        mean: own.mean,
        std: own.std,
        ..contender.config.data.clone()
    };
    config.evaluation = contender.config.evaluation.clone();
    Ok(Contender { config, weights, name, path })
}

/// Writes the weights with the evaluation in their card, as a file to hand on.
fn save(
    mut weights: TensorFile,
    path: &Path,
    config: &RunConfig,
    evaluation: &Evaluation,
    file: &Path,
) -> Result<(), Failure> {
    let mut card = card_of(path, &weights)?;
    let asked = &config.evaluation;
    card.result = Some(CardResult {
        data: config.data.spec.clone(),
        split: asked.split.as_str().to_owned(),
        ways: asked.ways,
        shots: asked.shots,
        episodes: evaluation.episodes,
        accuracy: evaluation.accuracy,
        interval: evaluation.interval,
    });
    weights.card = Some(card);
    Ok(weights.write(file)?)
}

/// What is evaluated.
struct Learned {
    layers: Layers,
    weights: TensorFile,
    /// What a reader of the result calls it.
    name: String,
    path: PathBuf,
}

fn of_run(run: &Path, best: bool, output: Output) -> Result<Learned, Failure> {
    let layers = RunFolder::read_layers(run)?;
    let found = if best { RunFolder::best_checkpoint(run)? } else { RunFolder::newest_checkpoint(run)? };
    let (Checkpoint { weights, state, .. }, warnings) = found;
    for warning in warnings {
        output.warning(&warning);
    }
    let path = run.to_owned();
    Ok(Learned { layers, weights, name: format!("{}, step {}", run.display(), state.step), path })
}

/// A model's own card stands in for the configuration of its run.
fn of_model(path: &Path) -> Result<Learned, Failure> {
    let weights = TensorFile::read(path)?;
    let card = card_of(path, &weights)?;
    let (model, head, learner) = (card.model.clone(), card.head.clone(), card.learner.clone());
    let mut config = RunConfig { model, head, learner, ..RunConfig::default() };
    if config.learner.is_some() {
        config.gradient.estimator = EstimatorKind::Full;
    }
    let mut layers = Layers::new();
    layers.text(&path.display().to_string(), &config.to_toml()?)?;
    layers.set("the model card", "data.spec", toml::Value::String(card.trained_on.clone()));
    let [_, height, _] = card.image_shape;
    layers.set("the model card", "data.image_size", toml::Value::Integer(height.into()));
    layers.set("the model card", "data.center_crop", toml::Value::Float(card.center_crop.into()));
    Ok(Learned { layers, name: path.display().to_string(), path: path.to_owned(), weights })
}

/// The model card of a file of weights.
pub(super) fn card_of(path: &Path, weights: &TensorFile) -> Result<ModelCard, RunError> {
    weights.learner_card().ok_or_else(|| no_card(path))
}

/// Why weights of an unknown network cannot be used.
pub(super) fn no_card(path: &Path) -> RunError {
    RunError::corrupt(
        path,
        "it carries no model card, so its network is unknown; use weights.safetensors of a checkpoint of Inkling",
    )
}

/// The mean of the differences from episode to episode, of learners on the same episodes.
fn print_difference((name, scores): (&str, &Scores), (other, others): (&str, &Scores), output: Output) {
    let (difference, interval) = scores.minus(others);
    let episodes = scores.accuracies.len();
    let value = json!({
        "event": "comparison",
        "weights": name,
        "against": other,
        "episodes": episodes,
        "difference": difference,
        "interval": interval,
    });
    let text = format!(
        "{name} minus {other}: {:+.2} ± {:.2} percentage points (the same {episodes} episodes, paired, 95 %)",
        100.0 * difference,
        100.0 * interval
    );
    output.result(&value, &text);
}

fn print(config: &RunConfig, name: &str, evaluation: &Evaluation, output: Output) {
    let asked = &config.evaluation;
    // Queries that share their statistics know of each other.
    let transductive = config.model.norm == NormKind::Batch;
    let value = json!({
        "event": "evaluation",
        "weights": name,
        "transductive": transductive,
        "data": config.data.spec,
        "split": asked.split.as_str(),
        "ways": asked.ways,
        "shots": asked.shots,
        "queries": asked.queries,
        "seed": asked.seed,
        "episodes": evaluation.episodes,
        "accuracy": evaluation.accuracy,
        "interval": evaluation.interval,
        "loss": evaluation.loss,
    });
    let text = format!(
        "{name} on {} ({} classes), {}-way {}-shot: {}{}",
        config.data.spec,
        asked.split.as_str(),
        asked.ways,
        asked.shots,
        evaluation_text(evaluation),
        if transductive { ", transductive" } else { "" }
    );
    output.result(&value, &text);
}
