//! `inkling eval`.

use std::path::Path;

use inkling_session::checkpoint::Checkpoint;
use inkling_session::config::{Layers, RunConfig};
use inkling_session::error::RunError;
use inkling_session::events::Evaluation;
use inkling_session::model_card::ModelCard;
use inkling_session::run::{evaluate, initial_weights};
use inkling_session::run_folder::RunFolder;
use inkling_session::tensor_file::TensorFile;
use serde_json::json;

use super::{assign, resolve, set_budget, set_episode};
use crate::args::EvalArgs;
use crate::failure::Failure;
use crate::output::Output;
use crate::printer::{Printer, evaluation_text};

pub fn run(args: &EvalArgs, adapter: Option<String>, output: Output) -> Result<(), Failure> {
    let (mut layers, weights) = match (&args.run, &args.model) {
        (Some(run), _) => of_run(run, output)?,
        (None, Some(model)) => of_model(model)?,
        (None, None) => return Err(Failure::Usage("give --run DIR or --model FILE".to_owned())),
    };
    if let Some(spec) = &args.data {
        layers.set("--data", "data.spec", toml::Value::String(spec.clone()));
    }
    set_episode(&mut layers, &args.episode, args.episodes)?;
    set_budget(&mut layers, args.memory_budget);
    assign(&mut layers, &args.overrides)?;
    let config = resolve(&layers, output)?;
    let mut printer = Printer::new(output);
    let weights = if args.untrained { initial_weights(&config)? } else { weights };
    let result = pollster::block_on(evaluate(&config, &weights, adapter, &mut |event| printer.show(&event)));
    printer.close();
    print(&config, &result?, output);
    Ok(())
}


fn of_run(run: &Path, output: Output) -> Result<(Layers, TensorFile), Failure> {
    let layers = RunFolder::read_layers(run)?;
    let (Checkpoint { weights, .. }, warnings) = RunFolder::newest_checkpoint(run)?;
    for warning in warnings {
        output.warning(&warning);
    }
    Ok((layers, weights))
}

/// A model's own card stands in for the configuration of its run.
fn of_model(path: &Path) -> Result<(Layers, TensorFile), Failure> {
    let weights = TensorFile::read(path)?;
    let card = card_of(path, &weights)?;
    let config = RunConfig { model: card.model.clone(), head: card.head.clone(), ..RunConfig::default() };
    let mut layers = Layers::new();
    layers.text(&path.display().to_string(), &config.to_toml()?)?;
    layers.set("the model card", "data.spec", toml::Value::String(card.trained_on.clone()));
    let [_, height, _] = card.image_shape;
    layers.set("the model card", "data.image_size", toml::Value::Integer(height.into()));
    Ok((layers, weights))
}

/// The model card of a file of weights.
pub(super) fn card_of<'a>(path: &Path, weights: &'a TensorFile) -> Result<&'a ModelCard, RunError> {
    weights.card.as_ref().ok_or_else(|| RunError::Corrupt {
        path: path.to_owned(),
        reason:
            "it carries no model card, so its network is unknown; use weights.safetensors of a checkpoint of Inkling"
                .to_owned(),
    })
}

fn print(config: &RunConfig, evaluation: &Evaluation, output: Output) {
    let asked = &config.evaluation;
    let value = json!({
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
        "{} {}, {}-way {}-shot: {}",
        config.data.spec,
        asked.split.as_str(),
        asked.ways,
        asked.shots,
        evaluation_text(evaluation)
    );
    output.result(&value, &text);
}
