//! Twins of the Mahalanobis head: logits −(e − μ_c)ᵀ Q_c⁻¹ (e − μ_c) with
//! Q_c = I + a Σ_{n in c} ẽ_n ẽ_nᵀ + b Σ_n x_n x_nᵀ (`shaders/shared/mahalanobis.wgsl`).

use crate::cholesky::whole_tiles;
use crate::{
    MahalanobisBackwardQueryParams, MahalanobisCenterParams, MahalanobisDualMatrixParams, MahalanobisExpandParams,
    MahalanobisGramParams, MahalanobisLogitsParams, MahalanobisMatrixParams, MahalanobisOrderParams,
    MahalanobisProjectParams, MahalanobisResidualsParams, MahalanobisRowsParams, MahalanobisVerdictParams, Real,
};

/// a = λ_c / (n − 1), λ_c = n / (n + 1).
fn class_share<F: Real>(count: F) -> F {
    if count > F::ONE { count / ((count + F::ONE) * (count - F::ONE)) } else { F::ZERO }
}

/// b = (1 − λ_c) / (N − 1).
fn task_share<F: Real>(count: F, support: usize) -> F {
    if support > 1 { F::ONE / ((count + F::ONE) * F::count(support - 1)) } else { F::ZERO }
}

/// √(a + b) − √b
fn class_root<F: Real>(count: F, support: usize) -> F {
    let b = task_share(count, support);
    (class_share(count) + b).sqrt() - b.sqrt()
}

fn dot<F: Real>(a: &[F], b: &[F]) -> F {
    a.iter().zip(b).fold(F::ZERO, |sum, (&a, &b)| sum + a * b)
}

/// Embeddings less the mean of the task, and less that of their class, `[tasks, support, d]`.
pub fn mahalanobis_center<F: Real>(
    params: &MahalanobisCenterParams,
    embeddings: &[F],
    labels: &[u32],
    prototypes: &[F],
    centered: &mut [F],
    deviations: &mut [F],
) {
    let [support, ways, d] = [params.support, params.ways, params.dimension].map(|value| value as usize);
    for task in 0..params.tasks as usize {
        for component in 0..d {
            let at = |image: usize| (task * support + image) * d + component;
            let mean = (0..support).fold(F::ZERO, |sum, image| sum + embeddings[at(image)]) / F::count(support);
            for image in 0..support {
                let class_index = task * ways + labels[task * support + image] as usize;
                centered[at(image)] = embeddings[at(image)] - mean;
                deviations[at(image)] = embeddings[at(image)] - prototypes[class_index * d + component];
            }
        }
    }
}

/// The numbers of the images class after class, `[tasks, support]`.
pub fn mahalanobis_order<F: Real>(params: &MahalanobisOrderParams, labels: &[u32], counts: &[F], order: &mut [u32]) {
    let (support, ways) = (params.support as usize, params.ways as usize);
    for task in 0..params.tasks as usize {
        let mut places: Vec<usize> = (0..ways)
            .map(|way| counts[task * ways..task * ways + way].iter().map(|count| count.as_f64() as usize).sum())
            .collect();
        for image in 0..support {
            let place = &mut places[labels[task * support + image] as usize];
            order[task * support + *place] = image as u32;
            *place += 1;
        }
    }
}

/// Inner products A_ij = Σ_k first_ik second_jk, `[size, size]` from `offset` on; with `lower` the
/// tiles that reach below the diagonal.
pub fn mahalanobis_gram<F: Real>(params: &MahalanobisGramParams, first: &[F], second: &[F], gram: &mut [F]) {
    let [size, terms, row_stride, column_stride] =
        [params.size, params.terms, params.row_stride, params.column_stride].map(|value| value as usize);
    for task in 0..params.tasks as usize {
        let at = |row: usize, k: usize| task * size * terms + row * row_stride + k * column_stride;
        for row in 0..size {
            let end = if params.lower == 0 { size } else { size.min(whole_tiles(row as u32 + 1) as usize) };
            for column in 0..end {
                let sum = (0..terms).fold(F::ZERO, |sum, k| sum + first[at(row, k)] * second[at(column, k)]);
                gram[task * params.stride as usize + params.offset as usize + row * size + column] = sum;
            }
        }
    }
}

