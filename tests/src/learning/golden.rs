//! Loss and gradient of every golden case, computed by an independent float64 implementation.

use inkling_gpu::Gpu;
use inkling_session::config::{HeadKind, Layers};
use inkling_session::run::gradient_on;
use inkling_session::tensor_file::TensorFile;

use super::fixture::message;
use super::gradient::{Closeness, Gradient, ORACLE};
use crate::Case;

/// The files of a case.
struct Files {
    case: &'static str,
    weights: &'static [u8],
    episode: &'static [u8],
    expected: &'static [u8],
}

/// The folders below `tests/golden`, in the program itself: a browser has no files.
macro_rules! golden_cases {
    ($folder:literal, $tolerance:expr, [$($name:literal),* $(,)?]) => {
        vec![$(Case {
            name: concat!("learner/golden/", $name),
            run: |gpu| Box::pin(check(gpu, $tolerance, Files {
                case: include_str!(concat!("../../golden/", $folder, "/", $name, "/case.toml")),
                weights: include_bytes!(concat!("../../golden/", $folder, "/", $name, "/weights.safetensors")),
                episode: include_bytes!(concat!("../../golden/", $folder, "/", $name, "/episode.safetensors")),
                expected: include_bytes!(concat!("../../golden/", $folder, "/", $name, "/expected.safetensors")),
            })),
        }),*]
    };
}

/// Iterations carry their rounding along.
const HEADS: Closeness = Closeness { relative: 2e-4, ..ORACLE };
/// Hessians of the whole network carry it through all layers twice.
const SECOND_ORDER: Closeness = Closeness { relative: 1e-3, ..ORACLE };

pub fn cases() -> Vec<Case> {
    [prototypes(), heads(), learners(), film()].concat()
}

fn prototypes() -> Vec<Case> {
    golden_cases!(
        "cases",
        ORACLE,
        [
            "batch-full-c4-1x16-2way",
            "batch-full-c5-3x17-3way",
            "frozen-full-c4-1x16-3way",
            "frozen-lite-c4-1x21-4way",
            "group-chunked-c4-1x16-3way",
            "group-full-c4-1x19-4way",
            "group-lite-c4-1x16-3way",
            "group-lite-c6-3x18-2way",
            "group-lite-cosine-c4-1x16-3way",
            "group-subsampled-c4-1x16-2way",
        ]
    )
}

fn heads() -> Vec<Case> {
    golden_cases!(
        "cases_bilevel",
        HEADS,
        [
            "implicit-batch-full-c4-3x17-3way",
            "implicit-frozen-full-c4-1x16-3way",
            "implicit-group-lite-c8-1x16-4way",
            "implicit-group-subsampled-c4-1x16-3way",
            "neumann-group-full-c6-1x16-3way",
            "mahalanobis-batch-full-c4-1x32-2way",
            "mahalanobis-frozen-full-c4-1x16-3way",
            "mahalanobis-group-chunked-c4-1x32-4way",
            "mahalanobis-group-lite-c8-1x19-3way",
            "ridge-batch-full-c4-1x16-2way",
            "ridge-frozen-full-c4-1x16-3way",
            "ridge-group-lite-c8-1x19-3way",
            "versa-batch-full-c4-1x32-2way",
            "versa-frozen-full-c4-1x16-3way",
            "versa-group-lite-c8-1x19-3way",
            "unrolled-batch-full-c4-1x16-2way",
            "unrolled-frozen-lite-c4-1x21-4way",
            "unrolled-group-chunked-c4-1x16-3way",
            "fomaml-batch-c4-1x16-3way",
            "reptile-group-c4-1x16-4way",
        ]
    )
}

fn learners() -> Vec<Case> {
    golden_cases!(
        "cases_bilevel",
        SECOND_ORDER,
        [
            "imaml-batch-c4-1x16-2way",
            "imaml-group-c6-1x16-3way",
            "maml-batch-c4-1x16-3way",
            "maml-frozen-c3-1x32-2way",
            "maml-group-c4-3x19-3way",
        ]
    )
}

/// Norms that adapt to the task: a gradient goes through two networks.
fn film() -> Vec<Case> {
    golden_cases!(
        "cases_film",
        HEADS,
        [
            "film-frozen-lite-cosine-c4-1x16-3way",
            "film-group-full-c4-1x16-3way",
            "film-mahalanobis-frozen-lite-c4-3x16-3way",
            "film-mahalanobis-group-chunked-c4-1x21-2way",
        ]
    )
}

async fn check(gpu: &Gpu, tolerance: Closeness, files: Files) -> Result<(), String> {
    let mut layers = Layers::new();
    layers.text("case.toml", files.case).map_err(message)?;
    let case = layers.case_config().map_err(message)?;
    let (weights, episode) = (TensorFile::decode(files.weights)?, TensorFile::decode(files.episode)?);
    let mut found = gradient_on(gpu, &case, &weights, &episode).await.map_err(message)?;
    // The same bias for all ways of a ridge head: no probability depends on it, and the oracle has none.
    if case.head.is_some_and(|head| head.kind == HeadKind::Ridge)
        && let Some(bias) = found.tensors.remove("head.bias")
        && bias.as_f32().is_none_or(|values| values.iter().any(|value| value.abs() > 1e-6))
    {
        return Err(format!("the bias of all ways has the gradient {bias:?}"));
    }
    vector(&found)?.check("against float64", &vector(&TensorFile::decode(files.expected)?)?, tolerance)
}

fn vector(file: &TensorFile) -> Result<Gradient, String> {
    let mut vector = Gradient::default();
    for (name, tensor) in &file.tensors {
        let values = tensor.as_f32().ok_or("losses and gradients are floats")?;
        vector.insert(name, values.iter().map(|&value| value.into()));
    }
    Ok(vector)
}
