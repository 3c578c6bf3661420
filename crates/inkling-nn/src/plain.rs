//! Layers without parameters: activations that stand by themselves, max-pooling with overlapping
//! windows, the gate of squeeze-and-excitation, and dropout.

use inkling_gpu::kernels::{
    drop_forward, gate_backward, gate_forward, max_pool_backward, max_pool_forward, rectify_backward, rectify_forward,
    silu_backward, silu_forward,
};
use inkling_gpu::{Buffer, GpuError, Recorder};

/// Invocations that add up one plane together.
pub(crate) const PLANE_INVOCATIONS: u64 = 64;

/// What a layer without parameters computes, for each image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Plain {
    /// x where it is above zero, else slope · x.
    Rectify {
        /// Elements of an image.
        elements: u64,
        /// Zero or above.
        slope: f32,
    },
    /// x · σ(x).
    Silu {
        /// Elements of an image.
        elements: u64,
    },
    /// The largest of each window.
    MaxPool(MaxPool),
    /// Each channel of the first input times the sigmoid of its value in the second.
    Gate {
        /// Channels of an image.
        channels: u32,
        /// Pixels of a channel.
        pixels: u32,
    },
    /// Groups of elements that are set to zero by chance, while training.
    Drop(Dropout),
}

/// Dropout's probability and what it drops.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Dropout {
    /// Elements of an image.
    pub elements: u64,
    /// Elements that are dropped together.
    pub group: u64,
    /// Tells the layers of a network apart.
    pub layer: u32,
    /// Thousandths that are dropped, below 1,000.
    pub permille: u32,
}

/// Max-pooling's geometry.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct MaxPool {
    channels: u32,
    in_size: [u32; 2],
    kernel: u32,
    stride: u32,
    padding: u32,
}

impl MaxPool {
    /// Windows of kernel × kernel, `stride` apart, with `padding` pixels on every side that never
    /// are the largest; `padding` is at most half of `kernel`, and the image at least as large as
    /// the windows without it.
    pub(crate) fn new((channels, in_size): (u32, [u32; 2]), [kernel, stride, padding]: [u32; 3]) -> Self {
        Self { channels, in_size, kernel, stride, padding }
    }

    /// Height and width of the output.
    pub(crate) fn out_size(&self) -> [u32; 2] {
        self.in_size.map(|size| (size + 2 * self.padding).saturating_sub(self.kernel) / self.stride + 1)
    }

    /// `output` = what `values` has where `input` is largest in each window.
    ///
    /// # Errors
    /// Device errors.
    pub(crate) fn gather(
        &self,
        recorder: &mut Recorder,
        images: u32,
        [input, values]: [&Buffer; 2],
        output: &Buffer,
    ) -> Result<(), GpuError> {
        let (planes, [out_height, out_width]) = (images * self.channels, self.out_size());
        let params = max_pool_forward::Params {
            planes,
            in_height: self.in_size[0],
            in_width: self.in_size[1],
            out_height,
            out_width,
            kernel: self.kernel,
            stride: self.stride,
            padding: self.padding,
        };
        let buffers = max_pool_forward::Buffers { input: input.all(), values: values.all(), output: output.all() };
        recorder.dispatch(params, buffers, u64::from(planes) * u64::from(out_height * out_width))
    }
}

/// What a backward pass finds: both inputs (twice the first where there is one), the output, and
/// its gradient.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlainValues<'b> {
    /// What [`Plain::keeps_inputs`] says is there.
    pub inputs: [Option<&'b Buffer>; 2],
    /// What [`Plain::keeps_output`] says is there.
    pub output: Option<&'b Buffer>,
    /// The keys of the images, as in the forward pass.
    pub keys: Option<&'b Buffer>,
    /// The gradient of the output.
    pub d_output: &'b Buffer,
}

impl Plain {
    /// Whether the backward pass reads the inputs.
    pub(crate) fn keeps_inputs(&self) -> bool {
        !matches!(self, Self::Rectify { .. } | Self::Drop(_))
    }

    /// Whether the backward pass reads the output.
    pub(crate) fn keeps_output(&self) -> bool {
        matches!(self, Self::Rectify { .. })
    }

    /// `output` = the layer of the inputs, of which all but the gate have one; `keys` are the images',
    /// for layers that drop.
    ///
    /// # Errors
    /// Device errors.
    pub(crate) fn forward(
        &self,
        recorder: &mut Recorder,
        images: u32,
        ([input, second], keys): ([&Buffer; 2], Option<&Buffer>),
        output: &Buffer,
    ) -> Result<(), GpuError> {
        if let Self::Drop(drop) = self {
            return keys.map_or(Ok(()), |keys| drop.apply(recorder, images, (input, keys), output));
        }
        if let Self::MaxPool(pool) = self {
            return pool.gather(recorder, images, [input, input], output);
        }
        let (input, second, output) = (input.all(), second.all(), output.all());
        match *self {
            Self::Rectify { elements, slope } => {
                // Within a buffer, and so below 2^32.
                let elements = u64::from(images) * elements;
                let params = rectify_forward::Params { elements: elements as u32, slope };
                recorder.dispatch(params, rectify_forward::Buffers { input, output }, elements.div_ceil(4))
            }
            Self::Silu { elements } => {
                let elements = u64::from(images) * elements;
                let params = silu_forward::Params { elements: elements as u32 };
                recorder.dispatch(params, silu_forward::Buffers { input, output }, elements.div_ceil(4))
            }
            Self::Gate { channels, pixels } => {
                let params = gate_forward::Params { planes: images * channels, pixels };
                let elements = u64::from(images * channels) * u64::from(pixels);
                let buffers = gate_forward::Buffers { input, gates: second, output };
                recorder.dispatch(params, buffers, elements.div_ceil(4))
            }
            Self::MaxPool(_) | Self::Drop(_) => Ok(()),
        }
    }

