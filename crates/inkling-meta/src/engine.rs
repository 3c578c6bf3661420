//! How a pass of tasks runs: with a head on embeddings, or through the whole network.

use inkling_gpu::{Buffer, Gpu};

use crate::common::Common;
use crate::full_network::FullNetworkEngine;
use crate::head_engine::HeadEngine;
use crate::model::{KindModel, Model};
use crate::workspace::Purpose;
use crate::{MetaError, TaskLimits};

/// What a learner has on the device; boxed, because the handles of its buffers fill kilobytes.
#[derive(Debug)]
pub(crate) enum Engine {
    Head(Box<HeadEngine>),
    FullNetwork(Box<FullNetworkEngine>),
}

impl Engine {
    pub(crate) fn new(gpu: &Gpu, model: &Model, limits: TaskLimits, purpose: Purpose) -> Result<Self, MetaError> {
        Ok(match &model.kind {
            KindModel::Head(head) => Self::Head(Box::new(HeadEngine::new(gpu, (model, head), limits, purpose)?)),
            KindModel::FullNetwork(full) => {
                Self::FullNetwork(Box::new(FullNetworkEngine::new(gpu, (model, full), limits, purpose)?))
            }
        })
    }

    pub(crate) fn common(&self) -> &Common<Buffer> {
        match self {
            Self::Head(engine) => &engine.workspace.common,
            Self::FullNetwork(engine) => &engine.workspace.common,
        }
    }

    /// The scales and shifts that FiLM starts from.
    pub(crate) fn base(&self) -> Option<&Buffer> {
        match self {
            Self::Head(engine) => engine.workspace.film.as_ref().map(|film| &film.base),
            Self::FullNetwork(_) => None,
        }
    }

    /// What has become of each task of a step, where tasks can fail.
    pub(crate) fn status(&self) -> Option<&Buffer> {
        match self {
            Self::Head(_) => None,
            Self::FullNetwork(engine) => Some(&engine.workspace.status),
        }
    }

    /// To be called when the frozen weights have changed.
    pub(crate) fn forget_frozen_weights(&mut self) {
        if let Self::Head(engine) = self {
            engine.forget_frozen_weights();
        }
    }

    /// To be called when the weights have changed.
    pub(crate) fn forget_weights(&mut self) {
        match self {
            Self::Head(engine) => engine.forget_weights(),
            // Every pass makes the parameters of its tasks anew.
            Self::FullNetwork(_) => {}
        }
    }
}
