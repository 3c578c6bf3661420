//! The settings of the Mahalanobis head, and what fits into its buffers.

use crate::{MetaError, TaskLimits};

/// Rows and columns of a tile of the factorisation.
pub(super) const TILE: u32 = 32;
/// The largest system: beyond it a launch of `cholesky_solve` would loop too long.
const LARGEST_SIZE: u32 = 2_048;
/// Classes times queries of a launch of `mahalanobis_rows` at most, which loops over them.
const MOST_PAIRS: u32 = 32_768;
/// What one binding holds everywhere.
const MOST_BYTES: u64 = 128 << 20;

/// The settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MahalanobisSettings {
    /// Classes whose matrices are in memory at once, at most; 0 for as many as 128 MiB hold.
    pub class_block: u32,
}

/// The settings and the sizes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MahalanobisModel {
    settings: MahalanobisSettings,
    pub(super) dimension: u32,
}

impl MahalanobisModel {
    pub(crate) fn new(settings: MahalanobisSettings, dimension: u32) -> Self {
        Self { settings, dimension }
    }

    /// Values of each task's inner products: of the features, or three sets of the support.
    pub(super) fn gram_elements(&self, support: u32) -> u64 {
        let (n, d) = (u64::from(support), u64::from(self.dimension));
        // A smaller task than the largest may be solved on the support.
        let on_support = 3 * n.min(d.saturating_sub(1)).pow(2);
        if n < d { on_support } else { on_support.max(d * d) }
    }

    /// Bytes of one class's buffers for all tasks: factor, and projections.
    pub(super) fn bytes_of_class(&self, limits: TaskLimits, query_batch: u32) -> [u64; 2] {
        let size = u64::from(limits.support.min(self.dimension).next_multiple_of(TILE));
        let [tasks, support, batch] = [limits.tasks, limits.support, query_batch].map(u64::from);
        [4 * tasks * size * size, 4 * tasks * batch * support]
    }

    /// The classes of a block.
    pub(super) fn class_block(&self, limits: TaskLimits, query_batch: u32) -> u32 {
        let largest = self.bytes_of_class(limits, query_batch).into_iter().max().unwrap_or(0).max(1);
        let fit = (MOST_BYTES / largest).min(u64::from(MOST_PAIRS / query_batch.max(1))) as u32;
        let asked = if self.settings.class_block == 0 { u32::MAX } else { self.settings.class_block };
        fit.min(asked).clamp(1, limits.ways.max(1))
    }

    /// Refuses tasks whose buffers exceed a binding, or whose systems are too large.
    pub(crate) fn check(&self, limits: TaskLimits, query_batch: u32) -> Result<(), MetaError> {
        let size = self.dimension.min(limits.support);
        let fail = |reason: String| Err(MetaError::config("head.kind", "mahalanobis", reason));
        if size > LARGEST_SIZE {
            return fail(format!(
                "its system has min(support, dimension) = {size} unknowns, at most {LARGEST_SIZE} can be solved: lower \
                 the support or the channels, or use another head"
            ));
        }
        let [factor, projections] = self.bytes_of_class(limits, query_batch);
        let [tasks, ways, batch] = [limits.tasks, limits.ways, query_batch].map(u64::from);
        let gram = 4 * tasks * self.gram_elements(limits.support);
        if factor.max(gram) > MOST_BYTES {
            return fail(format!(
                "the matrices of {} tasks side by side, with {size} unknowns each, exceed the 128 MiB of a binding: \
                 lower training.tasks_per_pass, the support or the channels",
                limits.tasks
            ));
        }
        let solutions = 4 * tasks * ways * batch * u64::from(self.dimension);
        if solutions.max(projections) > MOST_BYTES || query_batch > MOST_PAIRS {
            return fail(format!(
                "the solutions of {query_batch} queries for {} classes, of {} tasks side by side, exceed the 128 MiB \
                 of a binding: lower gradient.query_batch, training.tasks_per_pass or the ways",
                limits.ways, limits.tasks
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: TaskLimits = TaskLimits { tasks: 1, ways: 50, support: 1_300, queries: 500 };

    #[test]
    fn blocks_fill_a_binding_and_no_more() {
        let model = |class_block| MahalanobisModel::new(MahalanobisSettings { class_block }, 1_280);
        // A factor of 1,280 × 1,280 values is 6.25 MiB.
        assert_eq!(model(0).class_block(LIMITS, 40), 20);
        assert_eq!(model(7).class_block(LIMITS, 40), 7);
        assert_eq!(model(0).class_block(TaskLimits { ways: 5, ..LIMITS }, 40), 5);
        assert_eq!(model(0).class_block(TaskLimits { tasks: 3, ..LIMITS }, 40), 6);
        // Few images: systems on the support, and all classes at once.
        assert_eq!(model(0).class_block(TaskLimits { support: 100, ..LIMITS }, 40), 50);
        // Many queries: the projections decide, then the loop over pairs.
        assert_eq!(model(0).class_block(LIMITS, 10_000), 2);
        assert_eq!(model(0).class_block(TaskLimits { support: 100, ..LIMITS }, 20_000), 1);
    }

    #[test]
    fn what_exceeds_a_binding_is_refused() {
        let check = |dimension, limits, query_batch| {
            MahalanobisModel::new(MahalanobisSettings::default(), dimension).check(limits, query_batch)
        };
        assert!(check(1_280, LIMITS, 40).is_ok());
        for (dimension, limits, query_batch, cure) in [
            (4_096, TaskLimits { support: 3_000, ..LIMITS }, 40, "lower the support"),
            (1_280, TaskLimits { tasks: 32, ..LIMITS }, 1, "tasks_per_pass"),
            (1_280, LIMITS, 1_000, "gradient.query_batch"),
            (1, LIMITS, 40_000, "gradient.query_batch"),
        ] {
            let error = check(dimension, limits, query_batch).expect_err(cure).to_string();
            assert!(error.contains(cure), "{error}");
        }
    }
}
