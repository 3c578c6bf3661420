//! The classifier: a linear layer with bias on rows of features, for tasks with shared or own
//! parameters; forward, backward, tangent, and tangent of the backward pass.
//!
//! Every buffer of rows holds those of all tasks of a pass, `[tasks · images, features]`; a call
//! works on some of them, so that a chunk of a pass needs no buffers of its own.

use inkling_gpu::kernels::{linear_backward_input, linear_backward_weight, linear_forward};
use inkling_gpu::{Buffer, GpuError, Recorder};

use crate::axis::Rows;
use crate::layout::Layout;

/// Stands for "no bias" in kernels.
const NONE: u32 = u32::MAX;

/// A linear layer: its sizes and where its parameters lie.
#[derive(Clone, Copy, Debug)]
pub struct Linear {
    in_features: u32,
    out_features: u32,
    weight_offset: u32,
    bias_offset: u32,
}

/// What a launch does beside its product: the offset of a bias, or none, and whether the product
/// is added to what is there.
#[derive(Clone, Copy)]
struct Beside {
    bias_offset: u32,
    accumulate: u32,
}

impl Linear {
    /// Adds the layer's `weight` [out, in] and `bias` [out] to `layout` under `name`.
    pub fn new(layout: &mut Layout, name: &str, in_features: u32, out_features: u32) -> Self {
        let (i, o) = (in_features as usize, out_features as usize);
        let weight_offset = layout.push(format!("{name}.weight"), &[o, i]);
        let bias_offset = layout.push(format!("{name}.bias"), &[o]);
        Self { in_features, out_features, weight_offset, bias_offset }
    }

    /// The first element of the weight, its elements, and the inputs of each output.
    pub fn weight_range(&self) -> (u32, u32, u32) {
        (self.weight_offset, self.in_features * self.out_features, self.in_features)
    }

    /// Floating-point operations of the product for one row.
    pub fn flops(&self) -> f64 {
        2.0 * f64::from(self.in_features) * f64::from(self.out_features)
    }

    /// Features of the output.
    pub fn out_features(&self) -> u32 {
        self.out_features
    }

    /// `output` rows = W · `input` rows + b.
    ///
    /// # Errors
    /// Device errors.
    pub fn forward(
        &self,
        recorder: &mut Recorder,
        rows: Rows,
        input: &Buffer,
        parameters: &Buffer,
        output: &Buffer,
    ) -> Result<(), GpuError> {
        let beside = Beside { bias_offset: self.bias_offset, accumulate: 0 };
        self.product(recorder, rows, input, parameters, beside, output)
    }

    /// `output` rows += W · `input` rows + b.
    ///
    /// # Errors
    /// Device errors.
    pub fn add_forward(
        &self,
        recorder: &mut Recorder,
        rows: Rows,
        input: &Buffer,
        parameters: &Buffer,
        output: &Buffer,
    ) -> Result<(), GpuError> {
        let beside = Beside { bias_offset: self.bias_offset, accumulate: 1 };
        self.product(recorder, rows, input, parameters, beside, output)
    }

    /// `output_dot` rows = the tangent of [`Linear::forward`]: W·ẋ + Ẇ·x + ḃ, with Ẇ and ḃ of
    /// `direction`, a vector of the parameters' layout.
    ///
    /// # Errors
    /// Device errors.
    pub fn tangent(
        &self,
        recorder: &mut Recorder,
        rows: Rows,
        (input, input_dot): (&Buffer, &Buffer),
        (parameters, direction): (&Buffer, &Buffer),
        output_dot: &Buffer,
    ) -> Result<(), GpuError> {
        let first = Beside { bias_offset: NONE, accumulate: 0 };
        self.product(recorder, rows, input_dot, parameters, first, output_dot)?;
        let second = Beside { bias_offset: self.bias_offset, accumulate: 1 };
        self.product(recorder, rows, input, direction, second, output_dot)
    }

    fn product(
        &self,
        recorder: &mut Recorder,
        rows: Rows,
        input: &Buffer,
        parameters: &Buffer,
        Beside { bias_offset, accumulate }: Beside,
        output: &Buffer,
    ) -> Result<(), GpuError> {
        let params = linear_forward::Params {
            first_image: rows.first,
            images: rows.count,
            in_features: self.in_features,
            out_features: self.out_features,
            images_per_task: rows.axis.images,
            parameter_stride: rows.axis.parameter_stride,
            weight_offset: self.weight_offset,
            bias_offset,
            accumulate,
        };
        let buffers =
            linear_forward::Buffers { input: input.all(), parameters: parameters.all(), output: output.all() };
        recorder.dispatch(params, buffers, u64::from(rows.count) * u64::from(self.out_features))
    }

