//! The whole Mahalanobis head as its twins compose it; see [`crate::whole_head`].

use crate::cholesky::whole_tiles;
use crate::{
    CholeskyPanelParams, CholeskySolveParams, CholeskyUpdateParams, HeadGradient, HeadInput,
    MahalanobisBackwardQueryParams, MahalanobisCenterParams, MahalanobisDualMatrixParams, MahalanobisExpandParams,
    MahalanobisGramParams, MahalanobisLogitsParams, MahalanobisMatrixParams, MahalanobisOrderParams,
    MahalanobisProjectParams, MahalanobisResidualsParams, MahalanobisRowsParams, PrototypeFitParams, Real,
    cholesky_panel, cholesky_solve, cholesky_update, mahalanobis_backward_query, mahalanobis_center,
    mahalanobis_dual_matrix, mahalanobis_expand, mahalanobis_gram, mahalanobis_logits, mahalanobis_matrix,
    mahalanobis_order, mahalanobis_project, mahalanobis_residuals, mahalanobis_rows, prototype_fit,
};

/// Distances under the covariance of each class (Simple CNAPs); it has no parameters.
#[derive(Clone, Copy, Debug)]
pub struct MahalanobisHead {
    /// Classes whose matrices stand side by side.
    pub class_block: u32,
}

/// What the support of a pass comes to.
struct Fitted<F> {
    prototypes: Vec<F>,
    counts: Vec<F>,
    centered: Vec<F>,
    deviations: Vec<F>,
    order: Vec<u32>,
    gram: Vec<F>,
    gram_stride: u32,
}

impl MahalanobisHead {
    /// Loss and gradients, by the smaller of the two systems.
    pub fn run<F: Real>(&self, input: &HeadInput<'_, F>) -> HeadGradient<F> {
        let HeadInput { tasks, ways, dimension, .. } = *input;
        let (support, queries) = (input.support(), input.query_count());
        let dual = support < dimension;
        let fitted = fit(input, dual);
        let mut vectors = vec![F::ZERO; (tasks * ways * queries * dimension) as usize];
        let params = MahalanobisResidualsParams { tasks, queries, ways, dimension };
        mahalanobis_residuals(&params, input.queries, &fitted.prototypes, &mut vectors);
        let mut logits = vec![F::ZERO; (tasks * queries * ways) as usize];
        let blocks = || {
            let step = self.class_block.max(1);
            (0..ways).step_by(step as usize).map(move |first| (first, step.min(ways - first)))
        };
        for block in blocks() {
            score(input, &fitted, block, &mut vectors, &mut logits);
        }

        let (loss, d_logits) = input.cross_entropy(&logits);
        let states = vec![0; tasks as usize];
        let mut d_queries = vec![F::ZERO; input.queries.len()];
        let params = MahalanobisBackwardQueryParams { tasks, queries, ways, dimension };
        mahalanobis_backward_query(&params, &states, &vectors, &d_logits, &mut d_queries);
        let mut rows = vec![F::ZERO; input.embeddings.len()];
        for (first_class, classes) in blocks() {
            let coefficients = project(input, &fitted, (first_class, classes), &vectors, Some(&d_logits));
            let params = MahalanobisRowsParams { tasks, classes, first_class, ways, queries, support, dimension };
            mahalanobis_rows(&params, &states, &coefficients, &vectors, &mut rows);
        }
        HeadGradient { loss, rows, d_queries, parameters: Vec::new() }
    }
}

fn fit<F: Real>(input: &HeadInput<'_, F>, dual: bool) -> Fitted<F> {
    let HeadInput { tasks, ways, dimension, embeddings, support_labels: labels, .. } = *input;
    let support = input.support();
    let mut prototypes = vec![F::ZERO; (tasks * ways * dimension) as usize];
    let mut counts = vec![F::ZERO; (tasks * ways) as usize];
    let params = PrototypeFitParams { tasks, support, ways, dimension };
    prototype_fit(&params, embeddings, labels, &mut prototypes, &mut counts);
    let [mut centered, mut deviations] = [(); 2].map(|()| vec![F::ZERO; embeddings.len()]);
    let params = MahalanobisCenterParams { tasks, support, ways, dimension };
    mahalanobis_center(&params, embeddings, labels, &prototypes, &mut centered, &mut deviations);
    let mut order = vec![0; labels.len()];
    mahalanobis_order(&MahalanobisOrderParams { tasks, support, ways }, labels, &counts, &mut order);

    let (size, terms) = if dual { (support, dimension) } else { (dimension, support) };
    let (row_stride, column_stride) = if dual { (dimension, 1) } else { (1, dimension) };
    let stride = if dual { 3 * size * size } else { size * size };
    let mut gram = vec![F::ZERO; (tasks * stride) as usize];
    let products = [(&centered, &centered), (&deviations, &centered), (&deviations, &deviations)];
    for (number, (first, second)) in products.into_iter().enumerate().take(if dual { 3 } else { 1 }) {
        let offset = number as u32 * size * size;
        // Only the second is not symmetric.
        let lower = (number != 1).into();
        let params = MahalanobisGramParams { tasks, size, terms, row_stride, column_stride, stride, offset, lower };
        mahalanobis_gram(&params, first, second, &mut gram);
    }
    Fitted { prototypes, counts, centered, deviations, order, gram, gram_stride: stride }
}

