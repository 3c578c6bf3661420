//! The backward twins of pooling, linear layers, the loss and the prototype head against central
//! differences.

mod common;

use common::{along, check, check_tangent, dot, noise};
use inkling_reference::*;

#[test]
fn global_average_pool() {
    let forward = GlobalAveragePoolForwardParams { images: 2, channels: 3, pixels: 5, output_offset: 0 };
    let backward =
        GlobalAveragePoolBackwardParams { images: 2, channels: 3, pixels: 5, d_output_offset: 0, accumulate: 0 };
    let (input, d_output) = (noise(1, 30), noise(2, 6));
    let mut d_input = [f64::NAN; 30];
    global_average_pool_backward(&backward, &d_output, &mut d_input);
    check("pool", &input, &d_input, |input| {
        let mut output = [f64::NAN; 6];
        global_average_pool_forward(&forward, input, &mut output);
        dot(&output, &d_output)
    });
}

#[test]
fn linear() {
    let (images, in_features, out_features, images_per_task) = (6, 5, 3, 2);
    let (weight_offset, bias_offset, stride) = (1, 17, 21);
    let forward = LinearForwardParams {
        first_image: 0,
        images,
        in_features,
        out_features,
        images_per_task,
        parameter_stride: stride,
        weight_offset,
        bias_offset,
        accumulate: 0,
    };
    let (input, parameters, d_output) = (noise(1, 30), noise(2, 63), noise(3, 18));
    let loss = |input: &[f64], parameters: &[f64]| {
        let mut output = [f64::NAN; 18];
        linear_forward(&forward, input, parameters, &mut output);
        dot(&output, &d_output)
    };
    let mut d_input = [f64::NAN; 30];
    let params = LinearBackwardInputParams {
        first_image: 0,
        images,
        in_features,
        out_features,
        images_per_task,
        parameter_stride: stride,
        weight_offset,
        accumulate: 0,
    };
    linear_backward_input(&params, &d_output, &parameters, &mut d_input);
    check("input", &input, &d_input, |input| loss(input, &parameters));
    let mut gradient = [0.0; 63];
    let params = LinearBackwardWeightParams {
        first_image: 0,
        images,
        in_features,
        out_features,
        images_per_task,
        gradient_stride: stride,
        weight_offset,
        bias_offset,
    };
    linear_backward_weight(&params, &input, &d_output, &mut gradient);
    check("parameters", &parameters, &gradient, |parameters| loss(&input, parameters));
}

#[test]
fn loss_tangent() {
    let (rows, ways) = (4, 5);
    let logits: Vec<f64> = noise(1, 20).iter().map(|logit| 4.0 * logit).collect();
    let logits_dot = noise(2, 20);
    let mut d_logits_dot = [f64::NAN; 20];
    let params = SoftmaxCrossEntropyTangentParams { first_row: 0, rows, ways, scale: 0.25 };
    softmax_cross_entropy_tangent(&params, &logits, &logits_dot, &mut d_logits_dot);
    check_tangent("d_logits", &d_logits_dot, |step| {
        let params = SoftmaxCrossEntropyParams {
            rows,
            ways,
            scale: 0.25,
            rows_per_task: rows,
            task_stride: rows,
            label_offset: 0,
            outcome_offset: 0,
        };
        let (mut d_logits, mut outcomes) = ([f64::NAN; 20], [f64::NAN; 8]);
        let moved = along(&logits, &logits_dot, step);
        softmax_cross_entropy(&params, &moved, &[3, 0, 4, 1], &mut d_logits, &mut outcomes);
        d_logits.to_vec()
    });
}

#[test]
fn loss() {
    let params = SoftmaxCrossEntropyParams {
        rows: 4,
        ways: 5,
        scale: 0.25,
        rows_per_task: 4,
        task_stride: 0,
        label_offset: 2,
        outcome_offset: 1,
    };
    let logits: Vec<f64> = noise(1, 20).iter().map(|logit| 4.0 * logit).collect();
    let labels = [9, 9, 3, 0, 4, 1];
    let run = |logits: &[f64]| {
        let (mut d_logits, mut outcomes) = ([f64::NAN; 20], [f64::NAN; 10]);
        softmax_cross_entropy(&params, logits, &labels, &mut d_logits, &mut outcomes);
        (d_logits, outcomes)
    };
    let (d_logits, outcomes) = run(&logits);
    assert!(outcomes[0].is_nan() && outcomes[1].is_nan(), "rows before the offset stay");
    check("logits", &logits, &d_logits, |logits| {
        run(logits).1[2..].iter().step_by(2).sum::<f64>() * f64::from(params.scale)
    });
}

