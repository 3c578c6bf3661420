//! The backward twins of the layers without parameters against central differences.

mod common;

use common::{along, check, check_tangent, dot, noise};
use inkling_reference::*;

const PLANES: u32 = 6;

#[test]
fn activations_agree_with_central_differences() {
    let elements = 41;
    // Nothing within a step of the kink.
    let input: Vec<f64> = noise(1, elements).iter().map(|x| 5.0 * (x + 0.01 * x.signum())).collect();
    let d_output = noise(2, elements);
    let elements = elements as u32;
    for slope in [0.0, 0.1] {
        let mut output = vec![f64::NAN; input.len()];
        let run = |input: &[f64], output: &mut [f64]| {
            rectify_forward(&RectifyForwardParams { elements, slope }, input, output);
            dot(output, &d_output)
        };
        run(&input, &mut output);
        let mut d_input = vec![f64::NAN; input.len()];
        rectify_backward(&RectifyBackwardParams { elements, slope }, &output, &d_output, &mut d_input);
        check("rectify", &input, &d_input, |input| run(input, &mut vec![f64::NAN; input.len()]));
    }
    let mut d_input = vec![f64::NAN; input.len()];
    silu_backward(&SiluBackwardParams { elements }, &input, &d_output, &mut d_input);
    check("silu", &input, &d_input, |input| {
        let mut output = vec![f64::NAN; input.len()];
        silu_forward(&SiluForwardParams { elements }, input, &mut output);
        dot(&output, &d_output)
    });
}

#[test]
fn max_pooling_agrees_with_central_differences() {
    // [[in_height, in_width], [out_height, out_width]], [kernel, stride, padding]
    for (sizes, [kernel, stride, padding]) in [
        ([[6, 8], [3, 4]], [2, 2, 0]),
        ([[5, 7], [2, 3]], [2, 2, 0]),
        ([[6, 9], [3, 5]], [3, 2, 1]),
        ([[7, 5], [7, 5]], [3, 1, 1]),
        ([[1, 2], [1, 1]], [3, 2, 1]),
    ] {
        let [[in_height, in_width], [out_height, out_width]] = sizes;
        let input = noise(3, (PLANES * in_height * in_width) as usize);
        let d_output = noise(4, (PLANES * out_height * out_width) as usize);
        let planes = PLANES;
        let params =
            MaxPoolBackwardParams { planes, in_height, in_width, out_height, out_width, kernel, stride, padding };
        let mut d_input = vec![f64::NAN; input.len()];
        max_pool_backward(&params, &input, &d_output, &mut d_input);
        check(&format!("{sizes:?}"), &input, &d_input, |input| {
            let params =
                MaxPoolForwardParams { planes, in_height, in_width, out_height, out_width, kernel, stride, padding };
            let mut output = vec![f64::NAN; d_output.len()];
            max_pool_forward(&params, input, input, &mut output);
            dot(&output, &d_output)
        });
    }
}

#[test]
fn ties_go_to_the_first_pixel() {
    let params = MaxPoolBackwardParams {
        planes: 1,
        in_height: 3,
        in_width: 3,
        out_height: 2,
        out_width: 2,
        kernel: 3,
        stride: 2,
        padding: 1,
    };
    let mut d_input = [f64::NAN; 9];
    // The centre is in all four windows, the first corner in one.
    max_pool_backward(&params, &[2.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 2.0], &[1.0, 2.0, 4.0, 8.0], &mut d_input);
    assert_eq!(d_input, [1.0, 0.0, 0.0, 0.0, 14.0, 0.0, 0.0, 0.0, 0.0]);
}

