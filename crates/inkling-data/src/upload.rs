//! Bytes of images to the device, and from there to normalised, augmented values.

use inkling_gpu::kernels::augment;
use inkling_gpu::{Allocate, Buffer, Category, GpuError, Recorder};

use crate::{ImageShape, Normalization, Pixels};

/// Values of one affine map.
const AFFINE: usize = 6;

/// Room on the device for the bytes of a chunk of images and their affine maps.
#[derive(Debug)]
pub struct ImageUpload<B> {
    pixels: B,
    affines: B,
    shape: ImageShape,
    images: u32,
}

/// Bytes of one image on the device: images begin at multiples of four.
fn image_stride(shape: ImageShape) -> usize {
    shape.bytes().next_multiple_of(4)
}

impl<B> ImageUpload<B> {
    /// Room for up to `images` images of a shape.
    ///
    /// # Errors
    /// Those of the allocator.
    pub fn new<A: Allocate<Buffer = B>>(allocate: &mut A, shape: ImageShape, images: u32) -> Result<Self, GpuError> {
        let (count, affines) = (u64::from(images), u64::from(images) * AFFINE as u64);
        Ok(Self {
            pixels: allocate.buffer(Category::Images, "upload.pixels", count * image_stride(shape) as u64)?,
            affines: allocate.values(Category::Images, "upload.affines", affines)?,
            shape,
            images,
        })
    }

    /// Images that there is room for.
    pub fn capacity(&self) -> u32 {
        self.images
    }
}

impl ImageUpload<Buffer> {
    /// Uploads images and writes them to `output` `[images, channels, size, size]`: each output
    /// pixel's centre goes through the image's affine map to the source, is interpolated there,
    /// scaled to `0..=1` and normalised.
    ///
    /// # Errors
    /// [`GpuError::Range`] for more images than there is room for; device errors.
    pub async fn load(
        &self,
        recorder: &mut Recorder,
        images: &[(&Pixels, [f32; AFFINE])],
        normalization: &Normalization,
        output_size: u32,
        output: &Buffer,
    ) -> Result<(), GpuError> {
        let stride = image_stride(self.shape);
        let mut bytes = Vec::with_capacity(images.len() * stride);
        let mut affines = Vec::with_capacity(images.len() * AFFINE);
        for (pixels, affine) in images {
            let end = bytes.len() + stride;
            bytes.extend_from_slice(pixels);
            bytes.resize(end, 0);
            affines.extend_from_slice(affine);
        }
        recorder.upload(self.pixels.all(), &bytes).await?;
        recorder.upload_values(self.affines.all(), &affines).await?;
        let channel = |values: &[f32], map: fn(f32) -> f32, or: f32| {
            std::array::from_fn(|index| values.get(index).map_or(or, |&value| map(value)))
        };
        let params = augment::Params {
            mean: channel(&normalization.mean, |mean| mean, 0.0),
            inverse_std: channel(&normalization.std, f32::recip, 1.0),
            images: images.len() as u32,
            channels: self.shape.channels,
            in_height: self.shape.height,
            in_width: self.shape.width,
            out_height: output_size,
            out_width: output_size,
            pixel_offset: 0,
            affine_offset: 0,
            fill: 0.0,
        };
        let buffers = augment::Buffers { pixels: self.pixels.all(), affines: self.affines.all(), output: output.all() };
        let pixels = u64::from(output_size) * u64::from(output_size);
        recorder.dispatch(params, buffers, images.len() as u64 * pixels)
    }
}
