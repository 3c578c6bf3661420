//! A linear classifier that is written and not fitted (VERSA, Gordon et al. 2019; CNAPs, Requeima et
//! al. 2019): from the mean embedding μ_c of a class come its weights and its bias,
//!   w_c = μ_c + A(μ_c),   b_c = B(μ_c),   logits e·w_c + b_c.
//! A and B are perceptrons, shared by all classes and learned: the parameters of the head.

use inkling_gpu::kernels::{
    linear_backward_input, linear_backward_weight, linear_forward, prototype_finish, prototype_fit,
};
use inkling_gpu::{Allocate, Buffer, GpuError, Recorder};
use inkling_nn::{Layout, Rows, TaskAxis};

use super::lower::values;
use super::perceptron::Perceptron;
use super::query_loss;
use crate::head::{Head, HeadTask, HeadTensors, QueryBatch};
use crate::{MetaError, TaskLimits};

/// Stands for "no bias" in kernels.
const NONE: u32 = u32::MAX;
/// What one binding holds everywhere.
const MOST_BYTES: u64 = 128 << 20;

/// The settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VersaSettings {
    /// Features of each hidden layer; 0 for as many as an embedding has.
    pub hidden: u32,
}

/// The perceptrons and the sizes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VersaModel {
    pub(super) weight: Perceptron,
    pub(super) bias: Perceptron,
    hidden: u32,
    dimension: u32,
}

/// The head with its buffers; C = tasks · W classes.
#[derive(Debug)]
pub(crate) struct VersaHead<B> {
    model: VersaModel,
    /// μ, `[C, d]`.
    prototypes: B,
    counts: B,
    d_prototypes: B,
    /// w, `[C, d]`.
    weights: B,
    d_weights: B,
    /// b, `[C]`.
    biases: B,
    d_biases: B,
    /// Hidden features of A, `[C, hidden]` each, and of B.
    hidden: [[B; 2]; 2],
    d_hidden: [B; 2],
    /// The constant feature that a bias multiplies, `[tasks, M_b]`.
    ones: B,
    queries: B,
    d_queries: B,
    logits: B,
    d_logits: B,
}

impl VersaModel {
    /// Adds A's layers, `head.weight.0`, `.2` and `.4`, and B's, `head.bias.…`, to `layout`.
    ///
    /// # Errors
    /// [`MetaError::Config`] when the parameters do not fit one binding.
    pub(crate) fn new(settings: VersaSettings, layout: &mut Layout, dimension: u32) -> Result<Self, MetaError> {
        let hidden = if settings.hidden == 0 { dimension } else { settings.hidden };
        let [wide, d] = [hidden, dimension].map(u64::from);
        let parameters = 2 * (wide * d + wide * wide) + wide * (d + 1);
        if 4 * (u64::from(layout.elements()) + parameters) > MOST_BYTES {
            let reason = format!(
                "two perceptrons on embeddings of {dimension} values have {parameters} weights, which together with the \
                 network's exceed the 128 MiB of a binding; use a smaller number"
            );
            return Err(MetaError::config("head.hidden", hidden, reason));
        }
        Ok(Self {
            weight: Perceptron::new(layout, "head.weight", [dimension, hidden, dimension]),
            bias: Perceptron::new(layout, "head.bias", [dimension, hidden, 1]),
            hidden,
            dimension,
        })
    }

    /// Refuses tasks whose vectors exceed a binding.
    pub(crate) fn check(&self, limits: TaskLimits) -> Result<(), MetaError> {
        let classes = u64::from(limits.tasks) * u64::from(limits.ways);
        if 4 * classes * u64::from(self.hidden.max(self.dimension)) <= MOST_BYTES {
            return Ok(());
        }
        let reason = format!(
            "the classes of {} tasks of {} ways side by side exceed the 128 MiB of a binding; lower \
             training.tasks_per_pass, the ways or head.hidden",
            limits.tasks, limits.ways
        );
        Err(MetaError::config("head.kind", "versa", reason))
    }

    /// First values: a class's weights begin as its mean, its bias as zero.
    pub(crate) fn initialize(&self, parameters: &mut [f32], normal: &mut dyn FnMut() -> f32) {
        self.weight.initialize(parameters, normal);
        self.bias.initialize(parameters, normal);
    }