    /// Writes the gradients of the inputs that have a place for it.
    ///
    /// # Errors
    /// Device errors.
    pub(crate) fn backward(
        &self,
        recorder: &mut Recorder,
        images: u32,
        values: PlainValues<'_>,
        [d_input, d_second]: [Option<&Buffer>; 2],
    ) -> Result<(), GpuError> {
        let PlainValues { inputs: [input, second], output, keys, d_output } = values;
        if let (Self::Gate { channels, pixels }, Some(input), Some(gates)) = (*self, input, second) {
            return gate(recorder, (images * channels, pixels), [input, gates, d_output], [d_input, d_second]);
        }
        let Some(d_input) = d_input else { return Ok(()) };
        if let (Self::Drop(drop), Some(keys)) = (self, keys) {
            return drop.apply(recorder, images, (d_output, keys), d_input);
        }
        let (d_output, d_input) = (d_output.all(), d_input.all());
        match (*self, input, output) {
            (Self::Rectify { elements, slope }, _, Some(output)) => {
                let elements = u64::from(images) * elements;
                let params = rectify_backward::Params { elements: elements as u32, slope };
                let buffers = rectify_backward::Buffers { output: output.all(), d_output, d_input };
                recorder.dispatch(params, buffers, elements.div_ceil(4))
            }
            (Self::Silu { elements }, Some(input), _) => {
                let elements = u64::from(images) * elements;
                let params = silu_backward::Params { elements: elements as u32 };
                let buffers = silu_backward::Buffers { input: input.all(), d_output, d_input };
                recorder.dispatch(params, buffers, elements.div_ceil(4))
            }
            (Self::MaxPool(pool), Some(input), _) => {
                let (planes, [out_height, out_width]) = (images * pool.channels, pool.out_size());
                let params = max_pool_backward::Params {
                    planes,
                    in_height: pool.in_size[0],
                    in_width: pool.in_size[1],
                    out_height,
                    out_width,
                    kernel: pool.kernel,
                    stride: pool.stride,
                    padding: pool.padding,
                };
                let pixels = u64::from(planes) * u64::from(pool.in_size[0] * pool.in_size[1]);
                recorder.dispatch(params, max_pool_backward::Buffers { input: input.all(), d_output, d_input }, pixels)
            }
            _ => Ok(()),
        }
    }
}

impl Dropout {
    /// `to` = `from` without what is dropped of it.
    fn apply(
        &self,
        recorder: &mut Recorder,
        images: u32,
        (from, keys): (&Buffer, &Buffer),
        to: &Buffer,
    ) -> Result<(), GpuError> {
        let kept = 1000 - self.permille.min(999);
        let params = drop_forward::Params {
            images,
            // Within a buffer, and so below 2^32.
            elements: self.elements as u32,
            group: self.group.max(1) as u32,
            layer: self.layer,
            threshold: ((u64::from(1000 - kept) << 32) / 1000) as u32,
            scale: 1000.0 / kept as f32,
        };
        let buffers = drop_forward::Buffers { input: from.all(), keys: keys.all(), output: to.all() };
        recorder.dispatch(params, buffers, (u64::from(images) * self.elements).div_ceil(4))
    }
}

/// Both gradients of a gate, whose derivative with respect to its first input is the gate.
fn gate(
    recorder: &mut Recorder,
    (planes, pixels): (u32, u32),
    [input, gates, d_output]: [&Buffer; 3],
    [d_input, d_gates]: [Option<&Buffer>; 2],
) -> Result<(), GpuError> {
    let (gates, d_output) = (gates.all(), d_output.all());
    if let Some(d_input) = d_input {
        let buffers = gate_forward::Buffers { input: d_output, gates, output: d_input.all() };
        let elements = u64::from(planes) * u64::from(pixels);
        recorder.dispatch(gate_forward::Params { planes, pixels }, buffers, elements.div_ceil(4))?;
    }
    if let Some(d_gates) = d_gates {
        let buffers = gate_backward::Buffers { input: input.all(), gates, d_output, d_gates: d_gates.all() };
        let invocations = PLANE_INVOCATIONS * u64::from(planes);
        recorder.dispatch(gate_backward::Params { planes, pixels }, buffers, invocations)?;
    }
    Ok(())
}
