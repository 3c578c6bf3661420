//! Task heads, gradient estimators, optimisers and the memory plan.
//!
//! A head turns embeddings into a loss and rows dL/dE; an estimator turns rows into a parameter
//! gradient with bounded memory; neither knows the other. A [`Learner`] runs both on a device.

mod adaptation;
mod common;
mod conditioning;
mod embed;
mod engine;
mod error;
mod estimator;
mod extractor;
mod features;
mod film;
mod full_network;
mod head;
mod head_engine;
mod heads;
mod images;
mod learner;
mod model;
mod optimizer;
pub mod quadratic;
mod rooms;
pub mod solve;
mod step;
mod task;
mod workspace;

pub use adaptation::Adaptation;
pub use error::MetaError;
pub use estimator::{Estimator, GradientSettings, SubsetTime};
pub use extractor::{
    EmbeddingRows, Extractor, ExtractorConfig, ExtractorLearner, ExtractorUpdate, ImageBatch, ImageCoupling,
    NetworkExtractor, PassRoom,
};
pub use film::{EncoderSubset, FilmSettings};
pub use full_network::{FineTune, FullNetworkKind, FullNetworkSettings, Implicit, InnerRates, TaskStatus};
pub use head::{Head, HeadTask, HeadTensors, QueryBatch};
pub use heads::{
    AnyHead, HeadModel, HeadReport, HeadSettings, ImplicitSettings, LinearSettings, LinearStart, LowerGradient,
    MahalanobisSettings, Metric, NeumannSettings, RidgeSettings, VersaSettings,
};
pub use learner::{Inspection, Learner, Outcome};
pub use model::{LearnerConfig, LearnerKind, Model};
pub use optimizer::{Optimizer, OptimizerState, Update};
pub use task::{Images, Task, TaskLimits};
pub use workspace::Purpose;
