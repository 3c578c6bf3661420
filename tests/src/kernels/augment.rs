//! Decoding and augmentation.

use inkling_gpu::{Gpu, kernels};
use inkling_reference as twin;

use super::bench::{Bench, integers, noise};
use super::tolerance::Tolerance;
use super::{case_list, params};
use crate::Case;

pub fn cases() -> Vec<Case> {
    case_list![
        "augment/identity" => identity,
        "augment/flips_and_turns" => turns,
        "augment/crop_and_rotate" => rotate,
    ]
}

#[derive(Clone, Copy, Debug)]
struct Shape {
    images: u32,
    channels: u32,
    in_height: u32,
    in_width: u32,
    out_height: u32,
    out_width: u32,
}

/// `[images, channels, in_height, in_width, out_height, out_width]`
const fn shape(sizes: [u32; 6]) -> Shape {
    let [images, channels, in_height, in_width, out_height, out_width] = sizes;
    Shape { images, channels, in_height, in_width, out_height, out_width }
}

const PIXEL_OFFSET: u32 = 8;
const AFFINE_OFFSET: u32 = 3;

async fn check(gpu: &Gpu, shape: Shape, normalised: bool, affines: &[f32], tolerance: Tolerance) -> Result<(), String> {
    let (mean, inverse_std) =
        if normalised { ([0.5, 0.4, 0.3, 0.2], [4.0, 3.0, 2.0, 1.0]) } else { ([0.0; 4], [255.0; 4]) };
    let (params, reference) = params!(augment AugmentParams {
        mean: mean,
        inverse_std: inverse_std,
        images: shape.images,
        channels: shape.channels,
        in_height: shape.in_height,
        in_width: shape.in_width,
        out_height: shape.out_height,
        out_width: shape.out_width,
        pixel_offset: PIXEL_OFFSET,
        affine_offset: AFFINE_OFFSET,
        fill: 0.25,
    });
    let image_words = (shape.channels * shape.in_height * shape.in_width).div_ceil(4);
    // The padding of an image is noise as well: it must not be seen.
    let bytes = integers(1, 4 * (PIXEL_OFFSET / 4 + shape.images * image_words) as usize, 256);
    let words: Vec<u32> = bytes.chunks_exact(4).map(|b| b[0] | b[1] << 8 | b[2] << 16 | b[3] << 24).collect();
    let mut shifted = vec![99.0; AFFINE_OFFSET as usize];
    shifted.extend_from_slice(affines);
    let mut bench = Bench::new(gpu)?;
    let pixels = bench.input(&words).await?;
    let affine_buffer = bench.input(&shifted).await?;
    let out_pixels = shape.images * shape.out_height * shape.out_width;
    let output = bench.output(out_pixels * shape.channels).await?;
    let buffers =
        kernels::augment::Buffers { pixels: pixels.all(), affines: affine_buffer.all(), output: output.all() };
    bench.run(params, buffers, out_pixels)?;
    let mut expected = output.initial.clone();
    let images = (out_pixels * shape.channels) as usize;
    twin::augment(&reference, &words, &shifted, &mut expected[..images]);
    bench.check(&format!("output of {shape:?}"), &output, &expected, tolerance).await
}

async fn identity(gpu: &Gpu) -> Result<(), String> {
    for sizes in [[1, 1, 1, 1, 1, 1], [2, 1, 28, 28, 28, 28], [3, 3, 5, 7, 5, 7], [2, 4, 11, 3, 11, 3]] {
        let affines = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0].repeat(sizes[0] as usize);
        // A division and a product of the byte: no other byte is as near.
        check(gpu, shape(sizes), false, &affines, Tolerance::roundings(4)).await?;
    }
    Ok(())
}

/// Transforms that map pixels to pixels: no interpolation may show.
async fn turns(gpu: &Gpu) -> Result<(), String> {
    let side = 13;
    let size = side as f32;
    let affines = [
        [-1.0, 0.0, size, 0.0, 1.0, 0.0],
        [0.0, 1.0, 0.0, -1.0, 0.0, size],
        [-1.0, 0.0, size, 0.0, -1.0, size],
        [0.0, -1.0, size, 1.0, 0.0, 0.0],
        [1.0, 0.0, 3.0, 0.0, 1.0, -2.0],
    ]
    .concat();
    check(gpu, shape([5, 3, side, side, side, side]), false, &affines, Tolerance::roundings(4)).await
}

async fn rotate(gpu: &Gpu) -> Result<(), String> {
    let shapes = [[3, 1, 28, 28, 28, 28], [2, 3, 31, 17, 13, 19], [1, 2, 3, 5, 40, 7], [1, 1, 1, 1, 3, 3]];
    for sizes in shapes {
        let mut affines = noise(2, 6 * sizes[0] as usize);
        for affine in affines.chunks_exact_mut(6) {
            affine[2] *= 8.0;
            affine[5] *= 8.0;
        }
        // Coordinates up to 40 + 40 + 8 carry four roundings; a pixel's step is at most the whole
        // range, times an inverse deviation of 4.
        check(gpu, shape(sizes), true, &affines, Tolerance::cancelling(8 * 4, 88.0)).await?;
    }
    Ok(())
}