    /// The head's buffers for passes within `limits`, in query batches of up to `query_batch`.
    pub(crate) fn allocate<A: Allocate>(
        self,
        allocate: &mut A,
        limits: TaskLimits,
        query_batch: u32,
    ) -> Result<VersaHead<A::Buffer>, GpuError> {
        let (tasks, ways, d) = (u64::from(limits.tasks), u64::from(limits.ways), u64::from(self.dimension));
        let (classes, queries) = (tasks * ways, tasks * u64::from(query_batch));
        let hidden = classes * u64::from(self.hidden);
        let mut values = |name: &str, elements| values(allocate, name, elements);
        Ok(VersaHead {
            model: self,
            prototypes: values("prototypes", classes * d)?,
            counts: values("counts", classes)?,
            d_prototypes: values("d_prototypes", classes * d)?,
            weights: values("weights", classes * d)?,
            d_weights: values("d_weights", classes * d)?,
            biases: values("biases", classes)?,
            d_biases: values("d_biases", classes)?,
            hidden: [
                [values("weight.hidden.0", hidden)?, values("weight.hidden.1", hidden)?],
                [values("bias.hidden.0", hidden)?, values("bias.hidden.1", hidden)?],
            ],
            d_hidden: [values("d_hidden.0", hidden)?, values("d_hidden.1", hidden)?],
            ones: values("ones", queries)?,
            queries: values("queries", queries * d)?,
            d_queries: values("d_queries", queries * d)?,
            logits: values("logits", queries * ways)?,
            d_logits: values("d_logits", queries * ways)?,
        })
    }
}

/// A part of the classifiers: the vectors of all tasks, and how many values of it a class has.
#[derive(Clone, Copy)]
struct Part<'b> {
    vectors: &'b Buffer,
    features: u32,
}

impl VersaHead<Buffer> {
    fn classes(task: HeadTask) -> Rows {
        TaskAxis::shared(1, task.tasks * task.ways).rows()
    }

    /// Starts to accumulate anew.
    fn forget(&self, recorder: &mut Recorder) {
        recorder.clear(self.d_weights.all());
        recorder.clear(self.d_biases.all());
    }

    /// The products of the batch's `features` with a part; added to the logits where `accumulate`.
    fn products(
        &self,
        recorder: &mut Recorder,
        (task, queries): (HeadTask, u32),
        features: &Buffer,
        part: Part<'_>,
        accumulate: u32,
    ) -> Result<(), GpuError> {
        let params = linear_forward::Params {
            first_image: 0,
            images: task.tasks * queries,
            in_features: part.features,
            out_features: task.ways,
            images_per_task: queries,
            parameter_stride: task.ways * part.features,
            weight_offset: 0,
            bias_offset: NONE,
            accumulate,
        };
        let buffers = linear_forward::Buffers {
            input: features.all(),
            parameters: part.vectors.all(),
            output: self.logits.all(),
        };
        recorder.dispatch(params, buffers, u64::from(task.tasks * queries) * u64::from(task.ways))
    }

    /// Adds the gradient of a part, from that of the logits.
    fn add_gradient(
        &self,
        recorder: &mut Recorder,
        (task, queries): (HeadTask, u32),
        features: &Buffer,
        part: Part<'_>,
    ) -> Result<(), GpuError> {
        let params = linear_backward_weight::Params {
            first_image: 0,
            images: task.tasks * queries,
            in_features: part.features,
            out_features: task.ways,
            images_per_task: queries,
            gradient_stride: task.ways * part.features,
            weight_offset: 0,
            bias_offset: NONE,
        };
        let buffers = linear_backward_weight::Buffers {
            input: features.all(),
            d_output: self.d_logits.all(),
            gradient: part.vectors.all(),
        };
        recorder.dispatch(params, buffers, u64::from(task.tasks) * u64::from(task.ways * (part.features + 1)))
    }
}