/// The lower triangle of I + b XᵀX + a ẼᵀẼ, `[tasks, classes, padded, padded]`.
pub fn mahalanobis_matrix<F: Real>(
    params: &MahalanobisMatrixParams,
    gram: &[F],
    deviations: &[F],
    order: &[u32],
    counts: &[F],
    matrix: &mut [F],
) {
    let [classes, ways, support, d] =
        [params.classes, params.ways, params.support, params.dimension].map(|value| value as usize);
    let padded = whole_tiles(params.dimension) as usize;
    for slot in 0..params.tasks as usize * classes {
        let (task, class) = (slot / classes, params.first_class as usize + slot % classes);
        let members = |class: usize| counts[task * ways + class].as_f64() as usize;
        let first = task * support + (0..class).map(members).sum::<usize>();
        let count = counts[task * ways + class];
        for row in 0..padded {
            for column in 0..=row {
                let mut value = if row == column { F::ONE } else { F::ZERO };
                if row < d {
                    let deviation = |image: u32, i: usize| deviations[(task * support + image as usize) * d + i];
                    let own = order[first..first + members(class)]
                        .iter()
                        .fold(F::ZERO, |sum, &image| sum + deviation(image, row) * deviation(image, column));
                    let of_task = gram[task * params.gram_stride as usize + row * d + column];
                    value += task_share(count, support) * of_task + class_share(count) * own;
                }
                matrix[(slot * padded + row) * padded + column] = value;
            }
        }
    }
}

/// The lower triangle of I + √D X Xᵀ √D, `[tasks, classes, padded, padded]`.
pub fn mahalanobis_dual_matrix<F: Real>(
    params: &MahalanobisDualMatrixParams,
    gram: &[F],
    labels: &[u32],
    counts: &[F],
    matrix: &mut [F],
) {
    let [classes, ways, support] = [params.classes, params.ways, params.support].map(|value| value as usize);
    let padded = whole_tiles(params.support) as usize;
    for slot in 0..params.tasks as usize * classes {
        let (task, class) = (slot / classes, params.first_class as usize + slot % classes);
        let count = counts[task * ways + class];
        let (b, k) = (task_share(count, support), class_root(count, support));
        let part = |number: usize, row: usize, column: usize| {
            gram[task * params.gram_stride as usize + (number * support + row) * support + column]
        };
        let factor = |image: usize| if labels[task * support + image] as usize == class { k } else { F::ZERO };
        for row in 0..padded {
            for column in 0..=row {
                let mut value = if row == column { F::ONE } else { F::ZERO };
                if row < support {
                    let mixed = factor(row) * part(1, row, column) + factor(column) * part(1, column, row);
                    let own = factor(row) * factor(column) * part(2, row, column);
                    value += b * part(0, row, column) + b.sqrt() * mixed + own;
                }
                matrix[(slot * padded + row) * padded + column] = value;
            }
        }
    }
}

/// e_q − μ_c, `[tasks, ways, queries, d]`.
pub fn mahalanobis_residuals<F: Real>(
    params: &MahalanobisResidualsParams,
    queries: &[F],
    prototypes: &[F],
    residuals: &mut [F],
) {
    let [count, ways, d] = [params.queries, params.ways, params.dimension].map(|value| value as usize);
    for pair in 0..params.tasks as usize * ways * count {
        let class_index = pair / count;
        let query = class_index / ways * count + pair % count;
        for i in 0..d {
            residuals[pair * d + i] = queries[query * d + i] - prototypes[class_index * d + i];
        }
    }
}

/// √D X z, or the coefficients of the rows, `[tasks, classes, queries, support]`.
#[allow(clippy::too_many_arguments, reason = "the bindings of the shader")]
pub fn mahalanobis_project<F: Real>(
    params: &MahalanobisProjectParams,
    vectors: &[F],
    centered: &[F],
    deviations: &[F],
    labels: &[u32],
    counts: &[F],
    d_logits: &[F],
    output: &mut [F],
) {
    let [classes, ways, queries] = [params.classes, params.ways, params.queries].map(|value| value as usize);
    let (support, d) = (params.support as usize, params.dimension as usize);
    for pair in 0..params.tasks as usize * classes * queries {
        let (slot, query) = (pair / queries, pair % queries);
        let (task, class) = (slot / classes, params.first_class as usize + slot % classes);
        let count = counts[task * ways + class];
        let b = task_share(count, support);
        let vector = &vectors[((task * ways + class) * queries + query) * d..][..d];
        for image in task * support..(task + 1) * support {
            let is_member = labels[image] as usize == class;
            let on_task = dot(&centered[image * d..][..d], vector);
            let on_class = if is_member { dot(&deviations[image * d..][..d], vector) } else { F::ZERO };
            let value = if params.backward == 0 {
                b.sqrt() * on_task + class_root(count, support) * on_class
            } else {
                let mean = if is_member { F::ONE / count } else { F::ZERO };
                let g = d_logits[(task * queries + query) * ways + class];
                F::of(2.0) * g * (b * on_task + (class_share(count) * on_class + mean))
            };
            output[pair * support + image - task * support] = value;
        }
    }
}

