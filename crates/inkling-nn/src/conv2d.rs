//! Convolution with bias, forward and backward, by the kernels that suit the device.
//!
//! 3×3 kernels with stride 1 and padding 1 run on packed uniform weights (`conv3x3_*`); all
//! others run on the baseline (`conv2d_*`).

use inkling_gpu::kernels::{
    conv2d_backward_input, conv2d_backward_weight, conv2d_forward, conv2d_reduce_partials, conv3x3_backward_weight,
    conv3x3_forward, conv3x3_pack,
};
use inkling_gpu::{Allocate, Buffer, Category, GpuError, Recorder, Tier};

use crate::layout::Layout;

/// Stands for "no value" in kernels.
const NONE: u32 = u32::MAX;
/// Output channels of one `conv3x3_forward` launch.
const BLOCK: u32 = 16;
/// Input channels of one `conv3x3_forward` launch.
const SLAB: u32 = 64;
/// Input channels of one invocation of `conv3x3_backward_weight`.
const WEIGHT_INPUTS: u32 = 4;
/// Output channels of one invocation of `conv3x3_backward_weight`.
const WEIGHT_OUTPUTS: u32 = 8;
/// Bytes of one packed block and slab: 64 inputs × 9 taps × 16 outputs.
const PACKED_BYTES: u64 = 64 * 9 * 16 * 4;
/// Pixels that one split of the weight gradient sums over, at least one image.
const SPLIT_PIXELS: u32 = 4096;

/// A convolution layer: its geometry and where its parameters lie.
#[derive(Clone, Debug)]
pub struct Conv2d {
    in_channels: u32,
    out_channels: u32,
    kernel: u32,
    stride: u32,
    padding: u32,
    in_size: [u32; 2],
    out_size: [u32; 2],
    weight_offset: u32,
    bias_offset: u32,
    tiled: bool,
}

/// What a layer of this geometry is made of.
#[derive(Clone, Copy, Debug)]
pub struct Conv2dShape {
    /// Channels of the input.
    pub in_channels: u32,
    /// Channels of the output.
    pub out_channels: u32,
    /// Height and width of the kernel.
    pub kernel: u32,
    /// Step between output pixels.
    pub stride: u32,
    /// Zeros around the input.
    pub padding: u32,
    /// Height and width of the input.
    pub in_size: [u32; 2],
}

/// A layer's weights packed for `conv3x3_forward`, in both directions; empty for the baseline.
#[derive(Debug)]
pub struct PackedWeights<B> {
    forward: Option<B>,
    backward: Option<B>,
}

/// Where a weight gradient goes and the scratch that it needs.
#[derive(Clone, Copy, Debug)]
pub struct GradientTarget<'b> {
    /// Partial sums, at least [`Conv2d::partial_elements`].
    pub partials: &'b Buffer,
    /// The flat gradient, added to.
    pub gradient: &'b Buffer,
}

impl Conv2d {
    /// Adds the layer's `weight` [O,I,k,k] and `bias` [O] to `layout` under `name`.
    pub fn new(layout: &mut Layout, name: &str, shape: Conv2dShape, tier: Tier) -> Self {
        let Conv2dShape { in_channels, out_channels, kernel, stride, padding, in_size } = shape;
        let (i, o, k) = (in_channels as usize, out_channels as usize, kernel as usize);
        let weight_offset = layout.push(format!("{name}.weight"), &[o, i, k, k]);
        let bias_offset = layout.push(format!("{name}.bias"), &[o]);
        let out_size = in_size.map(|size| (size + 2 * padding).saturating_sub(kernel) / stride + 1);
        let tiled = tiles((kernel, stride, padding), tier);
        Self {
            in_channels,
            out_channels,
            kernel,
            stride,
            padding,
            in_size,
            out_size,
            weight_offset,
            bias_offset,
            tiled,
        }
    }

    /// Height and width of the output.
    pub fn out_size(&self) -> [u32; 2] {
        self.out_size
    }

    /// Elements of one image's input.
    pub fn in_elements(&self) -> u64 {
        elements(self.in_channels, self.in_size)
    }

    /// Elements of one image's output.
    pub fn out_elements(&self) -> u64 {
        elements(self.out_channels, self.out_size)
    }

    /// Floating-point operations of the forward pass of one image; each direction of the backward
    /// pass takes as many.
    pub fn flops(&self) -> f64 {
        2.0 * self.out_elements() as f64 * f64::from(self.in_channels * self.kernel * self.kernel)
    }

