//! Optimisers on flat vectors, with gradient clipping by global norm.

use inkling_gpu::kernels::{adam_step, clip_scale, sgd_step, squared_norm};
use inkling_gpu::{Allocate, Buffer, Category, GpuError, Recorder};

/// Elements of one partial sum of the squared norm.
const NORM_BLOCK: u32 = 512;
/// Invocations that combine the partial sums.
const CLIP_INVOCATIONS: u64 = 64;

/// The update rule, with PyTorch's formulas.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimizer {
    /// Adam (Kingma and Ba 2015); `decoupled` weight decay makes it AdamW (Loshchilov and Hutter 2019).
    Adam {
        /// Decay of the first moment.
        beta1: f32,
        /// Decay of the second moment.
        beta2: f32,
        /// Added to the root of the second moment.
        epsilon: f32,
        /// Weight decay.
        weight_decay: f32,
        /// Whether the decay acts on the weights directly.
        decoupled: bool,
    },
    /// Stochastic gradient descent with momentum.
    Sgd {
        /// Decay of the velocity; 0 for plain gradient descent.
        momentum: f32,
        /// Whether to look ahead as Nesterov does.
        nesterov: bool,
        /// L2 regularisation.
        weight_decay: f32,
    },
}

/// One update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Update {
    /// The learning rate.
    pub learning_rate: f32,
    /// How many elements at the beginning, those of the backbone, learn at another rate, and its
    /// factor.
    pub slower: Option<(u32, f32)>,
    /// Multiplies the accumulated gradient: one over the number of tasks.
    pub scale: f32,
    /// The largest global norm of the scaled gradient; 0 for no limit.
    pub clip_norm: f32,
}

/// Moments and scratch of an optimiser.
#[derive(Debug)]
pub struct OptimizerState<B> {
    optimizer: Optimizer,
    elements: u32,
    moments: Vec<B>,
    partials: B,
    clip: B,
}

impl Optimizer {
    /// Names of the moment vectors.
    pub fn moment_names(&self) -> &'static [&'static str] {
        match self {
            Optimizer::Adam { .. } => &["moment1", "moment2"],
            Optimizer::Sgd { .. } => &["velocity"],
        }
    }

    /// Room for the state of `elements` parameters, padding included.
    ///
    /// # Errors
    /// Those of the allocator.
    pub fn allocate<A: Allocate>(self, allocate: &mut A, elements: u32) -> Result<OptimizerState<A::Buffer>, GpuError> {
        let names = self.moment_names().iter();
        let moments = names
            .map(|name| allocate.values(Category::Optimizer, name, u64::from(elements)))
            .collect::<Result<_, _>>()?;
        Ok(OptimizerState {
            optimizer: self,
            elements,
            moments,
            partials: allocate.values(Category::Optimizer, "norm.blocks", u64::from(elements.div_ceil(NORM_BLOCK)))?,
            clip: allocate.values(Category::Optimizer, "clip", 2)?,
        })
    }
}

impl OptimizerState<Buffer> {
    /// Names of the moment vectors.
    pub fn names(&self) -> &'static [&'static str] {
        self.optimizer.moment_names()
    }

    /// The moment vectors, in the order of [`Optimizer::moment_names`].
    pub fn moments(&self) -> &[Buffer] {
        &self.moments
    }

    /// `[2]`: the factor and the norm of the last update's gradient.
    pub fn clip(&self) -> &Buffer {
        &self.clip
    }

    /// Updates the parameters; `step` counts from one.
    ///
    /// # Errors
    /// Device errors.
    pub fn step(
        &self,
        recorder: &mut Recorder,
        gradient: &Buffer,
        parameters: &Buffer,
        step: u64,
        update: Update,
    ) -> Result<(), GpuError> {
        self.clip_gradient(recorder, gradient, update)?;
        let (slower, factor) =
            update.slower.map_or((0, 1.0), |(elements, factor)| (elements.min(self.elements), factor));
        let ranges = [(0, slower, factor), (slower, self.elements - slower, 1.0)];
        for (offset, length, factor) in ranges.into_iter().filter(|(_, length, _)| *length > 0) {
            let rate = update.learning_rate * factor;
            self.step_range(recorder, (gradient, parameters), step, (offset, length, rate))?;
        }
        Ok(())
    }

    fn step_range(
        &self,
        recorder: &mut Recorder,
        (gradient, parameters): (&Buffer, &Buffer),
        step: u64,
        (offset, length, learning_rate): (u32, u32, f32),
    ) -> Result<(), GpuError> {
        match (self.optimizer, self.moments.as_slice()) {
            (Optimizer::Adam { beta1, beta2, epsilon, weight_decay, decoupled }, [moment1, moment2]) => {
                // In f64, rounded once: 1 − βᵗ loses half of its digits in f32 for small t.
                let correction = |beta: f32| (1.0 - f64::from(beta).powf(step as f64)) as f32;
                let params = adam_step::Params {
                    offset,
                    length,
                    learning_rate,
                    beta1,
                    beta2,
                    epsilon,
                    weight_decay,
                    decoupled: u32::from(decoupled),
                    correction1: correction(beta1),
                    correction2: correction(beta2),
                };
                let buffers = adam_step::Buffers {
                    gradient: gradient.all(),
                    clip: self.clip.all(),
                    parameters: parameters.all(),
                    moment1: moment1.all(),
                    moment2: moment2.all(),
                };
                recorder.dispatch(params, buffers, u64::from(length))
            }
            (Optimizer::Sgd { momentum, nesterov, weight_decay }, [velocity]) => {
                let params = sgd_step::Params {
                    offset,
                    length,
                    learning_rate,
                    momentum,
                    nesterov: u32::from(nesterov),
                    weight_decay,
                };
                let buffers = sgd_step::Buffers {
                    gradient: gradient.all(),
                    clip: self.clip.all(),
                    parameters: parameters.all(),
                    velocity: velocity.all(),
                };
                recorder.dispatch(params, buffers, u64::from(length))
            }
            _ => Ok(()),
        }
    }

    fn clip_gradient(&self, recorder: &mut Recorder, gradient: &Buffer, update: Update) -> Result<(), GpuError> {
        let blocks = self.elements.div_ceil(NORM_BLOCK);
        let params = squared_norm::Params { length: self.elements, block: NORM_BLOCK };
        let buffers = squared_norm::Buffers { vector: gradient.all(), partials: self.partials.all() };
        recorder.dispatch(params, buffers, u64::from(blocks))?;
        let params = clip_scale::Params { partials: blocks, max_norm: update.clip_norm, scale: update.scale };
        let buffers = clip_scale::Buffers { partials: self.partials.all(), clip: self.clip.all() };
        recorder.dispatch(params, buffers, CLIP_INVOCATIONS)
    }
}