/// The factors L of some classes.
fn factors<F: Real>(input: &HeadInput<'_, F>, fitted: &Fitted<F>, (first_class, classes): (u32, u32)) -> Vec<F> {
    let HeadInput { tasks, ways, dimension, .. } = *input;
    let (support, gram_stride) = (input.support(), fitted.gram_stride);
    let size = whole_tiles(support.min(dimension));
    let mut matrix = vec![F::ZERO; (tasks * classes * size * size) as usize];
    if support < dimension {
        let params = MahalanobisDualMatrixParams { tasks, classes, first_class, ways, support, gram_stride };
        mahalanobis_dual_matrix(&params, &fitted.gram, input.support_labels, &fitted.counts, &mut matrix);
    } else {
        let params = MahalanobisMatrixParams { tasks, classes, first_class, ways, support, dimension, gram_stride };
        let Fitted { gram, deviations, order, counts, .. } = fitted;
        mahalanobis_matrix(&params, gram, deviations, order, counts, &mut matrix);
    }
    let mut states = vec![0; (tasks * classes) as usize];
    for first in (0..size).step_by(32) {
        let params =
            CholeskyPanelParams { tasks, systems: classes, size, first, state_stride: classes, state_offset: 0 };
        cholesky_panel(&params, &mut states, &mut matrix);
        cholesky_update(&CholeskyUpdateParams { systems: tasks * classes, size, first }, &mut matrix);
    }
    matrix
}

/// Residuals become solutions, and give logits.
fn score<F: Real>(
    input: &HeadInput<'_, F>,
    fitted: &Fitted<F>,
    (first_class, classes): (u32, u32),
    vectors: &mut [F],
    logits: &mut [F],
) {
    let HeadInput { tasks, ways, dimension, .. } = *input;
    let (support, queries) = (input.support(), input.query_count());
    let dual = support < dimension;
    let factor = factors(input, fitted, (first_class, classes));
    let solve = |size: u32, stride: u32, offset: u32, solution: &mut [F]| {
        let params = CholeskySolveParams { tasks, systems: classes, sides: queries, size, stride, offset };
        cholesky_solve(&params, &factor, solution);
    };
    let mut solutions = Vec::new();
    if dual {
        solutions = project(input, fitted, (first_class, classes), vectors, None);
        solve(support, classes * queries * support, 0, &mut solutions);
        let params = MahalanobisExpandParams { tasks, classes, first_class, ways, queries, support, dimension };
        let Fitted { centered, deviations, counts, .. } = fitted;
        mahalanobis_expand(&params, &solutions, centered, deviations, input.support_labels, counts, vectors);
    } else {
        solve(dimension, ways * queries * dimension, first_class * queries * dimension, vectors);
    }
    let dual = dual.into();
    let params = MahalanobisLogitsParams { tasks, classes, first_class, ways, queries, support, dimension, dual };
    mahalanobis_logits(&params, input.queries, &fitted.prototypes, vectors, &solutions, logits);
}

/// Right-hand sides of the system of the support, or with `d_logits` the coefficients of the rows.
fn project<F: Real>(
    input: &HeadInput<'_, F>,
    fitted: &Fitted<F>,
    (first_class, classes): (u32, u32),
    vectors: &[F],
    d_logits: Option<&[F]>,
) -> Vec<F> {
    let HeadInput { tasks, ways, dimension, support_labels: labels, .. } = *input;
    let (support, queries) = (input.support(), input.query_count());
    let backward = d_logits.is_some().into();
    let params = MahalanobisProjectParams { tasks, classes, first_class, ways, queries, support, dimension, backward };
    let mut output = vec![F::ZERO; (tasks * classes * queries * support) as usize];
    let Fitted { centered, deviations, counts, .. } = fitted;
    let d_logits = d_logits.unwrap_or(&[]);
    mahalanobis_project(&params, vectors, centered, deviations, labels, counts, d_logits, &mut output);
    output
}