impl Head for VersaHead<Buffer> {
    async fn fit(&self, recorder: &mut Recorder, task: HeadTask, tensors: HeadTensors<'_>) -> Result<(), GpuError> {
        self.forget(recorder);
        let dimension = self.model.dimension;
        recorder.upload_values(self.ones.all(), &vec![1.0_f32; (self.ones.bytes() / 4) as usize]).await?;
        let params = prototype_fit::Params { tasks: task.tasks, support: task.support, ways: task.ways, dimension };
        let buffers = prototype_fit::Buffers {
            embeddings: tensors.embeddings.all(),
            labels: tensors.support_labels.all(),
            prototypes: self.prototypes.all(),
            counts: self.counts.all(),
        };
        recorder.dispatch(params, buffers, u64::from(task.tasks * task.ways) * u64::from(dimension))?;
        let classes = Self::classes(task);
        let [of_weight, of_bias] = &self.hidden;
        let (model, input) = (&self.model, (&self.prototypes, tensors.parameters));
        let bytes = 4 * u64::from(classes.count) * u64::from(dimension);
        recorder.copy(self.prototypes.slice(0, bytes)?, self.weights.slice(0, bytes)?);
        recorder.clear(self.biases.all());
        model.weight.add_forward(recorder, classes, input, of_weight, &self.weights).await?;
        model.bias.add_forward(recorder, classes, input, of_bias, &self.biases).await
    }

    fn queries(&self) -> &Buffer {
        &self.queries
    }

    fn d_queries(&self) -> &Buffer {
        &self.d_queries
    }

    fn logits(&self) -> &Buffer {
        &self.logits
    }

    async fn score(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        batch: QueryBatch,
        tensors: HeadTensors<'_>,
    ) -> Result<(), GpuError> {
        let at_hand = (task, batch.queries);
        let weights = Part { vectors: &self.weights, features: self.model.dimension };
        self.products(recorder, at_hand, &self.queries, weights, 0)?;
        self.products(recorder, at_hand, &self.ones, Part { vectors: &self.biases, features: 1 }, 1)?;
        query_loss(recorder, task, batch, tensors, [&self.logits, &self.d_logits])
    }

    async fn backward(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        batch: QueryBatch,
        _tensors: HeadTensors<'_>,
        _gradient: &Buffer,
    ) -> Result<(), GpuError> {
        let (queries, d) = (batch.queries, self.model.dimension);
        let params = linear_backward_input::Params {
            first_image: 0,
            images: task.tasks * queries,
            in_features: d,
            out_features: task.ways,
            images_per_task: queries,
            parameter_stride: task.ways * d,
            weight_offset: 0,
            accumulate: 0,
        };
        let buffers = linear_backward_input::Buffers {
            d_output: self.d_logits.all(),
            parameters: self.weights.all(),
            d_input: self.d_queries.all(),
        };
        recorder.dispatch(params, buffers, u64::from(task.tasks * queries) * u64::from(d))?;
        let at_hand = (task, queries);
        self.add_gradient(recorder, at_hand, &self.queries, Part { vectors: &self.d_weights, features: d })?;
        self.add_gradient(recorder, at_hand, &self.ones, Part { vectors: &self.d_biases, features: 1 })
    }

    async fn finish(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        tensors: HeadTensors<'_>,
        rows: &Buffer,
        gradient: &Buffer,
    ) -> Result<(), GpuError> {
        let dimension = self.model.dimension;
        let classes = Self::classes(task);
        let bytes = 4 * u64::from(classes.count) * u64::from(dimension);
        recorder.copy(self.d_weights.slice(0, bytes)?, self.d_prototypes.slice(0, bytes)?);
        let input = (&self.prototypes, tensors.parameters);
        let results = (&self.d_hidden, &self.d_prototypes, gradient);
        let [of_weight, of_bias] = &self.hidden;
        let model = &self.model;
        model.weight.add_backward(recorder, classes, input, (of_weight, &self.d_weights), results).await?;
        model.bias.add_backward(recorder, classes, input, (of_bias, &self.d_biases), results).await?;
        let params = prototype_finish::Params { tasks: task.tasks, support: task.support, ways: task.ways, dimension };
        let buffers = prototype_finish::Buffers {
            labels: tensors.support_labels.all(),
            counts: self.counts.all(),
            d_prototypes: self.d_prototypes.all(),
            rows: rows.all(),
        };
        recorder.dispatch(params, buffers, u64::from(task.tasks * task.support) * u64::from(dimension))?;
        self.forget(recorder);
        Ok(())
    }
}
