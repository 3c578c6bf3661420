//! What a MAML needs that keeps its whole unrolled graph: the published baseline of memory reports,
//! by plan. It is never run; ours stores K parameter vectors and computes activations anew.

use inkling_gpu::{Allocate, Category, GpuError, Plan};
use inkling_nn::Keep;

use super::model::FullNetworkModel;
use crate::common::Common;
use crate::model::Model;
use crate::{Purpose, TaskLimits};

/// Lists the buffers of automatic differentiation through K inner steps of one task:
/// - for each step the activations of the support, which its backward pass reads, and the gradients
///   of those activations, which the differentiated backward pass reads (`create_graph`); the
///   images are there once;
/// - for each step its parameters and its gradient;
/// - the activations of the queries;
/// - one chunk of gradients on their way back, and the tangents that travel with them.
///
/// It counts what our own layers keep for the same passes (no mask or index beside the
/// activations, norm and ReLU and pooling in one), so it is a lower bound of what frameworks take.
pub(crate) fn unrolled_graph(
    plan: &mut Plan,
    (model, full): (&Model, &FullNetworkModel),
    limits: TaskLimits,
    purpose: Purpose,
) -> Result<(), GpuError> {
    let network = &model.network;
    let limits = TaskLimits { tasks: 1, ..limits };
    Common::new(plan, model, limits, purpose, limits.support.max(limits.queries))?;
    let rows = u64::from(network.dimension()) + u64::from(full.settings.ways);
    let images = u64::from(limits.support) * network.image_elements();
    for step in 0..full.settings.inner_steps {
        let mut activations = Plan::default();
        network.activations(&mut activations, "support", limits.support, Keep::Gradient)?;
        let kept = activations.bytes().total().saturating_sub(4 * images);
        plan.buffer(Category::Activations, &format!("step.{step}.activations"), kept)?;
        plan.buffer(Category::Activations, &format!("step.{step}.d_activations"), kept)?;
        let embeddings = 2 * u64::from(limits.support) * rows;
        plan.values(Category::Embeddings, &format!("step.{step}.embeddings"), embeddings)?;
        plan.values(Category::Parameters, &format!("step.{step}.parameters"), u64::from(full.stride))?;
        plan.values(Category::Gradient, &format!("step.{step}.gradient"), u64::from(full.stride))?;
    }
    plan.values(Category::Activations, "support.images", images)?;
    network.activations(plan, "query", limits.queries, Keep::Gradient)?;
    plan.values(Category::Embeddings, "query.embeddings", 2 * u64::from(limits.queries) * rows)?;
    let largest = limits.support.max(limits.queries);
    network.gradients(plan, "gradients", largest)?;
    network.gradients(plan, "gradients_dot", limits.support)?;
    network.scratch(plan, largest, largest, 1)?;
    Ok(())
}
