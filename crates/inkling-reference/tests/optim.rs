//! Optimisers, gathering and augmentation against values worked out by hand.

use inkling_reference::*;

/// Whether two numbers agree to the few f64 roundings (and the f32 parameters) of a step.
fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-7 * b.abs().max(1e-3)
}

#[test]
fn the_first_adam_step_is_the_learning_rate_against_the_sign() {
    let params = AdamStepParams {
        offset: 1,
        length: 2,
        learning_rate: 0.125,
        beta1: 0.875,
        beta2: 0.75,
        epsilon: 0.0,
        weight_decay: 0.0,
        decoupled: 0,
        correction1: 0.125,
        correction2: 0.25,
    };
    let mut parameters = [7.0, 1.0, 2.0, 7.0];
    let (mut moment1, mut moment2) = ([0.0; 4], [0.0; 4]);
    adam_step(&params, &[9.0, 3.0, -0.01, 9.0], &[0.5, 0.0], &mut parameters, &mut moment1, &mut moment2);
    assert_eq!((parameters[0], parameters[3]), (7.0, 7.0));
    assert!(close(parameters[1], 0.875) && close(parameters[2], 2.125), "{parameters:?}");
    assert!(close(moment1[1], 0.1875) && close(moment2[1], 0.5625));
}

#[test]
fn weight_decay_enters_the_gradient_of_adam_but_not_of_adamw() {
    let adam = AdamStepParams {
        offset: 0,
        length: 1,
        learning_rate: 0.5,
        beta1: 0.5,
        beta2: 0.5,
        epsilon: 0.0,
        weight_decay: 0.25,
        decoupled: 0,
        correction1: 0.5,
        correction2: 0.5,
    };
    let run = |params: &AdamStepParams| {
        let (mut p, mut m, mut v) = ([4.0], [0.0], [0.0]);
        adam_step(params, &[0.0], &[1.0, 0.0], &mut p, &mut m, &mut v);
        (p[0], m[0])
    };
    // g = 0.25 · 4 = 1: a full step of 0.5.   AdamW: p − 0.5 · 0.25 · p, and 0/0 avoided by ε.
    assert_eq!(run(&adam), (3.5, 0.5));
    let (p, m) = run(&AdamStepParams { decoupled: 1, epsilon: 1.0, ..adam });
    assert_eq!((p, m), (3.5, 0.0));
}

#[test]
fn sgd_with_and_without_nesterov() {
    let params =
        SgdStepParams { offset: 0, length: 1, learning_rate: 0.5, momentum: 0.5, nesterov: 0, weight_decay: 0.25 };
    let (mut p, mut v) = ([2.0], [0.0]);
    sgd_step(&params, &[3.0], &[0.5, 0.0], &mut p, &mut v);
    // g = 1.5 + 0.5 = 2, v = 2, p = 2 − 1
    assert_eq!((p, v), ([1.0], [2.0]));
    sgd_step(&params, &[3.0], &[0.5, 0.0], &mut p, &mut v);
    // g = 1.75, v = 2.75
    assert_eq!((p, v), ([1.0 - 1.375], [2.75]));
    let (mut p, mut v) = ([2.0], [0.0]);
    sgd_step(&SgdStepParams { nesterov: 1, ..params }, &[3.0], &[0.5, 0.0], &mut p, &mut v);
    // g + 0.5 v = 3
    assert_eq!((p, v), ([0.5], [2.0]));
}

#[test]
fn clipping() {
    let mut partials = [0.0; 3];
    squared_norm(&SquaredNormParams { length: 5, block: 2 }, &[1.0, 2.0, 3.0, 1.0, 1.0], &mut partials);
    assert_eq!(partials, [5.0, 10.0, 1.0]);
    let run = |max_norm| {
        let mut clip = [0.0; 2];
        clip_scale(&ClipScaleParams { partials: 3, max_norm, scale: 0.5 }, &partials, &mut clip);
        clip
    };
    assert_eq!(run(0.0), [0.5, 2.0]);
    assert_eq!(run(4.0), [0.5, 2.0]);
    assert_eq!(run(0.5), [0.125, 2.0]);
}

#[test]
fn gathered_rows_are_scaled() {
    let mut destination = [0.0; 4];
    let params = GatherRowsParams { rows: 2, dimension: 2, scale: 3.0 };
    gather_rows(&params, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 0], &mut destination);
    assert_eq!(destination, [15.0, 18.0, 3.0, 6.0]);
}

#[test]
fn the_identity_gives_the_bytes_and_a_shift_brings_in_the_fill() {
    let params = AugmentParams {
        mean: [0.0; 4],
        inverse_std: [255.0; 4],
        images: 1,
        channels: 1,
        in_height: 2,
        in_width: 3,
        out_height: 2,
        out_width: 3,
        pixel_offset: 4,
        affine_offset: 1,
        fill: 1.0,
    };
    let pixels = [u32::from_le_bytes([9; 4]), u32::from_le_bytes([10, 20, 30, 40]), u32::from_le_bytes([50, 60, 9, 9])];
    let mut output = [f64::NAN; 6];
    augment(&params, &pixels, &[9.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0], &mut output);
    for (value, byte) in output.iter().zip([10.0, 20.0, 30.0, 40.0, 50.0, 60.0]) {
        assert!(close(*value, byte), "{output:?}");
    }
    // Half a pixel to the right: the mean of neighbours; the last column mixes with the fill of 255.
    augment(&params, &pixels, &[9.0, 1.0, 0.0, 0.5, 0.0, 1.0, 0.0], &mut output);
    for (value, expected) in output.iter().zip([15.0, 25.0, 142.5, 45.0, 55.0, 157.5]) {
        assert!(close(*value, expected), "{output:?}");
    }
}
