//! Perceptrons of three linear layers with ELU between them, on rows of features.

use inkling_gpu::kernels::{elu_backward, elu_forward};
use inkling_gpu::{Buffer, GpuError, Recorder};
use inkling_nn::{Layout, Linear, Rows};

/// The layers; their parameters are shared by all rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Perceptron {
    layers: [Linear; 3],
    hidden: u32,
}

impl Perceptron {
    /// Adds the layers `name.0`, `name.2` and `name.4` to `layout`, as they are numbered in a
    /// sequence with the activations; `features`: of the input, of each hidden layer, of the output.
    pub(super) fn new(layout: &mut Layout, name: &str, features: [u32; 3]) -> Self {
        let [inputs, hidden, outputs] = features;
        let mut layer = |number: u32, from, to| Linear::new(layout, &format!("{name}.{number}"), from, to);
        Self { layers: [layer(0, inputs, hidden), layer(2, hidden, hidden), layer(4, hidden, outputs)], hidden }
    }

    /// First values: normal weights of variance 1/inputs, and a last layer of zero, so that the
    /// output begins as what it is added to.
    pub(super) fn initialize(&self, parameters: &mut [f32], normal: &mut dyn FnMut() -> f32) {
        for layer in self.layers.iter().take(2) {
            let (offset, length, inputs) = layer.weight_range();
            let deviation = (inputs as f32).sqrt().recip();
            parameters
                .iter_mut()
                .skip(offset as usize)
                .take(length as usize)
                .for_each(|value| *value = deviation * normal());
        }
    }

    /// Multiply-accumulates of one row.
    pub(super) fn macs(&self) -> f64 {
        self.layers.iter().map(|layer| layer.flops() / 2.0).sum()
    }

    /// Adds the output of `rows` to `output`; `input` with the flat parameters, the hidden features
    /// are kept.
    pub(super) async fn add_forward(
        &self,
        recorder: &mut Recorder,
        rows: Rows,
        (input, parameters): (&Buffer, &Buffer),
        hidden: &[Buffer; 2],
        output: &Buffer,
    ) -> Result<(), GpuError> {
        let [first, second, third] = &self.layers;
        let [h1, h2] = hidden;
        let elements = rows.count * self.hidden;
        let params = elu_forward::Params { elements };
        recorder.work(2.0 * self.macs() * f64::from(rows.count));
        first.forward(recorder, rows, input, parameters, h1)?;
        recorder.dispatch(params, elu_forward::Buffers { values: h1.all() }, elements.into())?;
        second.forward(recorder, rows, h1, parameters, h2)?;
        recorder.dispatch(params, elu_forward::Buffers { values: h2.all() }, elements.into())?;
        third.add_forward(recorder, rows, h2, parameters, output)?;
        recorder.breathe().await
    }

    /// From the output's gradient to those of the input and of the flat parameters, to which it
    /// adds; `kept` are the hidden features and the output's gradient, `results` scratch for the
    /// gradients of hidden features, and where to add.
    pub(super) async fn add_backward(
        &self,
        recorder: &mut Recorder,
        rows: Rows,
        (input, parameters): (&Buffer, &Buffer),
        kept: (&[Buffer; 2], &Buffer),
        results: (&[Buffer; 2], &Buffer, &Buffer),
    ) -> Result<(), GpuError> {
        let [first, second, third] = &self.layers;
        let ([h1, h2], d_output) = kept;
        let ([d_h1, d_h2], d_input, gradient) = results;
        let elements = rows.count * self.hidden;
        let params = elu_backward::Params { elements };
        recorder.work(4.0 * self.macs() * f64::from(rows.count));
        third.backward_weight(recorder, rows, h2, d_output, gradient)?;
        third.backward_input(recorder, rows, d_output, parameters, d_h2)?;
        recorder.dispatch(params, elu_backward::Buffers { output: h2.all(), gradient: d_h2.all() }, elements.into())?;
        second.backward_weight(recorder, rows, h1, d_h2, gradient)?;
        second.backward_input(recorder, rows, d_h2, parameters, d_h1)?;
        recorder.dispatch(params, elu_backward::Buffers { output: h1.all(), gradient: d_h1.all() }, elements.into())?;
        first.backward_weight(recorder, rows, input, d_h1, gradient)?;
        first.add_backward_input(recorder, rows, d_h1, parameters, d_input)?;
        recorder.breathe().await
    }
}
