//! The loss.

use inkling_gpu::{Gpu, kernels};
use inkling_reference as twin;

use super::bench::{Bench, integers, noise};
use super::tolerance::Tolerance;
use super::{case_list, params};
use crate::Case;

pub fn cases() -> Vec<Case> {
    case_list![
        "softmax_cross_entropy/shapes" => shapes,
        "softmax_cross_entropy/extremes" => extremes,
        "softmax_cross_entropy/ties" => ties,
        "softmax_cross_entropy_tangent/shapes" => tangent_shapes,
    ]
}

const LABEL_OFFSET: u32 = 3;
const OUTCOME_OFFSET: u32 = 2;
const ROWS_PER_TASK: u32 = 3;
const TASK_STRIDE: u32 = 4;

/// Rows fall into tasks of three, with a gap of one label and outcome behind each task.
fn places(rows: usize) -> usize {
    rows.div_ceil(ROWS_PER_TASK as usize) * TASK_STRIDE as usize
}

/// `labels` begin at element [`LABEL_OFFSET`]; `spread`: what separates the logits of a row at most.
async fn check(gpu: &Gpu, ways: u32, logits: &[f32], labels: &[u32], spread: f64) -> Result<(), String> {
    let rows = logits.len() as u32 / ways;
    let (params, reference) = params!(softmax_cross_entropy SoftmaxCrossEntropyParams {
        rows: rows,
        ways: ways,
        scale: 0.75,
        rows_per_task: ROWS_PER_TASK,
        task_stride: TASK_STRIDE,
        label_offset: LABEL_OFFSET,
        outcome_offset: OUTCOME_OFFSET,
    });
    let mut bench = Bench::new(gpu)?;
    let logit_buffer = bench.input(logits).await?;
    let label_buffer = bench.input(labels).await?;
    let d_logits = bench.output(rows * ways).await?;
    let outcomes = bench.output(2 * (OUTCOME_OFFSET + places(rows as usize) as u32)).await?;
    let buffers = kernels::softmax_cross_entropy::Buffers {
        logits: logit_buffer.all(),
        labels: label_buffer.all(),
        d_logits: d_logits.all(),
        outcomes: outcomes.all(),
    };
    bench.run(params, buffers, rows)?;
    let mut expected_d = d_logits.initial.clone();
    let mut expected = outcomes.initial.clone();
    twin::softmax_cross_entropy(&reference, logits, labels, &mut expected_d, &mut expected);
    // WGSL allows exp 3 + 2|x| units in the last place, in a probability twice; adding `ways` of
    // them, the division and the product take some more. Exponentials below f32's normal range may
    // be zero.
    let exponential = 3 + 2 * spread.min(90.0).ceil() as u32;
    let roundings = 2 * exponential + 8 + ways / 4;
    let what = format!("{rows} rows of {ways} ways");
    let tolerance = Tolerance::roundings(roundings).plus(1e-37);
    bench.check(&format!("d_logits of {what}"), &d_logits, &expected_d, tolerance).await?;
    // A logarithm may be off by 2⁻²¹ absolutely; the error of its argument adds to that.
    let tolerance = Tolerance::roundings(4).plus(2.0_f64.powi(-21)).plus_roundings(roundings, 1.0);
    bench.check(&format!("outcomes of {what}"), &outcomes, &expected, tolerance).await
}

async fn shapes(gpu: &Gpu) -> Result<(), String> {
    for (rows, ways) in [(1, 1), (1, 5), (7, 2), (67, 5), (130, 20), (13, 67)] {
        let logits: Vec<f32> = noise(1, rows * ways as usize).iter().map(|logit| 4.0 * logit).collect();
        check(gpu, ways, &logits, &integers(2, places(rows) + LABEL_OFFSET as usize, ways), 8.0).await?;
    }
    Ok(())
}

async fn extremes(gpu: &Gpu) -> Result<(), String> {
    let logits = [1e4, -1e4, 0.0, -1e4, 1e4, 0.0, 20.0, 0.0, -20.0, -1e6, -1e6, -1e6 - 4.0, 3e4, 3e4, 3e4];
    check(gpu, 3, &logits, &[9, 9, 9, 0, 0, 0, 9, 2, 1], 40.0).await
}

async fn ties(gpu: &Gpu) -> Result<(), String> {
    let logits: Vec<f32> = integers(1, 67 * 5, 3).iter().map(|&logit| logit as f32).collect();
    check(gpu, 5, &logits, &integers(2, places(67) + LABEL_OFFSET as usize, 5), 2.0).await
}

async fn tangent_shapes(gpu: &Gpu) -> Result<(), String> {
    for (first_row, rows, ways) in [(0, 1, 1), (2, 1, 5), (0, 7, 2), (3, 67, 5), (0, 130, 20), (1, 13, 67)] {
        let (params, reference) = params!(softmax_cross_entropy_tangent SoftmaxCrossEntropyTangentParams {
            first_row: first_row,
            rows: rows,
            ways: ways,
            scale: 0.75,
        });
        let elements = (first_row + rows) * ways;
        let values: Vec<f32> = noise(1, elements as usize).iter().map(|logit| 4.0 * logit).collect();
        let values_dot = noise(2, elements as usize);
        let mut bench = Bench::new(gpu)?;
        let logits = bench.input(&values).await?;
        let logits_dot = bench.input(&values_dot).await?;
        let output = bench.output(elements).await?;
        let buffers = kernels::softmax_cross_entropy_tangent::Buffers {
            logits: logits.all(),
            logits_dot: logits_dot.all(),
            d_logits_dot: output.all(),
        };
        bench.run(params, buffers, rows)?;
        let mut expected = output.initial.clone();
        twin::softmax_cross_entropy_tangent(&reference, &values, &values_dot, &mut expected);
        // A probability takes exp's 3 + 2|x| units in the last place twice, |x| up to 8, and a few
        // roundings; times differences of tangents up to 2, whose mean cancels.
        let tolerance = Tolerance::cancelling(2 * 19 + 8 + ways / 4, 0.75 * 4.0);
        let what = format!("d_logits_dot of {rows} rows of {ways} ways from {first_row}");
        bench.check(&what, &output, &expected, tolerance).await?;
    }
    Ok(())
}