/// u = z − Xᵀ √D s, in place of z.
pub fn mahalanobis_expand<F: Real>(
    params: &MahalanobisExpandParams,
    solutions: &[F],
    centered: &[F],
    deviations: &[F],
    labels: &[u32],
    counts: &[F],
    vectors: &mut [F],
) {
    let [classes, ways, queries] = [params.classes, params.ways, params.queries].map(|value| value as usize);
    let (support, d) = (params.support as usize, params.dimension as usize);
    for pair in 0..params.tasks as usize * classes * queries {
        let (slot, query) = (pair / queries, pair % queries);
        let (task, class) = (slot / classes, params.first_class as usize + slot % classes);
        let count = counts[task * ways + class];
        let (root, member_root) = (task_share(count, support).sqrt(), class_root(count, support));
        for i in 0..d {
            let mut sum = F::ZERO;
            for image in 0..support {
                let at = (task * support + image) * d + i;
                let is_member = labels[task * support + image] as usize == class;
                let own = if is_member { member_root * deviations[at] } else { F::ZERO };
                sum += (root * centered[at] + own) * solutions[pair * support + image];
            }
            vectors[((task * ways + class) * queries + query) * d + i] -= sum;
        }
    }
}

/// −z · u, or −(‖u‖² + ‖s‖²), `[tasks, queries, ways]`.
pub fn mahalanobis_logits<F: Real>(
    params: &MahalanobisLogitsParams,
    queries: &[F],
    prototypes: &[F],
    vectors: &[F],
    solutions: &[F],
    logits: &mut [F],
) {
    let [classes, ways, count] = [params.classes, params.ways, params.queries].map(|value| value as usize);
    let (support, d) = (params.support as usize, params.dimension as usize);
    for pair in 0..params.tasks as usize * classes * count {
        let (slot, query) = (pair / count, pair % count);
        let (task, class) = (slot / classes, params.first_class as usize + slot % classes);
        let class_index = task * ways + class;
        let u = &vectors[(class_index * count + query) * d..][..d];
        let sum = if params.dual == 0 {
            let e = &queries[(task * count + query) * d..][..d];
            let mean = &prototypes[class_index * d..][..d];
            let z: Vec<F> = e.iter().zip(mean).map(|(&e, &mean)| e - mean).collect();
            dot(u, &z)
        } else {
            let s = &solutions[pair * support..][..support];
            dot(u, u) + dot(s, s)
        };
        logits[(task * count + query) * ways + class] = -sum;
    }
}

/// The states of the tasks, and logits of zero for those that failed.
pub fn mahalanobis_verdict<F: Real>(
    params: &MahalanobisVerdictParams,
    class_states: &[u32],
    states: &mut [u32],
    logits: &mut [F],
) {
    let (queries, ways) = (params.queries as usize, params.ways as usize);
    for task in 0..params.tasks as usize {
        states[task] = class_states[task * ways..(task + 1) * ways].iter().copied().max().unwrap_or(0);
        if states[task] != 0 {
            logits[task * queries * ways..(task + 1) * queries * ways].fill(F::ZERO);
        }
    }
}

/// −2 Σ_c g_qc u_cq, `[tasks, queries, d]`; zeros for failed tasks.
pub fn mahalanobis_backward_query<F: Real>(
    params: &MahalanobisBackwardQueryParams,
    states: &[u32],
    vectors: &[F],
    d_logits: &[F],
    d_queries: &mut [F],
) {
    let [count, ways, d] = [params.queries, params.ways, params.dimension].map(|value| value as usize);
    for query in 0..params.tasks as usize * count {
        let task = query / count;
        for i in 0..d {
            let u = |way: usize| vectors[((task * ways + way) * count + query % count) * d + i];
            let sum = (0..ways).fold(F::ZERO, |sum, way| sum + d_logits[query * ways + way] * u(way));
            d_queries[query * d + i] = if states[task] == 0 { F::of(-2.0) * sum } else { F::ZERO };
        }
    }
}

/// Adds Σ coefficient · u to the rows, `[tasks, support, d]`; nothing for failed tasks.
pub fn mahalanobis_rows<F: Real>(
    params: &MahalanobisRowsParams,
    states: &[u32],
    coefficients: &[F],
    vectors: &[F],
    rows: &mut [F],
) {
    let [classes, ways, queries] = [params.classes, params.ways, params.queries].map(|value| value as usize);
    let (support, d) = (params.support as usize, params.dimension as usize);
    for task in (0..params.tasks as usize).filter(|&task| states[task] == 0) {
        for image in 0..support {
            for i in 0..d {
                let row = &mut rows[(task * support + image) * d + i];
                for pair in 0..classes * queries {
                    let u = (task * ways + params.first_class as usize) * queries + pair;
                    *row += coefficients[(task * classes * queries + pair) * support + image] * vectors[u * d + i];
                }
            }
        }
    }
}
