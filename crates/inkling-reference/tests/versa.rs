//! The VERSA head against central differences, and ELU's twins by themselves.

mod common;

use common::{check, dot, noise};
use inkling_reference::{EluBackwardParams, EluForwardParams, HeadInput, VersaHead, elu_backward, elu_forward};

const TASKS: u32 = 2;
const WAYS: u32 = 3;
/// One, two and four members, in another order in the second task.
const LABELS: [u32; 14] = [2, 0, 1, 2, 1, 2, 2, 1, 1, 0, 1, 2, 2, 1];
const QUERY_LABELS: [u32; 6] = [1, 0, 2, 2, 0, 1];

#[test]
fn elu() {
    let (input, d_output) = (noise(1, 33), noise(2, 33));
    let forward = |input: &[f64]| {
        let mut values = input.to_vec();
        elu_forward(&EluForwardParams { elements: 33 }, &mut values);
        values
    };
    let mut gradient = d_output.clone();
    elu_backward(&EluBackwardParams { elements: 33 }, &forward(&input), &mut gradient);
    check("elu", &input, &gradient, |input| dot(&forward(input), &d_output));
}

#[test]
fn gradients_are_those_of_central_differences() {
    for (dimension, hidden) in [(4, 3), (5, 5), (3, 8)] {
        let count = |images: usize| images * dimension as usize;
        let (embeddings, queries) = (noise(1, count(LABELS.len())), noise(2, count(QUERY_LABELS.len())));
        let head = VersaHead { hidden };
        let parameters = noise(3, head.parameters(dimension));
        let run = |embeddings: &[f64], queries: &[f64], parameters: &[f64]| {
            let input = HeadInput {
                tasks: TASKS,
                ways: WAYS,
                dimension,
                embeddings,
                support_labels: &LABELS,
                queries,
                query_labels: &QUERY_LABELS,
            };
            head.run(&input, parameters)
        };
        let found = run(&embeddings, &queries, &parameters);
        let what = format!("dimension {dimension}");
        check(&format!("support, {what}"), &embeddings, &found.rows, |at| run(at, &queries, &parameters).loss);
        check(&format!("queries, {what}"), &queries, &found.d_queries, |at| run(&embeddings, at, &parameters).loss);
        check(&format!("parameters, {what}"), &parameters, &found.parameters, |at| run(&embeddings, &queries, at).loss);
    }
}
