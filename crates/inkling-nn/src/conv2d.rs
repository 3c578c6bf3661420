//! Convolution with bias, forward and backward, by the kernels that suit the device.
//!
//! 3×3 kernels with stride 1 and padding 1 (`conv3x3_*`, in `tiled3x3.rs`) and 1×1 kernels with stride
//! 1 (`pointwise_*`, in `pointwise.rs`) have kernels of their own in every direction. All others run
//! forward on packed weights (`conv2d_packed_forward`, in `packed.rs`) where they have outputs enough,
//! and on the baseline (`conv2d_*`) in every other way.

mod baseline;
mod packed;
mod tiled3x3;

use inkling_gpu::kernels::conv2d_reduce_partials;
use inkling_gpu::{Allocate, Buffer, Category, GpuError, Recorder, Tier};

use crate::axis::Span;
use crate::layout::Layout;
use crate::pointwise;

/// Stands for "no value" in kernels.
pub(crate) const NONE: u32 = u32::MAX;
/// Pixels that one split of the weight gradient sums over, at least one image.
const SPLIT_PIXELS: u32 = 4096;

/// Output channels below which packed weights are mostly padding.
const FEWEST_PACKED: u32 = 16;

/// A convolution layer: its geometry and where its parameters lie.
#[derive(Clone, Debug)]
pub struct Conv2d {
    in_channels: u32,
    out_channels: u32,
    kernel: u32,
    stride: u32,
    /// Zeros above and to the left.
    padding: u32,
    in_size: [u32; 2],
    out_size: [u32; 2],
    weight_offset: u32,
    /// NONE: no bias.
    bias_offset: u32,
    kernels: Kernels,
}

/// Which kernels take a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kernels {
    Tiled3x3,
    Pointwise,
    /// The baseline, but for the forward pass.
    Packed,
    Baseline,
}

/// Zeros around the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// As many on all sides.
    Both(u32),
    /// TensorFlow's SAME: such that the output has ⌈size / stride⌉ pixels; where the number of
    /// zeros is odd, one more follows than precedes.
    Same,
}

impl Padding {
    /// Pixels of the output of `size` pixels.
    pub(crate) fn out_size(self, size: u32, kernel: u32, stride: u32) -> u32 {
        match self {
            Self::Both(padding) => (size + 2 * padding).saturating_sub(kernel) / stride + 1,
            Self::Same => size.div_ceil(stride),
        }
    }

    /// Zeros before the first pixel.
    pub(crate) fn before(self, size: u32, kernel: u32, stride: u32) -> u32 {
        match self {
            Self::Both(padding) => padding,
            Self::Same => {
                let covered = (self.out_size(size, kernel, stride) - 1) * stride + kernel;
                covered.saturating_sub(size) / 2
            }
        }
    }
}

/// What a layer of this geometry is made of.
#[derive(Clone, Copy, Debug)]
pub struct Conv2dShape {
    /// Channels of the output.
    pub out_channels: u32,
    /// Height and width of the kernel.
    pub kernel: u32,
    /// Step between output pixels.
    pub stride: u32,
    /// Zeros around the input.
    pub padding: Padding,
    /// Whether a bias is added.
    pub has_bias: bool,
}

/// A layer's weights packed for its kernels, in the directions that have such.
#[derive(Debug)]
pub struct PackedWeights<B> {
    forward: Option<B>,
    backward: Option<B>,
}

/// Flat parameters, or a direction of the same layout, and the layer's weights packed from them.
#[derive(Clone, Copy, Debug)]
pub struct ConvWeights<'b> {
    /// The flat vector, or one for each task.
    pub parameters: &'b Buffer,
    /// Packed by [`Conv2d::pack`].
    pub packed: &'b PackedWeights<Buffer>,
}

