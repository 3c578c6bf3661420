//! What a caller has chosen or opened before: the adapter, the data set, first weights.

use std::sync::Arc;

use inkling_data::Dataset;
use inkling_gpu::Gpu;

use super::SessionError;
use super::model::{open_data, open_gpu};
use crate::config::RunConfig;
use crate::tensor_file::TensorFile;

/// Where work runs, and on which images.
#[derive(Clone, Default)]
pub struct Site {
    /// Part of the adapter's name; the preferred adapter when absent.
    pub adapter: Option<String>,
    /// An open data set in place of the one that the configuration names.
    pub dataset: Option<Arc<dyn Dataset>>,
    /// Weights to begin with in place of the file that the configuration names.
    pub weights: Option<Arc<TensorFile>>,
}

impl Site {
    /// On this adapter, with the data set that the configuration names.
    pub fn on(adapter: Option<String>) -> Self {
        Self { adapter, dataset: None, weights: None }
    }

    /// A device of its own.
    pub(super) async fn gpu(&self) -> Result<Gpu, SessionError> {
        open_gpu(self.adapter.clone(), false).await
    }

    /// The data set.
    pub(super) fn data(&self, config: &RunConfig) -> Result<Arc<dyn Dataset>, SessionError> {
        match &self.dataset {
            Some(dataset) => Ok(Arc::clone(dataset)),
            None => open_data(config),
        }
    }
}
