//! The embeddings of images, to use elsewhere or to compare with another implementation.

use inkling_data::Pixels;

use super::SessionError;
use super::embed::{Embedder, PASS};
use crate::model_card::ModelCard;
use crate::tensor_file::TensorFile;

/// What is embedded.
#[derive(Clone, Copy, Debug)]
pub enum EmbedImages<'a> {
    /// Bytes of the card's shape, which its mean and standard deviation normalise.
    Pixels(&'a [Pixels]),
    /// The tensor `images` of a file, f32 `[N, C, H, W]` of the card's shape, normalised already.
    Values(&'a TensorFile),
}

/// The embeddings of images, `[N, d]` row by row, and d.
///
/// # Errors
/// When the learner embeds no single images, the file's images have another shape, or weights or
/// device fail.
pub async fn embed(
    weights: &TensorFile,
    card: &ModelCard,
    images: EmbedImages<'_>,
    adapter: Option<String>,
) -> Result<(Vec<f32>, usize), SessionError> {
    let values = match images {
        EmbedImages::Pixels(_) => None,
        EmbedImages::Values(file) => Some(values(file, card)?),
    };
    let mut embedder = Embedder::open(weights, card, adapter).await?;
    let mut rows = Vec::new();
    match (images, values) {
        (EmbedImages::Pixels(pixels), _) => {
            for piece in pixels.chunks(PASS as usize) {
                rows.extend(embedder.embed(piece).await?);
            }
        }
        (EmbedImages::Values(_), values) => rows.extend(embedder.embed_values(values.unwrap_or_default()).await?),
    }
    Ok((rows, embedder.dimension()))
}

fn values<'a>(file: &'a TensorFile, card: &ModelCard) -> Result<&'a [f32], SessionError> {
    let [channels, height, width] = card.image_shape.map(|size| size as usize);
    let images = file.tensors.get("images").and_then(|tensor| tensor.as_f32().map(|values| (tensor.shape(), values)));
    match images {
        Some(([_, c, h, w], values)) if [*c, *h, *w] == [channels, height, width] => Ok(values),
        Some((shape, _)) => Err(SessionError::Setting(format!(
            "the tensor images has shape {shape:?}, and this learner takes [N, {channels}, {height}, {width}]; resize the \
             images, or say their size (--image-size)"
        ))),
        None => Err(SessionError::Setting(
            "the file holds no f32 tensor named images; write one of shape [N, C, H, W]".to_owned(),
        )),
    }
}