#[test]
fn loss_is_stable_and_ties_go_to_the_first() {
    let params = SoftmaxCrossEntropyParams {
        rows: 4,
        ways: 2,
        scale: 1.0,
        rows_per_task: 4,
        task_stride: 0,
        label_offset: 0,
        outcome_offset: 0,
    };
    let logits = [1e4_f32, 1e4, 1e4, 1e4, -1e4, 1e4, 20.0, 0.0];
    let (mut d_logits, mut outcomes) = ([f32::NAN; 8], [f32::NAN; 8]);
    softmax_cross_entropy(&params, &logits, &[0, 1, 0, 0], &mut d_logits, &mut outcomes);
    assert_eq!([outcomes[1], outcomes[3], outcomes[5], outcomes[7]], [1.0, 0.0, 0.0, 1.0]);
    assert_eq!(outcomes[4], 2e4);
    // p_y − 1 = −e⁻²⁰/(1 + e⁻²⁰) keeps its digits although p_y rounds to one in f32.
    assert!((d_logits[6] / -2.061_153_6e-9 - 1.0).abs() < 1e-6, "{}", d_logits[6]);
}

const TASKS: u32 = 2;
const SUPPORT: u32 = 7;
const QUERIES: u32 = 4;
const WAYS: u32 = 3;
const DIMENSION: u32 = 5;
const LABELS: [u32; 14] = [0, 1, 2, 2, 0, 0, 1, 2, 0, 1, 0, 0, 2, 0];
const QUERY_LABELS: [u32; 8] = [1, 0, 2, 2, 0, 1, 1, 0];

/// The head as the learner composes it, with the mean loss over all queries of both tasks.
struct Head {
    metric: u32,
}

impl Head {
    fn logits(&self, prototypes: &[f64], queries: &[f64], parameters: &[f64]) -> Vec<f64> {
        let params = PrototypeLogitsParams {
            tasks: TASKS,
            queries: QUERIES,
            ways: WAYS,
            dimension: DIMENSION,
            metric: self.metric,
            scale_offset: 1,
            parameter_stride: 3,
        };
        let mut logits = vec![f64::NAN; (TASKS * QUERIES * WAYS) as usize];
        prototype_logits(&params, queries, prototypes, parameters, &mut logits);
        logits
    }

    fn fit(&self, support: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let params = PrototypeFitParams { tasks: TASKS, support: SUPPORT, ways: WAYS, dimension: DIMENSION };
        let mut prototypes = vec![f64::NAN; (TASKS * WAYS * DIMENSION) as usize];
        let mut counts = vec![f64::NAN; (TASKS * WAYS) as usize];
        prototype_fit(&params, support, &LABELS, &mut prototypes, &mut counts);
        (prototypes, counts)
    }

    /// (gradient of the logits, loss)
    fn score(&self, logits: &[f64]) -> (Vec<f64>, f64) {
        let rows = TASKS * QUERIES;
        // An eighth is exact in f32.
        let params = SoftmaxCrossEntropyParams {
            rows,
            ways: WAYS,
            scale: 0.125,
            rows_per_task: rows,
            task_stride: 0,
            label_offset: 0,
            outcome_offset: 0,
        };
        let mut d_logits = vec![f64::NAN; logits.len()];
        let mut outcomes = vec![f64::NAN; 2 * rows as usize];
        softmax_cross_entropy(&params, logits, &QUERY_LABELS, &mut d_logits, &mut outcomes);
        (d_logits, outcomes.iter().step_by(2).sum::<f64>() * 0.125)
    }

    fn loss(&self, support: &[f64], queries: &[f64], parameters: &[f64]) -> f64 {
        self.score(&self.logits(&self.fit(support).0, queries, parameters)).1
    }

