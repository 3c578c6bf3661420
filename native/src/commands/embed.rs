//! `inkling embed`.

use inkling_data::{Pixels, load_images};
use inkling_session::run::{EmbedImages, embed};
use inkling_session::tensor_file::{Tensor, TensorFile};
use serde_json::json;

use super::eval::card_of;
use super::passed_over;
use crate::args::EmbedArgs;
use crate::failure::Failure;
use crate::output::Output;

pub fn run(args: &EmbedArgs, adapter: Option<String>, output: Output) -> Result<(), Failure> {
    let weights = TensorFile::read(&args.model)?;
    let mut card = card_of(&args.model, &weights)?;
    if let Some(size) = args.image_size {
        let [_, height, width] = &mut card.image_shape;
        (*height, *width) = (size, size);
    }
    card.center_crop = args.center_crop.unwrap_or(card.center_crop);
    let framing = card.framing().map_err(|error| Failure::Usage(error.to_string()))?;
    let (mut names, mut pixels, mut skipped) = (Vec::new(), Vec::<Pixels>::new(), Vec::new());
    for path in &args.images {
        let loaded = load_images(path, framing, args.strict).map_err(Failure::failed)?;
        skipped.extend(loaded.skipped);
        for (path, image) in loaded.images {
            names.push(path.display().to_string());
            pixels.push(image);
        }
    }
    passed_over(&skipped, output);
    let values = args.values.as_deref().map(TensorFile::read).transpose()?;
    let images = match &values {
        Some(file) => EmbedImages::Values(file),
        None => EmbedImages::Pixels(&pixels),
    };
    let (rows, dimension) =
        pollster::block_on(embed(&weights, &card, images, adapter)).map_err(Failure::with_weights(&args.model))?;
    let count = rows.len() / dimension.max(1);
    let embeddings = Tensor::f32(vec![count, dimension], rows);
    let mut file = TensorFile::default();
    file.tensors.extend(embeddings.map(|embeddings| ("embeddings".to_owned(), embeddings)));
    file.write(&args.out)?;
    output.result(
        &json!({"images": names, "count": count, "dimension": dimension, "out": args.out}),
        &format!("{count} embeddings of {dimension} values in {}", args.out.display()),
    );
    Ok(())
}
