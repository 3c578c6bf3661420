//! Twins of the layers without parameters: activations by themselves, max-pooling, the gate of
//! squeeze-and-excitation, and dropout.

use crate::{
    DropForwardParams, GateBackwardParams, GateBackwardTangentParams, GateForwardParams, GateTangentParams,
    MaxPoolBackwardParams, MaxPoolForwardParams, Real, RectifyBackwardParams, RectifyForwardParams, SiluBackwardParams,
    SiluBackwardTangentParams, SiluForwardParams,
};

fn sigmoid<F: Real>(x: F) -> F {
    F::ONE / (F::ONE + (-x).exp())
}

/// The leaky ReLU: x where it is above zero, else slope · x.
pub fn rectify_forward<F: Real>(params: &RectifyForwardParams, input: &[F], output: &mut [F]) {
    let slope = F::of(params.slope.into());
    for at in 0..params.elements as usize {
        output[at] = if input[at] <= F::ZERO { slope * input[at] } else { input[at] };
    }
}

/// Gradient with respect to the input, from the output.
pub fn rectify_backward<F: Real>(params: &RectifyBackwardParams, output: &[F], d_output: &[F], d_input: &mut [F]) {
    let slope = F::of(params.slope.into());
    for at in 0..params.elements as usize {
        d_input[at] = if output[at] <= F::ZERO { slope * d_output[at] } else { d_output[at] };
    }
}

/// x · σ(x).
pub fn silu_forward<F: Real>(params: &SiluForwardParams, input: &[F], output: &mut [F]) {
    for at in 0..params.elements as usize {
        output[at] = input[at] * sigmoid(input[at]);
    }
}

/// Gradient with respect to the input.
pub fn silu_backward<F: Real>(params: &SiluBackwardParams, input: &[F], d_output: &[F], d_input: &mut [F]) {
    for at in 0..params.elements as usize {
        let open = sigmoid(input[at]);
        d_input[at] = d_output[at] * (open + input[at] * open * (F::ONE - open));
    }
}

/// Tangent of [`silu_backward`].
pub fn silu_backward_tangent<F: Real>(
    params: &SiluBackwardTangentParams,
    input: &[F],
    input_dot: &[F],
    d_output: &[F],
    d_output_dot: &[F],
    d_input_dot: &mut [F],
) {
    for at in 0..params.elements as usize {
        let (x, open) = (input[at], sigmoid(input[at]));
        let slope = open + x * open * (F::ONE - open);
        let bend = open * (F::ONE - open) * (F::of(2.0) + x * (F::ONE - F::of(2.0) * open));
        d_input_dot[at] = d_output_dot[at] * slope + d_output[at] * bend * input_dot[at];
    }
}

/// How max-pooling indexes.
struct Windows {
    planes: usize,
    in_size: [usize; 2],
    out_size: [usize; 2],
    kernel: usize,
    stride: usize,
    padding: usize,
}

macro_rules! windows {
    ($params:ident) => {
        Windows {
            planes: $params.planes as usize,
            in_size: [$params.in_height as usize, $params.in_width as usize],
            out_size: [$params.out_height as usize, $params.out_width as usize],
            kernel: $params.kernel as usize,
            stride: $params.stride as usize,
            padding: $params.padding as usize,
        }
    };
}

impl Windows {
    /// Calls `visit(cell, pixel)` with the first largest pixel of each window.
    fn for_each_largest<F: Real>(&self, input: &[F], mut visit: impl FnMut(usize, usize)) {
        let [height, width] = self.in_size;
        for cell in 0..self.planes * self.out_size[0] * self.out_size[1] {
            let (row, column) = (cell / self.out_size[1], cell % self.out_size[1]);
            let (plane, row) = (row / self.out_size[0], row % self.out_size[0]);
            let mut best: Option<usize> = None;
            for tap in 0..self.kernel * self.kernel {
                let y = (row * self.stride + tap / self.kernel).wrapping_sub(self.padding);
                let x = (column * self.stride + tap % self.kernel).wrapping_sub(self.padding);
                if y < height && x < width {
                    let pixel = (plane * height + y) * width + x;
                    if best.is_none_or(|best| input[pixel] > input[best]) {
                        best = Some(pixel);
                    }
                }
            }
            if let Some(best) = best {
                visit(cell, best);
            }
        }
    }
}