    /// Room for the packed weights; `backward` is left out for a network's first layer.
    ///
    /// # Errors
    /// Those of the allocator.
    pub fn packed<A: Allocate>(
        &self,
        allocate: &mut A,
        name: &str,
        backward: bool,
    ) -> Result<PackedWeights<A::Buffer>, GpuError> {
        let mut room = |inputs: u32, outputs: u32, direction: &str| {
            let bytes = u64::from(outputs.div_ceil(BLOCK) * inputs.div_ceil(SLAB)) * PACKED_BYTES;
            allocate.buffer(Category::Workspace, &format!("{name}.packed.{direction}"), bytes)
        };
        let forward = self.tiled.then(|| room(self.in_channels, self.out_channels, "forward")).transpose()?;
        let backward =
            (self.tiled && backward).then(|| room(self.out_channels, self.in_channels, "backward")).transpose()?;
        Ok(PackedWeights { forward, backward })
    }

    /// Packs the present weights; call whenever they have changed.
    ///
    /// # Errors
    /// Device errors.
    pub fn pack(
        &self,
        recorder: &mut Recorder,
        parameters: &Buffer,
        packed: &PackedWeights<Buffer>,
    ) -> Result<(), GpuError> {
        let directions = [
            (&packed.forward, self.in_channels, self.out_channels, 0),
            (&packed.backward, self.out_channels, self.in_channels, 1),
        ];
        for (buffer, in_channels, out_channels, transpose) in directions {
            let Some(buffer) = buffer else { continue };
            let elements = (buffer.bytes() / 4) as u32;
            let params = conv3x3_pack::Params {
                in_channels,
                out_channels,
                slabs: in_channels.div_ceil(SLAB),
                elements,
                weight_offset: self.weight_offset,
                transpose,
            };
            let buffers = conv3x3_pack::Buffers { parameters: parameters.all(), packed: buffer.all() };
            recorder.dispatch(params, buffers, u64::from(elements))?;
        }
        Ok(())
    }

    /// `output` = convolution of `input` plus bias, for `images` images.
    ///
    /// # Errors
    /// Device errors.
    pub fn forward(
        &self,
        recorder: &mut Recorder,
        images: u32,
        input: &Buffer,
        parameters: &Buffer,
        packed: &PackedWeights<Buffer>,
        output: &Buffer,
    ) -> Result<(), GpuError> {
        recorder.work(f64::from(images) * self.flops());
        if let Some(weights) = &packed.forward {
            let channels = (self.in_channels, self.out_channels);
            return self.tiles(recorder, images, channels, self.bias_offset, [input, weights, parameters, output]);
        }
        let params = conv2d_forward::Params {
            images,
            in_channels: self.in_channels,
            out_channels: self.out_channels,
            in_height: self.in_size[0],
            in_width: self.in_size[1],
            out_height: self.out_size[0],
            out_width: self.out_size[1],
            kernel: self.kernel,
            stride: self.stride,
            padding: self.padding,
            images_per_task: NONE,
            parameter_stride: 0,
            weight_offset: self.weight_offset,
            bias_offset: self.bias_offset,
        };
        let buffers =
            conv2d_forward::Buffers { input: input.all(), parameters: parameters.all(), output: output.all() };
        let blocks = self.out_channels.div_ceil(4);
        recorder.dispatch(params, buffers, u64::from(images) * elements(blocks, self.out_size))
    }

    /// `d_input` = gradient with respect to the input.
    ///
    /// # Errors
    /// Device errors.
    pub fn backward_input(
        &self,
        recorder: &mut Recorder,
        images: u32,
        d_output: &Buffer,
        parameters: &Buffer,
        packed: &PackedWeights<Buffer>,
        d_input: &Buffer,
    ) -> Result<(), GpuError> {
        recorder.work(f64::from(images) * self.flops());
        if let Some(weights) = &packed.backward {
            let channels = (self.out_channels, self.in_channels);
            return self.tiles(recorder, images, channels, NONE, [d_output, weights, parameters, d_input]);
        }
        let params = conv2d_backward_input::Params {
            images,
            in_channels: self.in_channels,
            out_channels: self.out_channels,
            in_height: self.in_size[0],
            in_width: self.in_size[1],
            out_height: self.out_size[0],
            out_width: self.out_size[1],
            kernel: self.kernel,
            stride: self.stride,
            padding: self.padding,
            images_per_task: NONE,
            parameter_stride: 0,
            weight_offset: self.weight_offset,
        };
        let buffers = conv2d_backward_input::Buffers {
            d_output: d_output.all(),
            parameters: parameters.all(),
            d_input: d_input.all(),
        };
        recorder.dispatch(params, buffers, u64::from(images) * self.in_elements())
    }