    /// (gradient of the support, of the queries, of the parameters)
    fn backward(&self, support: &[f64], queries: &[f64], parameters: &[f64]) -> [Vec<f64>; 3] {
        let (prototypes, counts) = self.fit(support);
        let logits = self.logits(&prototypes, queries, parameters);
        let (d_logits, _) = self.score(&logits);
        let mut coefficients = vec![f64::NAN; 3 * logits.len()];
        let params = PrototypeCoefficientsParams {
            tasks: TASKS,
            queries: QUERIES,
            ways: WAYS,
            dimension: DIMENSION,
            metric: self.metric,
            scale_offset: 1,
            parameter_stride: 3,
        };
        prototype_coefficients(&params, queries, &prototypes, parameters, &logits, &d_logits, &mut coefficients);
        let mut d_queries = vec![f64::NAN; queries.len()];
        let params = PrototypeBackwardQueryParams { tasks: TASKS, queries: QUERIES, ways: WAYS, dimension: DIMENSION };
        prototype_backward_query(&params, queries, &prototypes, &coefficients, &mut d_queries);
        let mut d_prototypes = vec![0.0; prototypes.len()];
        let params = PrototypeBackwardFitParams { tasks: TASKS, queries: QUERIES, ways: WAYS, dimension: DIMENSION };
        prototype_backward_fit(&params, queries, &prototypes, &coefficients, &mut d_prototypes);
        let mut rows = vec![f64::NAN; support.len()];
        let params = PrototypeFinishParams { tasks: TASKS, support: SUPPORT, ways: WAYS, dimension: DIMENSION };
        prototype_finish(&params, &LABELS, &counts, &d_prototypes, &mut rows);
        let mut gradient = vec![0.0; parameters.len()];
        let params = PrototypeBackwardScaleParams {
            tasks: TASKS,
            queries: QUERIES,
            ways: WAYS,
            scale_offset: 1,
            parameter_stride: 3,
            gradient_stride: 3,
        };
        prototype_backward_scale(&params, parameters, &logits, &d_logits, &mut gradient);
        [rows, d_queries, gradient]
    }
}

#[test]
fn prototypes() {
    let support = noise(1, (TASKS * SUPPORT * DIMENSION) as usize);
    let queries = noise(2, (TASKS * QUERIES * DIMENSION) as usize);
    let parameters = [0.0, 3.0, 0.0, 0.0, 2.0, 0.0];
    for metric in [0, 1] {
        let head = Head { metric };
        let [rows, d_queries, gradient] = head.backward(&support, &queries, &parameters);
        check("support", &support, &rows, |support| head.loss(support, &queries, &parameters));
        check("queries", &queries, &d_queries, |queries| head.loss(&support, queries, &parameters));
        if metric == 1 {
            check("scale", &parameters, &gradient, |parameters| head.loss(&support, &queries, parameters));
        }
    }
}

#[test]
fn a_class_without_support_has_a_prototype_of_zeros() {
    let params = PrototypeFitParams { tasks: 1, support: 2, ways: 3, dimension: 1 };
    let (mut prototypes, mut counts) = ([f64::NAN; 3], [f64::NAN; 3]);
    prototype_fit(&params, &[1.0, 3.0], &[2, 2], &mut prototypes, &mut counts);
    assert_eq!((prototypes, counts), ([0.0, 0.0, 2.0], [0.0, 0.0, 2.0]));
}

#[test]
fn a_query_of_zeros_has_a_finite_cosine_gradient() {
    let queries = [0.0_f32, 0.0];
    let params = PrototypeCoefficientsParams {
        tasks: 1,
        queries: 1,
        ways: 1,
        dimension: 2,
        metric: 1,
        scale_offset: 0,
        parameter_stride: 0,
    };
    let mut coefficients = [f32::NAN; 3];
    prototype_coefficients(&params, &queries, &[3.0, 4.0], &[10.0], &[0.0], &[1.0], &mut coefficients);
    assert!(coefficients.iter().all(|value| value.is_finite()), "{coefficients:?}");
    assert_eq!(coefficients[1], 0.0);
}
