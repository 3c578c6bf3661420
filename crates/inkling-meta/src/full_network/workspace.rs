//! Every buffer of a full-network learner, handed out by a device or written down by a plan.
//!
//! What depends on K is what MAML stores, the parameters between its inner steps, and with learned
//! rates the gradients of those steps. Activations are those of one chunk, whatever K is.

use inkling_gpu::{Allocate, Category, GpuError};
use inkling_nn::{Activations, DirectionScratch, Gradients, Keep, Scratch, Tangents};

use super::fine_tune::FineTuner;
use super::implicit::ImplicitSolver;
use super::model::FullNetworkModel;
use super::settings::{FullNetworkKind, InnerRates};
use super::sizes::Sizes;
use crate::common::Common;
use crate::model::Model;
use crate::{Purpose, TaskLimits};

/// Elements of one block of the check for numbers that are not finite.
pub(crate) const CHECK_BLOCK: u32 = 1024;

/// One chunk that goes through the network together with the others.
#[derive(Debug)]
pub(crate) struct Room<B> {
    pub(crate) activations: Activations<B>,
    pub(crate) gradients: Gradients<B>,
    /// For Hessian-vector products.
    pub(crate) second_order: Option<RoomTangents<B>>,
}

/// Tangents of a chunk's activations, and of their gradients.
#[derive(Debug)]
pub(crate) struct RoomTangents<B> {
    pub(crate) tangents: Tangents<B>,
    pub(crate) gradients_dot: Gradients<B>,
}

/// What a pass through the classifier leaves, `[rows, d]` and `[rows, W]`.
#[derive(Debug)]
pub(crate) struct ClassifierRows<B> {
    pub(crate) embeddings: B,
    pub(crate) d_embeddings: B,
    pub(crate) logits: B,
    pub(crate) d_logits: B,
}

/// What Hessian-vector products need besides the rooms' part.
#[derive(Debug)]
pub(crate) struct SecondOrder<B> {
    /// v, `[tasks, stride]`.
    pub(crate) direction: B,
    pub(crate) scratch: DirectionScratch<B>,
    /// Tangents of the rows.
    pub(crate) rows_dot: ClassifierRows<B>,
}

/// Learned rates and their gradients.
#[derive(Debug)]
pub(crate) struct Rates<B> {
    /// With one rate for each tensor: offset and length of the tensors, and the rates of all
    /// elements, `[stride]`.
    pub(crate) spread: Option<Spread<B>>,
    /// Gradients of the inner steps, `[tasks, stride]` each; with a gradient only.
    pub(crate) slopes: Vec<B>,
    /// `[tasks, stride]`; with a gradient only.
    pub(crate) d_rates: Option<B>,
}

/// One rate for each tensor, spread over its elements.
#[derive(Debug)]
pub(crate) struct Spread<B> {
    pub(crate) table: B,
    pub(crate) rates: B,
    /// The gradient of `rates`, summed over the tasks; with a gradient only.
    pub(crate) d_rates: Option<B>,
}

/// All buffers of a full-network learner.
#[derive(Debug)]
pub(crate) struct FullNetworkWorkspace<B> {
    pub(crate) common: Common<B>,
    /// w, `[tasks, stride]`.
    pub(crate) parameters: B,
    /// The gradient of the inner step; then dL/dw on its way back. `[tasks, stride]`.
    pub(crate) slope: B,
    /// MAML: w_1 … w_{K−1}, `[tasks, stride]` each.
    pub(crate) history: Vec<B>,
    pub(crate) rooms: Vec<Room<B>>,
    pub(crate) scratch: Scratch<B>,
    pub(crate) rows: ClassifierRows<B>,
    /// Loss and correctness of the support in the last inner step, `[tasks · N, 2]`.
    pub(crate) support_outcomes: B,
    /// Numbers that are not finite, block by block.
    pub(crate) counts: B,
    /// What has become of each task of a step; 0 where all went well.
    pub(crate) status: B,
    pub(crate) second_order: Option<SecondOrder<B>>,
    pub(crate) rates: Option<Rates<B>>,
    pub(crate) solver: Option<ImplicitSolver<B>>,
    pub(crate) tuner: Option<FineTuner<B>>,
}

impl<B> ClassifierRows<B> {
    fn new<A: Allocate<Buffer = B>>(
        allocate: &mut A,
        suffix: &str,
        (rows, d, ways): (u64, u64, u64),
    ) -> Result<Self, GpuError> {
        let mut values =
            |name: &str, elements| allocate.values(Category::Embeddings, &format!("{name}{suffix}"), elements);
        Ok(Self {
            embeddings: values("embeddings", rows * d)?,
            d_embeddings: values("d_embeddings", rows * d)?,
            logits: values("logits", rows * ways)?,
            d_logits: values("d_logits", rows * ways)?,
        })
    }
}

