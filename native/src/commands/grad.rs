//! `inkling grad`.

use inkling_session::config::{CaseConfig, Layers};
use inkling_session::tensor_file::TensorFile;
use serde_json::json;

use super::unconnected;
use crate::args::GradArgs;
use crate::failure::Failure;
use crate::output::Output;

pub fn run(args: &GradArgs, adapter: Option<String>, output: Output) -> Result<(), Failure> {
    let mut layers = Layers::new();
    layers.file(&args.case)?;
    let case = layers.case_config()?;
    let weights = TensorFile::read(&args.weights)?;
    let episode = TensorFile::read(&args.episode)?;
    let gradient = gradient(&case, &weights, &episode, adapter)?;
    gradient.write(&args.out)?;
    let loss = gradient.tensors.get("loss").and_then(|loss| loss.as_f32()).and_then(|loss| loss.first());
    output.result(
        &json!({"loss": loss, "out": args.out}),
        &format!("loss {}, gradient in {}", loss.copied().unwrap_or(f32::NAN), args.out.display()),
    );
    Ok(())
}

/// `loss` [1] and one tensor per trainable parameter, under its name and shape.
fn gradient(
    _case: &CaseConfig,
    _weights: &TensorFile,
    _episode: &TensorFile,
    _adapter: Option<String>,
) -> Result<TensorFile, Failure> {
    // Gradient computing joins here.
    Err(unconnected("grad"))
}