#[test]
fn gates_agree_with_central_differences() {
    let pixels = 5;
    let input = noise(5, (PLANES * pixels) as usize);
    let gates: Vec<f64> = noise(6, PLANES as usize).iter().map(|gate| 3.0 * gate).collect();
    let d_output = noise(7, input.len());
    let loss = |input: &[f64], gates: &[f64]| {
        let mut output = vec![f64::NAN; input.len()];
        gate_forward(&GateForwardParams { planes: PLANES, pixels }, input, gates, &mut output);
        dot(&output, &d_output)
    };
    let mut d_gates = vec![f64::NAN; gates.len()];
    gate_backward(&GateBackwardParams { planes: PLANES, pixels }, &input, &gates, &d_output, &mut d_gates);
    check("gates", &gates, &d_gates, |gates| loss(&input, gates));
    let mut d_input = vec![f64::NAN; input.len()];
    gate_forward(&GateForwardParams { planes: PLANES, pixels }, &d_output, &gates, &mut d_input);
    check("input", &input, &d_input, |input| loss(input, &gates));
}

/// The leaky ReLU, dropout and max-pooling's way back are linear where they are differentiable: their
/// tangents are themselves.
#[test]
fn tangents_of_activations_agree_with_central_differences() {
    let elements = 41;
    let [x_dot, dy, dy_dot] = [2, 3, 4].map(|seed| noise(seed, elements));
    let x: Vec<f64> = noise(1, elements).iter().map(|x| 5.0 * (x + 0.01 * x.signum())).collect();
    let elements = elements as u32;
    let back = |x: &[f64], dy: &[f64]| {
        let mut dx = vec![f64::NAN; x.len()];
        silu_backward(&SiluBackwardParams { elements }, x, dy, &mut dx);
        dx
    };
    check_tangent("silu", &back(&x, &x_dot), |step| {
        let mut y = vec![f64::NAN; x.len()];
        silu_forward(&SiluForwardParams { elements }, &along(&x, &x_dot, step), &mut y);
        y
    });
    let mut dx_dot = vec![f64::NAN; x.len()];
    silu_backward_tangent(&SiluBackwardTangentParams { elements }, &x, &x_dot, &dy, &dy_dot, &mut dx_dot);
    check_tangent("silu, back", &dx_dot, |step| back(&along(&x, &x_dot, step), &along(&dy, &dy_dot, step)));
    let slope = 0.1;
    let rectified = |x: &[f64]| {
        let mut y = vec![f64::NAN; x.len()];
        rectify_forward(&RectifyForwardParams { elements, slope }, x, &mut y);
        y
    };
    let mut y_dot = vec![f64::NAN; x.len()];
    rectify_backward(&RectifyBackwardParams { elements, slope }, &rectified(&x), &x_dot, &mut y_dot);
    check_tangent("rectify", &y_dot, |step| rectified(&along(&x, &x_dot, step)));
}

#[test]
fn the_tangent_of_max_pooling_agrees_with_central_differences() {
    let params = MaxPoolForwardParams {
        planes: PLANES,
        in_height: 6,
        in_width: 9,
        out_height: 3,
        out_width: 5,
        kernel: 3,
        stride: 2,
        padding: 1,
    };
    let [x, x_dot] = [1, 2].map(|seed| noise(seed, (PLANES * 6 * 9) as usize));
    let pooled = |x: &[f64], values: &[f64]| {
        let mut y = vec![f64::NAN; (PLANES * 3 * 5) as usize];
        max_pool_forward(&params, x, values, &mut y);
        y
    };
    check_tangent("max_pool", &pooled(&x, &x_dot), |step| {
        let moved = along(&x, &x_dot, step);
        pooled(&moved, &moved)
    });
}

