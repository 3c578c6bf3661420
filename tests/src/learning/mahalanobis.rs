//! The Mahalanobis head by itself: against its f64 twin, in blocks of classes, beyond f32.

use inkling_gpu::Gpu;
use inkling_meta::{HeadSettings, MahalanobisSettings};
use inkling_reference as twin;

use super::heads::{CLOSE, Data, MAHALANOBIS, SHAPES, check, run};
use crate::Case;
use crate::kernels::case_list;

pub fn cases() -> Vec<Case> {
    case_list![
        "heads/mahalanobis_is_its_twin" => mahalanobis_is_its_twin,
        "heads/class_blocks_do_not_matter" => class_blocks_do_not_matter,
        "heads/an_overflowing_covariance_stays_alone" => an_overflowing_covariance_stays_alone,
    ]
}

/// All classes at once.
const WHOLE: HeadSettings = HeadSettings::Mahalanobis(MahalanobisSettings { class_block: 0 });

async fn mahalanobis_is_its_twin(gpu: &Gpu) -> Result<(), String> {
    // The systems of two tiles too, on the support and on the features.
    for shape in SHAPES.into_iter().chain([[1, 2, 35, 9, 40], [1, 2, 37, 3, 34]]) {
        let data = Data::new(shape);
        let found = run(gpu, MAHALANOBIS, &data, data.queries).await?;
        let expected = data.with_twin(|input| twin::MahalanobisHead { class_block: 2 }.run(input));
        check(&format!("{shape:?}"), &found, &expected, CLOSE)?;
        if found.reports.iter().any(|report| report.failed) {
            return Err(format!("{shape:?}: {:?}", found.reports));
        }
    }
    Ok(())
}

/// Not even a bit: every class is solved by itself, and the rows are summed in one order.
async fn class_blocks_do_not_matter(gpu: &Gpu) -> Result<(), String> {
    for shape in [[2, 5, 7, 6, 9], [2, 5, 11, 6, 3]] {
        let data = Data::new(shape);
        let at_once = run(gpu, WHOLE, &data, 4).await?;
        for class_block in [1, 2, 3, 5, 9] {
            let head = HeadSettings::Mahalanobis(MahalanobisSettings { class_block });
            let found = run(gpu, head, &data, 4).await?;
            let same = found.outcomes == at_once.outcomes && found.d_queries == at_once.d_queries;
            if !same || found.rows != at_once.rows {
                return Err(format!("{shape:?}: blocks of {class_block} give other bits"));
            }
        }
    }
    Ok(())
}

/// Task 1 has a covariance beyond f32, by the system on the support and by that on the features.
async fn an_overflowing_covariance_stays_alone(gpu: &Gpu) -> Result<(), String> {
    for (shape, head) in [([3, 3, 5, 4, 6], MAHALANOBIS), ([3, 3, 7, 4, 5], WHOLE)] {
        let mut data = Data::new(shape);
        let rows = (shape[2] * shape[4]) as usize;
        data.embeddings[rows..2 * rows].iter_mut().for_each(|value| *value *= 1e25);
        let found = run(gpu, head, &data, 2).await?;
        let failed: Vec<bool> = found.reports.iter().map(|report| report.failed).collect();
        if failed != [false, true, false] {
            return Err(format!("{shape:?}: failed {failed:?}"));
        }
        let all = found.rows.iter().chain(&found.d_queries).chain(&found.outcomes);
        if all.into_iter().any(|value| !value.is_finite()) {
            return Err(format!("{shape:?}: something is not finite"));
        }
        if found.rows[rows..2 * rows].iter().any(|&row| row != 0.0) {
            return Err(format!("{shape:?}: the failed task has rows"));
        }
        // Its losses are those of chance.
        let chance = (shape[1] as f32).ln();
        let losses = found.outcomes[8..16].iter().step_by(2);
        if losses.into_iter().any(|loss| (loss - chance).abs() > 1e-6) {
            return Err(format!("{shape:?}: losses {:?}", &found.outcomes[8..16]));
        }
        let alone = run(gpu, head, &data.task(2), 2).await?;
        if found.rows[2 * rows..] != alone.rows {
            return Err(format!("{shape:?}: a failing neighbour changed bits"));
        }
    }
    Ok(())
}