    /// Launches `conv3x3_forward` for every block of outputs and slab of inputs.
    fn tiles(
        &self,
        recorder: &mut Recorder,
        images: u32,
        (in_channels, out_channels): (u32, u32),
        bias_offset: u32,
        [input, weights, parameters, output]: [&Buffer; 4],
    ) -> Result<(), GpuError> {
        let [height, width] = self.in_size;
        let (tiles_x, tiles_y) = (width.div_ceil(4), height.div_ceil(2));
        let slabs = in_channels.div_ceil(SLAB);
        for block in 0..out_channels.div_ceil(BLOCK) {
            for slab in 0..slabs {
                let params = conv3x3_forward::Params {
                    images,
                    in_channels,
                    out_channels,
                    height,
                    width,
                    tiles_x,
                    tiles_y,
                    first_input: slab * SLAB,
                    slab_inputs: (in_channels - slab * SLAB).min(SLAB),
                    first_output: block * BLOCK,
                    images_per_task: NONE,
                    parameter_stride: 0,
                    bias_offset,
                };
                let buffers = conv3x3_forward::Buffers {
                    input: input.all(),
                    weights: weights.slice(u64::from(block * slabs + slab) * PACKED_BYTES, PACKED_BYTES)?,
                    parameters: parameters.all(),
                    output: output.all(),
                };
                recorder.dispatch(params, buffers, u64::from(images) * u64::from(tiles_x * tiles_y))?;
            }
        }
        Ok(())
    }

    /// Elements of the partial sums that the weight gradient of `images` images needs.
    pub fn partial_elements(&self, images: u32) -> u64 {
        let (splits, _) = self.splits(images);
        u64::from(splits) * self.parameter_elements()
    }

    fn parameter_elements(&self) -> u64 {
        u64::from(self.out_channels) * (u64::from(self.in_channels * self.kernel * self.kernel) + 1)
    }

    /// Splits, and images of each; they depend on the geometry alone.
    fn splits(&self, images: u32) -> (u32, u32) {
        let area = (self.out_size[0] * self.out_size[1]).max(1);
        let per_split = (SPLIT_PIXELS / area).max(1);
        (images.div_ceil(per_split).max(1), per_split)
    }

    /// Adds the gradient with respect to weight and bias.
    ///
    /// # Errors
    /// Device errors.
    pub fn backward_weight(
        &self,
        recorder: &mut Recorder,
        images: u32,
        input: &Buffer,
        d_output: &Buffer,
        target: GradientTarget<'_>,
    ) -> Result<(), GpuError> {
        recorder.work(f64::from(images) * self.flops());
        let (splits, images_per_split) = self.splits(images);
        let slices = (input.all(), d_output.all(), target.partials.all());
        if self.tiled {
            let params = conv3x3_backward_weight::Params {
                images,
                in_channels: self.in_channels,
                out_channels: self.out_channels,
                height: self.in_size[0],
                width: self.in_size[1],
                splits,
                images_per_split,
                splits_per_task: splits,
                images_per_task: images,
            };
            let buffers = conv3x3_backward_weight::Buffers { input: slices.0, d_output: slices.1, partials: slices.2 };
            let tiles = self.in_channels.div_ceil(WEIGHT_INPUTS) * self.out_channels.div_ceil(WEIGHT_OUTPUTS);
            recorder.dispatch(params, buffers, u64::from(tiles) * u64::from(splits))?;
        } else {
            let params = conv2d_backward_weight::Params {
                images,
                in_channels: self.in_channels,
                out_channels: self.out_channels,
                in_height: self.in_size[0],
                in_width: self.in_size[1],
                out_height: self.out_size[0],
                out_width: self.out_size[1],
                kernel: self.kernel,
                stride: self.stride,
                padding: self.padding,
                splits,
                images_per_split,
                splits_per_task: splits,
                images_per_task: images,
            };
            let buffers = conv2d_backward_weight::Buffers { input: slices.0, d_output: slices.1, partials: slices.2 };
            recorder.dispatch(params, buffers, u64::from(splits) * self.parameter_elements())?;
        }
        let params = conv2d_reduce_partials::Params {
            tasks: 1,
            splits_per_task: splits,
            weights: self.parameter_elements() as u32 - self.out_channels,
            biases: self.out_channels,
            weight_offset: self.weight_offset,
            bias_offset: self.bias_offset,
            gradient_stride: 0,
        };
        let buffers = conv2d_reduce_partials::Buffers { partials: slices.2, gradient: target.gradient.all() };
        recorder.dispatch(params, buffers, self.parameter_elements())
    }
}

/// Whether the tiled kernels take a convolution on a device of this tier. Measured on
/// processors alone: in a browser's software adapter they take 2.5 s to compile; on a GPU the
/// weight gradient's 288 sums may spill, which is to be measured before this rule is kept.
fn tiles(shape: (u32, u32, u32), tier: Tier) -> bool {
    match tier {
        Tier::Cpu | Tier::Gpu | Tier::Browser => shape == (3, 1, 1),
    }
}

fn elements(channels: u32, size: [u32; 2]) -> u64 {
    u64::from(channels) * u64::from(size[0]) * u64::from(size[1])
}
