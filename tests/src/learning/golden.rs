//! Loss and gradient of every golden case, computed by an independent float64 implementation.

use inkling_gpu::Gpu;
use inkling_session::config::Layers;
use inkling_session::run::gradient_on;
use inkling_session::tensor_file::TensorFile;

use super::fixture::message;
use super::gradient::{Gradient, ORACLE};
use crate::Case;

/// The files of a case.
struct Files {
    case: &'static str,
    weights: &'static [u8],
    episode: &'static [u8],
    expected: &'static [u8],
}

/// The folders below `tests/golden/cases`, in the program itself: a browser has no files.
macro_rules! golden_cases {
    ($($name:literal),* $(,)?) => {
        vec![$(Case {
            name: concat!("learner/golden/", $name),
            run: |gpu| Box::pin(check(gpu, Files {
                case: include_str!(concat!("../../golden/cases/", $name, "/case.toml")),
                weights: include_bytes!(concat!("../../golden/cases/", $name, "/weights.safetensors")),
                episode: include_bytes!(concat!("../../golden/cases/", $name, "/episode.safetensors")),
                expected: include_bytes!(concat!("../../golden/cases/", $name, "/expected.safetensors")),
            })),
        }),*]
    };
}

pub fn cases() -> Vec<Case> {
    golden_cases![
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
}

async fn check(gpu: &Gpu, files: Files) -> Result<(), String> {
    let mut layers = Layers::new();
    layers.text("case.toml", files.case).map_err(message)?;
    let case = layers.case_config().map_err(message)?;
    let (weights, episode) = (TensorFile::decode(files.weights)?, TensorFile::decode(files.episode)?);
    let found = gradient_on(gpu, &case, &weights, &episode).await.map_err(message)?;
    vector(&found)?.check("against float64", &vector(&TensorFile::decode(files.expected)?)?, ORACLE)
}

fn vector(file: &TensorFile) -> Result<Gradient, String> {
    let mut vector = Gradient::default();
    for (name, tensor) in &file.tensors {
        let values = tensor.as_f32().ok_or("losses and gradients are floats")?;
        vector.insert(name, values.iter().map(|&value| value.into()));
    }
    Ok(vector)
}