    /// `d_input` rows = Wᵀ · `d_output` rows.
    ///
    /// # Errors
    /// Device errors.
    pub fn backward_input(
        &self,
        recorder: &mut Recorder,
        rows: Rows,
        d_output: &Buffer,
        parameters: &Buffer,
        d_input: &Buffer,
    ) -> Result<(), GpuError> {
        self.product_back(recorder, rows, d_output, parameters, 0, d_input)
    }

    /// `d_input` rows += Wᵀ · `d_output` rows.
    ///
    /// # Errors
    /// Device errors.
    pub fn add_backward_input(
        &self,
        recorder: &mut Recorder,
        rows: Rows,
        d_output: &Buffer,
        parameters: &Buffer,
        d_input: &Buffer,
    ) -> Result<(), GpuError> {
        self.product_back(recorder, rows, d_output, parameters, 1, d_input)
    }

    fn product_back(
        &self,
        recorder: &mut Recorder,
        rows: Rows,
        d_output: &Buffer,
        parameters: &Buffer,
        accumulate: u32,
        d_input: &Buffer,
    ) -> Result<(), GpuError> {
        let params = linear_backward_input::Params {
            first_image: rows.first,
            images: rows.count,
            in_features: self.in_features,
            out_features: self.out_features,
            images_per_task: rows.axis.images,
            parameter_stride: rows.axis.parameter_stride,
            weight_offset: self.weight_offset,
            accumulate,
        };
        let buffers = linear_backward_input::Buffers {
            d_output: d_output.all(),
            parameters: parameters.all(),
            d_input: d_input.all(),
        };
        recorder.dispatch(params, buffers, u64::from(rows.count) * u64::from(self.in_features))
    }

    /// Adds the gradient with respect to weight and bias to the flat `gradient`, or to that of each
    /// task.
    ///
    /// # Errors
    /// Device errors.
    pub fn backward_weight(
        &self,
        recorder: &mut Recorder,
        rows: Rows,
        input: &Buffer,
        d_output: &Buffer,
        gradient: &Buffer,
    ) -> Result<(), GpuError> {
        self.weight_products(recorder, rows, input, d_output, self.bias_offset, gradient)
    }

    fn weight_products(
        &self,
        recorder: &mut Recorder,
        rows: Rows,
        input: &Buffer,
        d_output: &Buffer,
        bias_offset: u32,
        gradient: &Buffer,
    ) -> Result<(), GpuError> {
        let params = linear_backward_weight::Params {
            first_image: rows.first,
            images: rows.count,
            in_features: self.in_features,
            out_features: self.out_features,
            images_per_task: rows.axis.images,
            gradient_stride: rows.axis.gradient_stride,
            weight_offset: self.weight_offset,
            bias_offset,
        };
        let buffers =
            linear_backward_weight::Buffers { input: input.all(), d_output: d_output.all(), gradient: gradient.all() };
        let owners = if rows.axis.gradient_stride == 0 { 1 } else { rows.tasks() };
        let weights = u64::from(self.out_features) * u64::from(self.in_features + 1);
        recorder.dispatch(params, buffers, u64::from(owners) * weights)
    }

    /// The tangents of [`Linear::backward_input`], written to `d_input_dot`, and of
    /// [`Linear::backward_weight`], added to `gradient_dot`: Wᵀ·ẏ' + Ẇᵀ·y' and Σ ẏ' xᵀ + y' ẋᵀ,
    /// where y' is `d_output` and ẏ' its tangent.
    ///
    /// # Errors
    /// Device errors.
    pub fn backward_tangent(
        &self,
        recorder: &mut Recorder,
        rows: Rows,
        (input, input_dot): (&Buffer, &Buffer),
        (d_output, d_output_dot): (&Buffer, &Buffer),
        (parameters, direction): (&Buffer, &Buffer),
        (d_input_dot, gradient_dot): (&Buffer, &Buffer),
    ) -> Result<(), GpuError> {
        self.product_back(recorder, rows, d_output_dot, parameters, 0, d_input_dot)?;
        self.product_back(recorder, rows, d_output, direction, 1, d_input_dot)?;
        self.weight_products(recorder, rows, input, d_output_dot, self.bias_offset, gradient_dot)?;
        self.weight_products(recorder, rows, input_dot, d_output, NONE, gradient_dot)
    }
}
