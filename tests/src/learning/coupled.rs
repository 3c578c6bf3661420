//! Batch norm couples the images of a pass: cut into chunks, the pass must stay one.

use inkling_gpu::{Allocate, Category, Gpu, Recorder};
use inkling_nn::{Backbone, Chunk, Keep, Layout, Network, NetworkConfig, Norm, Pass, TaskAxis, Trained, Weights};

use super::fixture::{CHANNELS, SIZE, message};
use super::gradient::{Gradient, ROUNDING};
use crate::Case;
use crate::kernels::{case_list, noise};

/// Images of the whole pass.
const IMAGES: u32 = 70;
/// Chunks of four-channel networks begin at multiples of eight images.
const CUTS: [&[u32]; 4] = [&[64, 6], &[32, 32, 6], &[8, 56, 6], &[24, 8, 8, 16, 14]];

pub fn cases() -> Vec<Case> {
    case_list![
        "batch_norm/chunks_are_one_pass" => chunks_are_one_pass,
        "batch_norm/submissions_change_no_bit" => submissions_change_no_bit,
    ]
}

/// Where a submission is cut, beyond where the recorder does so by itself.
#[derive(Clone, Copy, PartialEq)]
enum Cuts {
    None,
    /// After every upload, within each pass and between the passes.
    Many,
}

/// A vector of a layout, its padding zero, with no value at a special place.
fn parameters(layout: &Layout, plain: Vec<f32>) -> Vec<f32> {
    let mut values = plain;
    for (seed, entry) in (0..).zip(layout.entries()) {
        if !entry.name.ends_with("conv.weight") {
            let slice = values.iter_mut().skip(entry.offset as usize).take(entry.length as usize);
            slice.zip(noise(seed, entry.length as usize)).for_each(|(value, noise)| *value += 0.2 * noise);
        }
    }
    values
}

async fn cut(recorder: &mut Recorder, cuts: Cuts) -> Result<(), String> {
    if cuts == Cuts::Many {
        recorder.submit().await.map_err(message)?;
        // More than any device takes in one submission: the next pause within the pass cuts.
        recorder.work(1e18);
    }
    Ok(())
}

/// Embeds all images in chunks of these sizes and back-propagates noise.
async fn pass(gpu: &Gpu, chunks: &[u32], cuts: Cuts) -> Result<(Vec<f32>, Vec<f32>), String> {
    let config = NetworkConfig {
        backbone: Backbone::Conv4 { channels: CHANNELS },
        trained: Trained::All,
        in_channels: 1,
        image_size: SIZE,
        norm: Norm::Batch,
    };
    let network = Network::new(config, gpu.tier()).map_err(message)?;
    let largest = chunks.iter().copied().max().unwrap_or(0);
    let mut device = gpu.clone();
    let (mut activations, mut gradients) = (Vec::new(), Vec::new());
    for &images in chunks {
        activations.push(network.activations(&mut device, "test", images, Keep::Gradient).map_err(message)?);
        gradients.push(network.gradients(&mut device, "test", images).map_err(message)?);
    }
    let scratch = network.scratch(&mut device, largest, IMAGES, 1).map_err(message)?;
    let mut buffer = |elements: u32| device.values(Category::Workspace, "test", elements.into()).map_err(message);
    let (weights, running) = (buffer(network.layout().elements())?, buffer(network.running().elements())?);
    let rows = IMAGES * network.dimension();
    let (embeddings, d_embeddings) = (buffer(rows)?, buffer(rows)?);
    let gradient = buffer(network.layout().elements())?;

    let mut recorder = gpu.recorder().map_err(message)?;
    let mut normal = noise(1, network.layout().elements() as usize).into_iter();
    let [plain, _, statistics] = network.initialize(|| 3.0_f32.sqrt() * normal.next().unwrap_or(0.0));
    let values = parameters(network.layout(), plain);
    recorder.upload_values(weights.all(), &values).await.map_err(message)?;
    recorder.upload_values(running.all(), &statistics).await.map_err(message)?;
    recorder.upload_values(d_embeddings.all(), &noise(2, rows as usize)).await.map_err(message)?;
    let pixels = noise(3, (IMAGES * SIZE * SIZE) as usize);
    let mut laid_out = Vec::new();
    let mut first_row = 0;
    for ((&images, activations), gradients) in chunks.iter().zip(&activations).zip(&gradients) {
        let from = (first_row * SIZE * SIZE) as usize;
        let part = &pixels[from..from + (images * SIZE * SIZE) as usize];
        recorder.upload_values(activations.images.all(), part).await.map_err(message)?;
        cut(&mut recorder, cuts).await?;
        laid_out.push(Chunk { images, activations, gradients, first_row });
        first_row += images;
    }

    let axis = TaskAxis::shared(1, IMAGES);
    let pass = Pass { parameters: &weights, frozen: None, running: &running, scratch: &scratch, axis };
    network.prepare(&mut recorder, pass).map_err(message)?;
    network.forward(&mut recorder, pass, &laid_out, &embeddings).await.map_err(message)?;
    cut(&mut recorder, cuts).await?;
    network.backward(&mut recorder, pass, &laid_out, &d_embeddings, &gradient).await.map_err(message)?;
    let embeddings = recorder.read(embeddings.all()).await.map_err(message)?;
    Ok((embeddings, recorder.read(gradient.all()).await.map_err(message)?))
}

/// By name; fails where padding is not zero.
fn by_name(gpu: &Gpu, vector: &[f32]) -> Result<Gradient, String> {
    let config = NetworkConfig {
        backbone: Backbone::Conv4 { channels: CHANNELS },
        trained: Trained::All,
        in_channels: 1,
        image_size: SIZE,
        norm: Norm::Batch,
    };
    let network = Network::new(config, gpu.tier()).map_err(message)?;
    let mut weights = Weights::default();
    weights.insert_flat(network.layout(), vector).map_err(message)?;
    let [without_padding] = weights.to_flat([network.layout()], &[]).map_err(message)?;
    if without_padding != vector { Err("padding is not zero".into()) } else { Ok(Gradient::from(&weights)) }
}

async fn chunks_are_one_pass(gpu: &Gpu) -> Result<(), String> {
    let (embeddings, gradient) = pass(gpu, &[IMAGES], Cuts::None).await?;
    let expected = by_name(gpu, &gradient)?;
    for chunks in CUTS {
        let what = format!("chunks of {chunks:?}");
        let (found, gradient) = pass(gpu, chunks, Cuts::None).await?;
        // The statistics are sums over images in one order, wherever the chunks end.
        if found != embeddings {
            return Err(format!("{what}: other embeddings than in one chunk"));
        }
        by_name(gpu, &gradient)?.check(&what, &expected, ROUNDING)?;
    }
    Ok(())
}

async fn submissions_change_no_bit(gpu: &Gpu) -> Result<(), String> {
    let [few, many] = [pass(gpu, CUTS[1], Cuts::None).await?, pass(gpu, CUTS[1], Cuts::Many).await?];
    if few != many { Err("more submissions gave other bits".into()) } else { Ok(()) }
}
