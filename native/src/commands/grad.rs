//! `inkling grad`.

use inkling_session::config::Layers;
use inkling_session::run::gradient;
use inkling_session::tensor_file::TensorFile;
use serde_json::json;

use crate::args::GradArgs;
use crate::failure::Failure;
use crate::output::Output;

pub fn run(args: &GradArgs, adapter: Option<String>, output: Output) -> Result<(), Failure> {
    let mut layers = Layers::new();
    layers.file(&args.case)?;
    let case = layers.case_config()?;
    let weights = TensorFile::read(&args.weights)?;
    let episode = TensorFile::read(&args.episode)?;
    let gradient = pollster::block_on(gradient(&case, &weights, &episode, adapter)).map_err(|error| match error {
        error if error.is_of_episode() => Failure::failed(format!("{}: {error}", args.episode.display())),
        error => Failure::with_weights(&args.weights)(error),
    })?;
    gradient.write(&args.out)?;
    let loss = gradient.tensors.get("loss").and_then(|loss| loss.as_f32()).and_then(|loss| loss.first());
    output.result(
        &json!({"loss": loss, "out": args.out}),
        &format!("loss {}, gradient in {}", loss.copied().unwrap_or(f32::NAN), args.out.display()),
    );
    Ok(())
}
