//! Multiply-accumulates of the heads' algebra on one task. Symmetric products count half, a Cholesky
//! factorisation of n rows n³/6, and sums of embeddings one for each value; exponentials, and what
//! is smaller by an order in every size, do not count.

use super::linear::LinearModel;
use super::{HeadModel, Kind};
use crate::TaskLimits;

/// N, d and W as numbers.
fn sizes(task: TaskLimits, dimension: u32) -> [f64; 3] {
    [task.support, dimension, task.ways].map(f64::from)
}

impl HeadModel {
    /// Gradient steps on the support.
    pub(crate) fn inner_steps(&self) -> u32 {
        match &self.0 {
            Kind::Linear(head) => head.settings.inner_steps,
            Kind::Prototypes(_) | Kind::Ridge(_) | Kind::Mahalanobis(_) | Kind::Versa(_) => 0,
        }
    }

    /// From the support's embeddings of `dimension` values to what scores queries.
    pub(crate) fn fit_macs(&self, task: TaskLimits, dimension: u32) -> f64 {
        let [n, d, ways] = sizes(task, dimension);
        let means = n * d;
        match &self.0 {
            Kind::Prototypes(_) => means,
            // In every step the logits, and the gradient of the weights.
            Kind::Linear(head) => f64::from(head.settings.inner_steps) * 2.0 * n * ways * features(head),
            // The system, its factor, and W* from it.
            Kind::Ridge(_) if n < d => n * n * d / 2.0 + n.powi(3) / 6.0 + ways * (n * n + n * d),
            Kind::Ridge(_) => n * d * d / 2.0 + d.powi(3) / 6.0 + ways * (d * d + n * d),
            // Inner products of the support, two of three symmetric; a matrix and a factor for each class.
            Kind::Mahalanobis(_) if n < d => 2.0 * means + 2.0 * n * n * d + ways * (4.0 * n * n + n.powi(3) / 6.0),
            // The covariance of the task, and of all classes together as many products again.
            Kind::Mahalanobis(_) => 2.0 * means + n * d * d + ways * (d * d + d.powi(3) / 6.0),
            Kind::Versa(head) => means + ways * (head.weight.macs() + head.bias.macs() + d),
        }
    }

    /// From one query's embedding to its logits.
    pub(crate) fn query_macs(&self, task: TaskLimits, dimension: u32) -> f64 {
        let [n, d, ways] = sizes(task, dimension);
        match &self.0 {
            Kind::Prototypes(_) | Kind::Ridge(_) | Kind::Versa(_) => ways * d,
            Kind::Linear(head) => ways * features(head),
            // Onto the support, two triangular solves, and back.
            Kind::Mahalanobis(_) if n < d => ways * (2.0 * n * d + n * n + d),
            Kind::Mahalanobis(_) => ways * (d * d + d),
        }
    }
}

/// Those of an embedding, and the constant one.
fn features(head: &LinearModel) -> f64 {
    f64::from(head.dimension) + 1.0
}