impl<B> FullNetworkWorkspace<B> {
    /// Hands out all buffers of a full-network learner.
    pub(crate) fn new<A: Allocate<Buffer = B>>(
        allocate: &mut A,
        (model, full): (&Model, &FullNetworkModel),
        limits: TaskLimits,
        purpose: Purpose,
    ) -> Result<Self, GpuError> {
        let (network, settings) = (&model.network, &full.settings);
        let sizes = Sizes::new(network, &model.config.gradient, limits);
        let trains = purpose != Purpose::Evaluate;
        let second_order = trains && settings.is_second_order();
        let flat = u64::from(sizes.tasks) * u64::from(full.stride);
        let rows = (u64::from(sizes.rows()), u64::from(network.dimension()), u64::from(settings.ways));

        let common = Common::new(allocate, model, limits, purpose, sizes.largest())?;
        let parameters = allocate.values(Category::Parameters, "inner.parameters", flat)?;
        let slope = allocate.values(Category::Gradient, "inner.gradient", flat)?;
        let keeps = if trains && settings.kind == FullNetworkKind::Maml { settings.inner_steps.max(1) } else { 1 };
        let history = (1..keeps)
            .map(|step| allocate.values(Category::Parameters, &format!("inner.history.{step}"), flat))
            .collect::<Result<_, _>>()?;
        let mut rooms = Vec::new();
        for (index, &images) in sizes.rooms.iter().enumerate() {
            let name = |what: &str| format!("{what}.{index}");
            rooms.push(Room {
                activations: network.activations(allocate, &name("chunk"), images, Keep::Gradient)?,
                gradients: network.gradients(allocate, &name("gradients"), images)?,
                second_order: if second_order {
                    Some(RoomTangents {
                        tangents: network.tangents(allocate, &name("tangents"), images)?,
                        gradients_dot: network.gradients(allocate, &name("gradients_dot"), images)?,
                    })
                } else {
                    None
                },
            });
        }
        let outcomes = 2 * u64::from(sizes.tasks) * u64::from(limits.support);
        let blocks = u64::from(sizes.tasks) * u64::from(full.stride.div_ceil(CHECK_BLOCK));
        Ok(Self {
            scratch: network.scratch(allocate, sizes.largest(), sizes.rows(), sizes.tasks)?,
            rows: ClassifierRows::new(allocate, "", rows)?,
            support_outcomes: allocate.values(Category::Embeddings, "support.outcomes", outcomes)?,
            counts: allocate.values(Category::Workspace, "inner.not_finite", blocks)?,
            status: allocate.values(Category::Embeddings, "inner.status", u64::from(purpose.step_tasks(limits)))?,
            second_order: if second_order {
                Some(SecondOrder {
                    direction: allocate.values(Category::Workspace, "direction", flat)?,
                    scratch: network.direction(allocate, sizes.largest(), sizes.rows(), sizes.tasks)?,
                    rows_dot: ClassifierRows::new(allocate, "_dot", rows)?,
                })
            } else {
                None
            },
            rates: if full.learns_rates() { Some(Rates::new(allocate, full, flat, trains)?) } else { None },
            solver: match (trains, settings.kind) {
                (true, FullNetworkKind::Imaml(implicit)) => {
                    Some(ImplicitSolver::new(allocate, implicit, (sizes.tasks, full.stride))?)
                }
                _ => None,
            },
            tuner: match settings.kind {
                FullNetworkKind::FineTune(tune) => {
                    Some(FineTuner::new(allocate, tune, (full, network.dimension()), (&sizes, limits))?)
                }
                _ => None,
            },
            common,
            parameters,
            slope,
            history,
            rooms,
        })
    }
}

impl<B> Rates<B> {
    fn new<A: Allocate<Buffer = B>>(
        allocate: &mut A,
        full: &FullNetworkModel,
        flat: u64,
        trains: bool,
    ) -> Result<Self, GpuError> {
        let stride = u64::from(full.stride);
        let spread = full.settings.rates == InnerRates::PerLayer;
        let mut values = |name: &str, elements| allocate.values(Category::Workspace, name, elements);
        let spread = if spread {
            Some(Spread {
                table: values("rates.tensors", 2 * full.tensors.len() as u64)?,
                rates: values("rates.spread", stride)?,
                d_rates: trains.then(|| values("rates.spread_gradient", stride)).transpose()?,
            })
        } else {
            None
        };
        let steps = if trains { full.settings.inner_steps } else { 0 };
        Ok(Self {
            spread,
            d_rates: trains.then(|| values("rates.gradient", flat)).transpose()?,
            slopes: (0..steps).map(|step| values(&format!("rates.slope.{step}"), flat)).collect::<Result<_, _>>()?,
        })
    }
}