/// `values` at the first largest pixel of each window: input and values `[planes, in_height,
/// in_width]`, output `[planes, out_height, out_width]`.
pub fn max_pool_forward<F: Real>(params: &MaxPoolForwardParams, input: &[F], values: &[F], output: &mut [F]) {
    windows!(params).for_each_largest(input, |cell, pixel| output[cell] = values[pixel]);
}

/// Gradient with respect to the input: each cell's goes to its window's first largest pixel.
pub fn max_pool_backward<F: Real>(params: &MaxPoolBackwardParams, input: &[F], d_output: &[F], d_input: &mut [F]) {
    let windows = windows!(params);
    d_input[..windows.planes * windows.in_size[0] * windows.in_size[1]].fill(F::ZERO);
    windows.for_each_largest(input, |cell, pixel| d_input[pixel] += d_output[cell]);
}

/// Each plane times the sigmoid of its gate.
pub fn gate_forward<F: Real>(params: &GateForwardParams, input: &[F], gates: &[F], output: &mut [F]) {
    let pixels = params.pixels as usize;
    for at in 0..params.planes as usize * pixels {
        output[at] = input[at] * sigmoid(gates[at / pixels]);
    }
}

/// Gradient with respect to the gates.
pub fn gate_backward<F: Real>(
    params: &GateBackwardParams,
    input: &[F],
    gates: &[F],
    d_output: &[F],
    d_gates: &mut [F],
) {
    let pixels = params.pixels as usize;
    for plane in 0..params.planes as usize {
        let products = (plane * pixels..(plane + 1) * pixels).map(|at| d_output[at] * input[at]);
        let open = sigmoid(gates[plane]);
        d_gates[plane] = products.fold(F::ZERO, |sum, product| sum + product) * open * (F::ONE - open);
    }
}

/// Tangent of [`gate_forward`].
pub fn gate_tangent<F: Real>(
    params: &GateTangentParams,
    input: &[F],
    input_dot: &[F],
    gates: &[F],
    gates_dot: &[F],
    output_dot: &mut [F],
) {
    let pixels = params.pixels as usize;
    for at in 0..params.planes as usize * pixels {
        let open = sigmoid(gates[at / pixels]);
        let open_dot = open * (F::ONE - open) * gates_dot[at / pixels];
        output_dot[at] = input_dot[at] * open + input[at] * open_dot;
    }
}

/// Tangent of [`gate_backward`].
// The kernel's bindings, in their order.
#[allow(clippy::too_many_arguments)]
pub fn gate_backward_tangent<F: Real>(
    params: &GateBackwardTangentParams,
    input: &[F],
    input_dot: &[F],
    gates: &[F],
    gates_dot: &[F],
    d_output: &[F],
    d_output_dot: &[F],
    d_gates_dot: &mut [F],
) {
    let pixels = params.pixels as usize;
    for plane in 0..params.planes as usize {
        let open = sigmoid(gates[plane]);
        let bend = (F::ONE - F::of(2.0) * open) * gates_dot[plane];
        let terms = (plane * pixels..(plane + 1) * pixels)
            .map(|at| d_output_dot[at] * input[at] + d_output[at] * input_dot[at] + bend * d_output[at] * input[at]);
        d_gates_dot[plane] = terms.fold(F::ZERO, |sum, term| sum + term) * open * (F::ONE - open);
    }
}

/// Groups of `group` elements of each image set to zero by chance, and the others scaled; images whose
/// key is zero pass.
pub fn drop_forward<F: Real>(params: &DropForwardParams, input: &[F], keys: &[u32], output: &mut [F]) {
    let [elements, group] = [params.elements, params.group].map(|value| value as usize);
    for (image, &key) in keys[..params.images as usize].iter().enumerate() {
        for element in 0..elements {
            let number = (element / group + 1) as u32;
            let bits = mix(key ^ mix(params.layer.wrapping_add(number.wrapping_mul(0x9e37_79b9))));
            let factor = match (key, bits < params.threshold) {
                (0, _) => F::ONE,
                (_, true) => F::ZERO,
                (_, false) => F::of(params.scale.into()),
            };
            output[image * elements + element] = input[image * elements + element] * factor;
        }
    }
}

/// The last step of MurmurHash3 (Appleby).
fn mix(mut bits: u32) -> u32 {
    bits = (bits ^ (bits >> 16)).wrapping_mul(0x85eb_ca6b);
    bits = (bits ^ (bits >> 13)).wrapping_mul(0xc2b2_ae35);
    bits ^ (bits >> 16)
}
