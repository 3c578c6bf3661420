//! Twins of the loss and of its gradient's tangent.

use crate::{Real, SoftmaxCrossEntropyParams, SoftmaxCrossEntropyTangentParams};

/// Softmax cross-entropy of each row, its gradient times `scale`, and whether the label is the first
/// of the largest logits: logits and d_logits `[rows, ways]`, outcomes `[·, 2]`.
pub fn softmax_cross_entropy<F: Real>(
    params: &SoftmaxCrossEntropyParams,
    logits: &[F],
    labels: &[u32],
    d_logits: &mut [F],
    outcomes: &mut [F],
) {
    let ways = params.ways as usize;
    for row in 0..params.rows as usize {
        let logits = &logits[row * ways..(row + 1) * ways];
        let [rows_per_task, stride] = [params.rows_per_task, params.task_stride].map(|value| value as usize);
        let place = row / rows_per_task * stride + row % rows_per_task;
        let label = labels[params.label_offset as usize + place] as usize;
        let mut argmax = 0;
        for way in 1..ways {
            if logits[way] > logits[argmax] {
                argmax = way;
            }
        }
        let exponential = |way: usize| (logits[way] - logits[argmax]).exp();
        // p_y − 1 is minus the sum of the others: no cancellation where p_y is close to one.
        let others = (0..ways).filter(|&way| way != label).fold(F::ZERO, |sum, way| sum + exponential(way));
        let total = others + exponential(label);
        for way in 0..ways {
            let share = if way == label { -others } else { exponential(way) };
            d_logits[row * ways + way] = F::of(params.scale.into()) * share / total;
        }
        let at = 2 * (params.outcome_offset as usize + place);
        outcomes[at] = total.ln() - (logits[label] - logits[argmax]);
        outcomes[at + 1] = if argmax == label { F::ONE } else { F::ZERO };
    }
}

/// Tangent of the gradient with respect to each row of logits, `[·, ways]` from row `first_row` on:
/// `scale · (diag(p) − ppᵀ) logits_dot`.
pub fn softmax_cross_entropy_tangent<F: Real>(
    params: &SoftmaxCrossEntropyTangentParams,
    logits: &[F],
    logits_dot: &[F],
    d_logits_dot: &mut [F],
) {
    let ways = params.ways as usize;
    for row in params.first_row as usize..(params.first_row + params.rows) as usize {
        let range = row * ways..(row + 1) * ways;
        let (logits, logits_dot) = (&logits[range.clone()], &logits_dot[range.clone()]);
        let largest = logits.iter().fold(logits[0], |largest, &logit| logit.at_least(largest));
        let shares = || logits.iter().map(|&logit| (logit - largest).exp());
        let total = shares().fold(F::ZERO, |sum, share| sum + share);
        let weighted = shares().zip(logits_dot).fold(F::ZERO, |sum, (share, &dot)| sum + share * (dot - logits_dot[0]));
        let to = &mut d_logits_dot[range];
        for ((to, share), &dot) in to.iter_mut().zip(shares()).zip(logits_dot) {
            *to = F::of(params.scale.into()) * share / total * (dot - logits_dot[0] - weighted / total);
        }
    }
}
