//! What every learner holds on the device, whatever learns: weights, their gradient, the
//! optimiser's state, labels and outcomes.

use inkling_data::ImageUpload;
use inkling_gpu::{Allocate, Category, GpuError};

use crate::OptimizerState;
use crate::model::Model;
use crate::task::TaskLimits;
use crate::workspace::Purpose;

/// The common buffers.
#[derive(Debug)]
pub(crate) struct Common<B> {
    pub(crate) parameters: B,
    /// What the network has and does not train.
    pub(crate) frozen: Option<B>,
    pub(crate) running: B,
    pub(crate) gradient: Option<B>,
    pub(crate) optimizer: Option<OptimizerState<B>>,
    pub(crate) upload: Option<ImageUpload<B>>,
    /// `[tasks, N]` of the pass at hand.
    pub(crate) support_labels: B,
    /// `[tasks, M]` of the pass at hand.
    pub(crate) query_labels: B,
    /// Loss and correctness of every query of a step; one row more holds the gradient's norm; behind
    /// it the status of each task.
    pub(crate) outcomes: B,
}

impl<B> Common<B> {
    /// `largest_chunk`: the most images that are loaded at once.
    pub(crate) fn new<A: Allocate<Buffer = B>>(
        allocate: &mut A,
        model: &Model,
        limits: TaskLimits,
        purpose: Purpose,
        largest_chunk: u32,
    ) -> Result<Self, GpuError> {
        let elements = model.layout.elements();
        let optimizer = match purpose {
            Purpose::Train { optimizer, .. } => Some(optimizer),
            Purpose::Evaluate | Purpose::Gradient => None,
        };
        let step_tasks = u64::from(purpose.step_tasks(limits));
        let trains = purpose != Purpose::Evaluate;
        let (tasks, queries) = (u64::from(limits.tasks), u64::from(limits.queries));
        let mut values = |category, name: &str, elements| allocate.values(category, name, elements);
        let running = u64::from(model.network.running().elements());
        let frozen = Some(u64::from(model.network.frozen().elements())).filter(|&elements| elements > 0);
        Ok(Self {
            frozen: frozen.map(|elements| values(Category::Parameters, "frozen", elements)).transpose()?,
            parameters: values(Category::Parameters, "parameters", u64::from(elements))?,
            running: values(Category::Parameters, "running", running)?,
            gradient: trains.then(|| values(Category::Gradient, "gradient", u64::from(elements))).transpose()?,
            support_labels: values(Category::Embeddings, "support.labels", tasks * u64::from(limits.support))?,
            query_labels: values(Category::Embeddings, "query.labels", tasks * queries)?,
            outcomes: values(Category::Embeddings, "outcomes", 2 * (step_tasks * queries + 1) + step_tasks)?,
            optimizer: optimizer.map(|optimizer| optimizer.allocate(allocate, elements)).transpose()?,
            upload: model.config.source.map(|shape| ImageUpload::new(allocate, shape, largest_chunk)).transpose()?,
        })
    }
}