/// What a kernel does with the output that is there; as it takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// The output is the result.
    Replace = 0,
    /// The result is added to the output.
    Add = 1,
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
    /// Adds the layer's `weight` [O,I,k,k] and `bias` [O] to `layout` under `name`, for inputs of
    /// `in_channels` channels and this height and width.
    pub fn new(
        layout: &mut Layout,
        name: &str,
        shape: Conv2dShape,
        (in_channels, in_size): (u32, [u32; 2]),
        tier: Tier,
    ) -> Self {
        let Conv2dShape { out_channels, kernel, stride, padding, has_bias } = shape;
        let (i, o, k) = (in_channels as usize, out_channels as usize, kernel as usize);
        let weight_offset = layout.push(format!("{name}.weight"), &[o, i, k, k]);
        let bias_offset = if has_bias { layout.push(format!("{name}.bias"), &[o]) } else { NONE };
        let out_size = in_size.map(|size| padding.out_size(size, kernel, stride));
        let padding = padding.before(in_size[0], kernel, stride);
        let kernels = kernels((kernel, stride, padding), in_size == out_size, out_channels, tier);
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
            kernels,
        }
    }

    /// Where the weights begin, and how many there are.
    pub(crate) fn weight_range(&self) -> (u32, u32) {
        (self.weight_offset, self.out_channels * self.fan_in())
    }

    /// Height and width of the kernel, and the stride.
    pub(crate) fn window(&self) -> [u32; 2] {
        [self.kernel, self.stride]
    }

    /// Inputs of each output.
    pub(crate) fn fan_in(&self) -> u32 {
        self.in_channels * self.kernel * self.kernel
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

    /// Room for the packed weights of `tasks` tasks with weights of their own; `backward` is left
    /// out for a network's first layer.
    ///
    /// # Errors
    /// Those of the allocator.
    pub fn packed<A: Allocate>(
        &self,
        allocate: &mut A,
        name: &str,
        backward: bool,
        tasks: u32,
    ) -> Result<PackedWeights<A::Buffer>, GpuError> {
        let mut room = |inputs: u32, outputs: u32, direction: &str| {
            let bytes = u64::from(tasks) * self.packed_bytes(inputs, outputs);
            allocate.buffer(Category::Workspace, &format!("{name}.packed.{direction}"), bytes)
        };
        let (packs, packs_back) = match self.kernels {
            Kernels::Tiled3x3 | Kernels::Pointwise => (true, backward),
            Kernels::Packed => (true, false),
            Kernels::Baseline => (false, false),
        };
        let forward = packs.then(|| room(self.in_channels, self.out_channels, "forward")).transpose()?;
        let backward = packs_back.then(|| room(self.out_channels, self.in_channels, "backward")).transpose()?;
        Ok(PackedWeights { forward, backward })
    }

    /// Packs the present weights of the first `tasks` tasks, whose flat vectors lie `stride`
    /// elements apart; call whenever they have changed.
    ///
    /// # Errors
    /// Device errors.
    pub fn pack(
        &self,
        recorder: &mut Recorder,
        parameters: &Buffer,
        (tasks, stride): (u32, u32),
        packed: &PackedWeights<Buffer>,
    ) -> Result<(), GpuError> {
        let directions = [
            (&packed.forward, self.in_channels, self.out_channels, 0),
            (&packed.backward, self.out_channels, self.in_channels, 1),
        ];
        for (buffer, inputs, outputs, transpose) in directions {
            let Some(buffer) = buffer else { continue };
            let of_tasks = (parameters, self.weight_offset, tasks, stride);
            match self.kernels {
                Kernels::Tiled3x3 => self.pack_tiles(recorder, of_tasks, (inputs, outputs, transpose), buffer)?,
                _ => self.rows(inputs, outputs, transpose == 1).pack(recorder, of_tasks, buffer)?,
            }
        }
        Ok(())
    }

    /// Bytes of one task's packed weights in one direction.
    fn packed_bytes(&self, inputs: u32, outputs: u32) -> u64 {
        match self.kernels {
            Kernels::Tiled3x3 => tiled3x3::packed_bytes(inputs, outputs),
            _ => self.rows(inputs, outputs, false).packed_bytes(),
        }
    }

    /// The packing by rows of terms: each input of a 1×1 convolution is one, of others one for each tap.
    fn rows(&self, inputs: u32, outputs: u32, transpose: bool) -> pointwise::Direction {
        pointwise::Direction { inputs: inputs * self.kernel * self.kernel, outputs, transpose }
    }

    /// The products on packed weights, of one direction.
    async fn packed_products(
        &self,
        recorder: &mut Recorder,
        span: Span,
        (inputs, outputs, transpose): (u32, u32, bool),
        (bias_offset, write): (u32, Write),
        weights: (&Buffer, &Buffer),
        buffers: (&Buffer, &Buffer),
    ) -> Result<(), GpuError> {
        match self.kernels {
            Kernels::Pointwise => {
                let pixels = self.in_size[0] * self.in_size[1];
                let direction = self.rows(inputs, outputs, transpose);
                direction.launch(recorder, (span, pixels), (bias_offset, write), weights, buffers).await
            }
            Kernels::Packed => self.packed_forward(recorder, span, (bias_offset, write), weights, buffers).await,
            Kernels::Tiled3x3 | Kernels::Baseline => {
                self.tiles(recorder, span, (inputs, outputs), (bias_offset, write), weights, buffers).await
            }
        }
    }

    /// `output` = convolution of `input` plus bias, for the images of `span`.
    ///
    /// # Errors
    /// Device errors.
    pub async fn forward(
        &self,
        recorder: &mut Recorder,
        span: Span,
        input: &Buffer,
        weights: ConvWeights<'_>,
        output: &Buffer,
    ) -> Result<(), GpuError> {
        self.convolve(recorder, span, input, weights, (self.bias_offset, Write::Replace), output).await
    }

    /// `output_dot` = the tangent of [`Conv2d::forward`]: convolution of `input_dot` with the
    /// weights, plus that of `input` with the direction's weights, plus the direction's bias.
    /// Without `input_dot` the input has no tangent, without a direction the weights have none.
    ///
    /// # Errors
    /// Device errors.
    pub async fn tangent(
        &self,
        recorder: &mut Recorder,
        span: Span,
        (input, input_dot): (&Buffer, Option<&Buffer>),
        (weights, direction): (ConvWeights<'_>, Option<ConvWeights<'_>>),
        output_dot: &Buffer,
    ) -> Result<(), GpuError> {
        let mut write = Write::Replace;
        if let Some(input_dot) = input_dot {
            self.convolve(recorder, span, input_dot, weights, (NONE, write), output_dot).await?;
            write = Write::Add;
        }
        match direction {
            Some(direction) => {
                self.convolve(recorder, span, input, direction, (self.bias_offset, write), output_dot).await
            }
            None => Ok(()),
        }
    }

    async fn convolve(
        &self,
        recorder: &mut Recorder,
        span: Span,
        input: &Buffer,
        weights: ConvWeights<'_>,
        (bias_offset, write): (u32, Write),
        output: &Buffer,
    ) -> Result<(), GpuError> {
        let bias_offset = if bias_offset == NONE { NONE } else { span.parameter_offset(bias_offset) };
        if let Some(packed) = &weights.packed.forward {
            let direction = (self.in_channels, self.out_channels, false);
            let weights = (packed, weights.parameters);
            let buffers = (input, output);
            return self.packed_products(recorder, span, direction, (bias_offset, write), weights, buffers).await;
        }
        self.baseline_forward(recorder, span, (bias_offset, write), weights.parameters, (input, output))
    }

    /// `d_input` = gradient with respect to the input, or is added to.
    ///
    /// # Errors
    /// Device errors.
    pub async fn backward_input(
        &self,
        recorder: &mut Recorder,
        span: Span,
        d_output: &Buffer,
        weights: ConvWeights<'_>,
        (d_input, write): (&Buffer, Write),
    ) -> Result<(), GpuError> {
        self.convolve_back(recorder, span, d_output, weights, write, d_input).await
    }

    /// `d_input_dot` = the tangent of [`Conv2d::backward_input`], or is added to: that of
    /// `d_output_dot` with the weights plus that of `d_output` with the direction's, where the weights
    /// have a tangent.
    ///
    /// # Errors
    /// Device errors.
    pub async fn backward_input_tangent(
        &self,
        recorder: &mut Recorder,
        span: Span,
        (d_output, d_output_dot): (&Buffer, &Buffer),
        (weights, direction): (ConvWeights<'_>, Option<ConvWeights<'_>>),
        (d_input_dot, write): (&Buffer, Write),
    ) -> Result<(), GpuError> {
        self.convolve_back(recorder, span, d_output_dot, weights, write, d_input_dot).await?;
        match direction {
            Some(direction) => self.convolve_back(recorder, span, d_output, direction, Write::Add, d_input_dot).await,
            None => Ok(()),
        }
    }

    async fn convolve_back(
        &self,
        recorder: &mut Recorder,
        span: Span,
        d_output: &Buffer,
        weights: ConvWeights<'_>,
        write: Write,
        d_input: &Buffer,
    ) -> Result<(), GpuError> {
        if let Some(packed) = &weights.packed.backward {
            let direction = (self.out_channels, self.in_channels, true);
            let weights = (packed, weights.parameters);
            let buffers = (d_output, d_input);
            return self.packed_products(recorder, span, direction, (NONE, write), weights, buffers).await;
        }
        self.baseline_backward_input(recorder, span, weights.parameters, (d_output, d_input), write)
    }

    /// Elements of the partial sums that the weight gradient of up to `images` images needs, of up
    /// to `tasks` tasks with a gradient of their own.
    pub fn partial_elements(&self, images: u32, tasks: u32) -> u64 {
        let (images_per_split, segments) = self.split();
        most_splits(images, tasks, images_per_split) * u64::from(segments) * self.parameter_elements()
    }

    fn parameter_elements(&self) -> u64 {
        u64::from(self.out_channels) * (u64::from(self.in_channels * self.kernel * self.kernel) + 1)
    }

    /// Images of one split, and splits of one image where it is more than one; both depend on the
    /// geometry alone.
    fn split(&self) -> (u32, u32) {
        let area = (self.out_size[0] * self.out_size[1]).max(1);
        match self.kernels {
            Kernels::Pointwise => pointwise::split(area),
            _ => ((SPLIT_PIXELS / area).max(1), 1),
        }
    }

    /// Adds the gradient with respect to weight and bias.
    ///
    /// # Errors
    /// Device errors.
    pub fn backward_weight(
        &self,
        recorder: &mut Recorder,
        span: Span,
        input: &Buffer,
        d_output: &Buffer,
        target: GradientTarget<'_>,
    ) -> Result<(), GpuError> {
        self.weight_products(recorder, span, input, d_output, target, true)
    }

    /// Adds the tangent of [`Conv2d::backward_weight`]: the gradient of `input` and `d_output_dot`
    /// plus, where the input has a tangent, the weight's of `input_dot` and `d_output`.
    ///
    /// # Errors
    /// Device errors.
    pub fn backward_weight_tangent(
        &self,
        recorder: &mut Recorder,
        span: Span,
        (input, input_dot): (&Buffer, Option<&Buffer>),
        (d_output, d_output_dot): (&Buffer, &Buffer),
        target: GradientTarget<'_>,
    ) -> Result<(), GpuError> {
        self.weight_products(recorder, span, input, d_output_dot, target, true)?;
        match input_dot {
            Some(input_dot) => self.weight_products(recorder, span, input_dot, d_output, target, false),
            None => Ok(()),
        }
    }

    /// Adds the gradient with respect to the weight, and to the bias where `with_bias`.
    fn weight_products(
        &self,
        recorder: &mut Recorder,
        span: Span,
        input: &Buffer,
        d_output: &Buffer,
        target: GradientTarget<'_>,
        with_bias: bool,
    ) -> Result<(), GpuError> {
        recorder.work(f64::from(span.all_images()) * self.flops());
        let (tasks, images_per_task) = span.gradient_tasks();
        let (images_per_split, segments) = self.split();
        let splits_per_task = images_per_task.div_ceil(images_per_split).max(1) * segments;
        let splits =
            Splits { all: tasks * splits_per_task, per_task: splits_per_task, images_per_split, images_per_task };
        let products = (input, d_output, target.partials);
        match self.kernels {
            Kernels::Tiled3x3 => self.tiled_weight_products(recorder, span, splits, products)?,
            Kernels::Pointwise => {
                let channels = (self.in_channels, self.out_channels);
                let pixels = self.in_size[0] * self.in_size[1];
                pointwise::weight_products(recorder, (span, pixels), channels, (splits, segments), products)?;
            }
            Kernels::Packed | Kernels::Baseline => {
                self.baseline_weight_products(recorder, span, splits, products)?;
            }
        }
        let weights = self.parameter_elements() as u32 - self.out_channels;
        let has_bias = self.bias_offset != NONE;
        let added = if with_bias && has_bias { weights + self.out_channels } else { weights };
        let params = conv2d_reduce_partials::Params {
            tasks,
            splits_per_task,
            weights,
            biases: self.out_channels,
            added,
            weight_offset: span.gradient_offset(self.weight_offset),
            bias_offset: if has_bias { span.gradient_offset(self.bias_offset) } else { 0 },
            gradient_stride: span.gradient_stride(),
        };
        let buffers =
            conv2d_reduce_partials::Buffers { partials: target.partials.all(), gradient: target.gradient.all() };
        recorder.dispatch(params, buffers, u64::from(tasks) * u64::from(added))
    }
}

