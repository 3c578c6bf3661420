//! `inkling eval`.

use std::path::{Path, PathBuf};

use inkling_session::checkpoint::Checkpoint;
use inkling_session::config::{EstimatorKind, Layers, NormKind, RunConfig};
use inkling_session::error::RunError;
use inkling_session::events::Evaluation;
use inkling_session::model_card::{CardResult, ModelCard};
use inkling_session::run::{Site, evaluate, initial_weights};
use inkling_session::run_folder::RunFolder;
use inkling_session::tensor_file::TensorFile;
use serde_json::json;

use super::{assign, resolve, set_budget, set_episode, set_strict};
use crate::args::EvalArgs;
use crate::failure::Failure;
use crate::output::Output;
use crate::printer::{Printer, evaluation_text};

pub fn run(args: &EvalArgs, adapter: Option<String>, output: Output) -> Result<(), Failure> {
    let Learned { mut layers, weights, name, path } = match (&args.run, &args.model) {
        (Some(run), _) => of_run(run, output)?,
        (None, Some(model)) => of_model(model)?,
        (None, None) => return Err(Failure::Usage("give --run DIR or --model FILE".to_owned())),
    };
    if let Some(spec) = &args.data {
        layers.set("--data", "data.spec", toml::Value::String(spec.clone()));
    }
    set_strict(&mut layers, args.strict);
    set_episode(&mut layers, &args.episode, args.episodes)?;
    set_budget(&mut layers, args.memory_budget);
    assign(&mut layers, &args.overrides)?;
    let config = resolve(&layers, output)?;
    let mut printer = Printer::new(output);
    let (weights, name) =
        if args.untrained { (initial_weights(&config)?, "untrained".to_owned()) } else { (weights, name) };
    let result = pollster::block_on(evaluate(&config, &weights, &Site::on(adapter), &mut |event| printer.show(&event)));
    printer.close();
    let evaluation = result.map_err(Failure::with_weights(&path))?.evaluation();
    print(&config, &name, &evaluation, output);
    match &args.save {
        Some(file) => save(weights, &path, &config, &evaluation, file),
        None => Ok(()),
    }
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

fn of_run(run: &Path, output: Output) -> Result<Learned, Failure> {
    let layers = RunFolder::read_layers(run)?;
    let (Checkpoint { weights, state, .. }, warnings) = RunFolder::newest_checkpoint(run)?;
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
    weights.learner_card().ok_or_else(|| RunError::Corrupt {
        path: path.to_owned(),
        reason:
            "it carries no model card, so its network is unknown; use weights.safetensors of a checkpoint of Inkling"
                .to_owned(),
    })
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