#[test]
fn tangents_of_gates_agree_with_central_differences() {
    let (planes, pixels) = (PLANES, 5);
    let [x, x_dot, dy, dy_dot] = [1, 2, 3, 4].map(|seed| noise(seed, (PLANES * pixels) as usize));
    let gates: Vec<f64> = noise(5, PLANES as usize).iter().map(|gate| 3.0 * gate).collect();
    let gates_dot = noise(6, PLANES as usize);
    let gated = |x: &[f64], gates: &[f64]| {
        let mut y = vec![f64::NAN; x.len()];
        gate_forward(&GateForwardParams { planes, pixels }, x, gates, &mut y);
        y
    };
    for (name, value, value_dot) in [("gate", &x, &x_dot), ("d_input", &dy, &dy_dot)] {
        let mut tangent = vec![f64::NAN; value.len()];
        gate_tangent(&GateTangentParams { planes, pixels }, value, value_dot, &gates, &gates_dot, &mut tangent);
        check_tangent(name, &tangent, |step| gated(&along(value, value_dot, step), &along(&gates, &gates_dot, step)));
    }
    let params = GateBackwardTangentParams { planes, pixels };
    let mut tangent = vec![f64::NAN; gates.len()];
    gate_backward_tangent(&params, &x, &x_dot, &gates, &gates_dot, &dy, &dy_dot, &mut tangent);
    check_tangent("d_gates", &tangent, |step| {
        let moved = [(&x, &x_dot), (&gates, &gates_dot), (&dy, &dy_dot)].map(|(at, dot)| along(at, dot, step));
        let mut d_gates = vec![f64::NAN; gates.len()];
        gate_backward(&GateBackwardParams { planes, pixels }, &moved[0], &moved[1], &moved[2], &mut d_gates);
        d_gates
    });
}

const QUARTER: u32 = 1 << 30;

fn dropped(params: &DropForwardParams, keys: &[u32], input: &[f64]) -> Vec<f64> {
    let mut output = vec![f64::NAN; input.len()];
    drop_forward(params, input, keys, &mut output);
    output
}

#[test]
fn a_share_is_dropped_by_key_layer_and_group_alone() {
    let (images, elements) = (50, 400);
    let keys: Vec<u32> = (0..images).map(|image| if image == 0 { 0 } else { 0x1234 + 7 * image }).collect();
    let params = DropForwardParams { images, elements, group: 1, layer: 3, threshold: QUARTER, scale: 4.0 / 3.0 };
    let ones = vec![1.0; (images * elements) as usize];
    let output = dropped(&params, &keys, &ones);
    assert!(output[..400].iter().all(|&value| value == 1.0), "an image without a key has changed");
    let zeros = output[400..].iter().filter(|&&value| value == 0.0).count() as f64;
    // 19,600 decisions with probability ¼: five standard deviations are 303.
    assert!((zeros - 4900.0).abs() < 303.0, "{zeros} of 19,600 are dropped");
    assert!(output[400..].iter().all(|&value| value == 0.0 || (value - 4.0 / 3.0).abs() < 1e-6));
    // Decisions of other layers, and of other images, are others.
    let other = dropped(&DropForwardParams { layer: 4, ..params }, &keys, &ones);
    let same = output[400..].iter().zip(&other[400..]).filter(|(a, b)| a == b).count() as f64;
    assert!((same / 19_600.0 - 0.625).abs() < 0.02, "{same} decisions are the same");
    let same = output[400..800].iter().zip(&output[800..1200]).filter(|(a, b)| a == b).count() as f64;
    assert!((same / 400.0 - 0.625).abs() < 0.125, "{same} decisions are the same");
    // A whole image at once, wherever it stands.
    let whole = DropForwardParams { group: elements, ..params };
    let by_image = dropped(&whole, &keys, &ones);
    assert!(by_image.chunks(400).all(|image| image.iter().all(|value| value == &image[0])));
    assert_eq!(
        by_image[9 * 400..10 * 400],
        dropped(&DropForwardParams { images: 1, ..whole }, &keys[9..], &ones)[..400]
    );
}

#[test]
fn what_is_dropped_of_a_value_is_dropped_of_its_gradient() {
    let (images, elements) = (3, 7);
    let params = DropForwardParams { images, elements, group: 2, layer: 1, threshold: QUARTER, scale: 4.0 / 3.0 };
    let (keys, input, d_output) = ([5, 0, 9], noise(8, 21), noise(9, 21));
    let d_input = dropped(&params, &keys, &d_output);
    check("drop", &input, &d_input, |input| dot(&dropped(&params, &keys, input), &d_output));
}