/// How the images of a weight gradient are split into partial sums.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Splits {
    /// Of all tasks.
    pub all: u32,
    pub per_task: u32,
    pub images_per_split: u32,
    pub images_per_task: u32,
}

/// The kernels that take a convolution on a device of this tier. Measured on processors alone: in a
/// browser's software adapter the tiled ones take 2.5 s to compile; on a GPU the weight gradient's
/// 288 sums may spill, which is to be measured before this rule is kept.
fn kernels(shape: (u32, u32, u32), keeps_size: bool, out_channels: u32, tier: Tier) -> Kernels {
    match (shape, tier) {
        ((3, 1, 1), Tier::Cpu | Tier::Gpu | Tier::Browser) if keeps_size => Kernels::Tiled3x3,
        ((1, 1, 0), Tier::Cpu | Tier::Gpu | Tier::Browser) if keeps_size => Kernels::Pointwise,
        (_, Tier::Cpu | Tier::Gpu | Tier::Browser) if out_channels >= FEWEST_PACKED => Kernels::Packed,
        _ => Kernels::Baseline,
    }
}

/// The most splits of s images that up to `images` images need, of up to `tasks` tasks whose sums
/// are their own: n images are ⌈n/s⌉ splits, at most (n + s − 1)/s, added up over the tasks.
pub(crate) fn most_splits(images: u32, tasks: u32, split: u32) -> u64 {
    let (images, tasks, split) = (u64::from(images), u64::from(tasks.min(images)), u64::from(split));
    ((images + tasks * (split - 1)) / split).max(1)
}

fn elements(channels: u32, size: [u32; 2]) -> u64 {
    u64::from(channels) * u64::from(size[0]) * u64::from(size[1])
}
