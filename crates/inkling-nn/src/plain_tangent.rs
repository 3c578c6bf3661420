//! The tangents of layers without parameters, of their forward passes and, forward over reverse, of
//! their backward passes. But for SiLU and gate these are linear where they are differentiable, so
//! that tangents go the ways of values and gradients.

use inkling_gpu::kernels::{gate_backward_tangent, gate_tangent, silu_backward_tangent};
use inkling_gpu::{Buffer, GpuError, Recorder};

use crate::plain::{PLANE_INVOCATIONS, Plain, PlainValues};

/// The tangents that belong to [`PlainValues`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlainTangents<'b> {
    /// Those of both inputs, where [`Plain::keeps_input_tangents`] says so.
    pub inputs: [Option<&'b Buffer>; 2],
    /// That of the output's gradient.
    pub d_output: &'b Buffer,
}

/// Values, or gradients, that a gate multiplies, with their tangent.
type Dual<'b> = [&'b Buffer; 2];

impl Plain {
    /// Whether [`Plain::backward_tangent`] reads the tangents of the inputs.
    pub(crate) fn keeps_input_tangents(&self) -> bool {
        matches!(self, Self::Silu { .. } | Self::Gate { .. })
    }

    /// `output_dot` = the tangent of [`Plain::forward`], of inputs with these tangents (twice the
    /// first where there is one).
    ///
    /// # Errors
    /// Device errors.
    pub(crate) fn tangent(
        &self,
        recorder: &mut Recorder,
        images: u32,
        (inputs, output, keys): ([Option<&Buffer>; 2], Option<&Buffer>, Option<&Buffer>),
        [input_dot, second_dot]: [&Buffer; 2],
        output_dot: &Buffer,
    ) -> Result<(), GpuError> {
        match (*self, inputs) {
            (Self::MaxPool(pool), [Some(input), _]) => pool.gather(recorder, images, [input, input_dot], output_dot),
            (Self::Gate { channels, pixels }, [Some(input), Some(gates)]) => {
                let planes = images * channels;
                gate_product(recorder, (planes, pixels), [input, input_dot], [gates, second_dot], output_dot)
            }
            // Each element by itself: its slope times its tangent is what its gradient would be.
            (Self::Rectify { .. } | Self::Silu { .. } | Self::Drop(_), _) => {
                let values = PlainValues { inputs, output, keys, d_output: input_dot };
                self.backward(recorder, images, values, [Some(output_dot), None])
            }
            (Self::MaxPool(_) | Self::Gate { .. }, _) => Ok(()),
        }
    }

    /// Writes the tangents of the inputs' gradients that have a place for it.
    ///
    /// # Errors
    /// Device errors.
    pub(crate) fn backward_tangent(
        &self,
        recorder: &mut Recorder,
        images: u32,
        values: PlainValues<'_>,
        tangents: PlainTangents<'_>,
        [d_input_dot, d_second_dot]: [Option<&Buffer>; 2],
    ) -> Result<(), GpuError> {
        let d_outputs = [values.d_output, tangents.d_output];
        match (*self, values.inputs, tangents.inputs) {
            (Self::Silu { elements }, [Some(input), _], [Some(input_dot), _]) => {
                let Some(d_input_dot) = d_input_dot else { return Ok(()) };
                // Within a buffer, and so below 2^32.
                let elements = u64::from(images) * elements;
                let buffers = silu_backward_tangent::Buffers {
                    input: input.all(),
                    input_dot: input_dot.all(),
                    d_output: values.d_output.all(),
                    d_output_dot: tangents.d_output.all(),
                    d_input_dot: d_input_dot.all(),
                };
                let params = silu_backward_tangent::Params { elements: elements as u32 };
                recorder.dispatch(params, buffers, elements.div_ceil(4))
            }
            (Self::Gate { channels, pixels }, [Some(input), Some(gates)], [Some(input_dot), Some(gates_dot)]) => {
                let (planes, gates) = ((images * channels, pixels), [gates, gates_dot]);
                if let Some(d_input_dot) = d_input_dot {
                    gate_product(recorder, planes, d_outputs, gates, d_input_dot)?;
                }
                match d_second_dot {
                    Some(to) => gate_sums(recorder, planes, [input, input_dot], gates, d_outputs, to),
                    None => Ok(()),
                }
            }
            (Self::Rectify { .. } | Self::MaxPool(_) | Self::Drop(_), _, _) => {
                let values = PlainValues { d_output: tangents.d_output, ..values };
                self.backward(recorder, images, values, [d_input_dot, None])
            }
            (Self::Silu { .. } | Self::Gate { .. }, _, _) => Ok(()),
        }
    }
}

/// The tangent of values times their gates.
fn gate_product(
    recorder: &mut Recorder,
    (planes, pixels): (u32, u32),
    [input, input_dot]: Dual<'_>,
    [gates, gates_dot]: Dual<'_>,
    output_dot: &Buffer,
) -> Result<(), GpuError> {
    let buffers = gate_tangent::Buffers {
        input: input.all(),
        input_dot: input_dot.all(),
        gates: gates.all(),
        gates_dot: gates_dot.all(),
        output_dot: output_dot.all(),
    };
    let elements = u64::from(planes) * u64::from(pixels);
    recorder.dispatch(gate_tangent::Params { planes, pixels }, buffers, elements.div_ceil(4))
}

/// The tangent of the gates' gradient.
fn gate_sums(
    recorder: &mut Recorder,
    (planes, pixels): (u32, u32),
    [input, input_dot]: Dual<'_>,
    [gates, gates_dot]: Dual<'_>,
    [d_output, d_output_dot]: Dual<'_>,
    d_gates_dot: &Buffer,
) -> Result<(), GpuError> {
    let buffers = gate_backward_tangent::Buffers {
        input: input.all(),
        input_dot: input_dot.all(),
        gates: gates.all(),
        gates_dot: gates_dot.all(),
        d_output: d_output.all(),
        d_output_dot: d_output_dot.all(),
        d_gates_dot: d_gates_dot.all(),
    };
    let params = gate_backward_tangent::Params { planes, pixels };
    recorder.dispatch(params, buffers, PLANE_INVOCATIONS * u64::from(planes))
}
