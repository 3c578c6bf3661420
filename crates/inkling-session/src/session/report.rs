//! Reports and evaluations as actors: started with a request, they tell how far they are and end
//! with their points.

use std::sync::Arc;

use inkling_data::Dataset;
use inkling_platform::{Receiver, Sender, channel, spawn_actor, until};

use crate::config::RunConfig;
use crate::events::{Evaluation, Event};
use crate::report::convergence::{ConvergencePoint, SystemPoint};
use crate::report::estimators::EstimatorPoint;
use crate::report::memory::MemoryPoint;
use crate::run::{
    Convergence, ConvergenceSettings, MemoryAxes, SessionError, Site, convergence, estimators, evaluate, memory_report,
};
use crate::tensor_file::TensorFile;

/// What is to be measured.
#[derive(Clone, Debug)]
pub enum Report {
    /// Bias and error of `lite` and `subsampled` against the exact gradient.
    Estimators {
        /// The data, task and network.
        config: RunConfig,
        /// Weights to measure at; those of a new run when absent.
        weights: Option<TensorFile>,
        /// Draws for each H.
        draws: u32,
    },
    /// Peak bytes over inner steps, support and image size.
    Memory {
        /// The data, task and network.
        config: RunConfig,
        /// Methods to measure over the inner steps, each with its configuration.
        methods: Vec<(String, RunConfig)>,
        /// The values to measure at.
        axes: MemoryAxes,
    },
    /// How the bilevel algorithms converge on quadratic tasks.
    Convergence(ConvergenceSettings),
    /// Accuracy over the fixed episodes of `[evaluation]`.
    Evaluation {
        /// The data and the episodes.
        config: RunConfig,
        /// The learner's weights.
        weights: TensorFile,
    },
}

/// Everything that a report needs to begin.
#[derive(Clone)]
pub struct ReportRequest {
    /// What is to be measured.
    pub report: Report,
    /// An open data set in place of the one that the configuration names.
    pub dataset: Option<Arc<dyn Dataset>>,
    /// Weights to begin with, in place of the file that `model.weights` of a configuration names.
    pub weights: Option<Arc<TensorFile>>,
    /// Part of the adapter's name; the preferred adapter when absent.
    pub adapter: Option<String>,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
pub enum Points {
    /// Of [`Report::Estimators`].
    Estimators(Vec<EstimatorPoint>),
    /// Of [`Report::Memory`].
    Memory(Vec<MemoryPoint>),
    /// Of [`Report::Convergence`]: the algorithms, and conjugate gradient on large systems.
    Convergence(Vec<ConvergencePoint>, Vec<SystemPoint>),
    /// Of [`Report::Evaluation`].
    Evaluation(Evaluation),
}

/// One message of a report.
#[derive(Clone, Debug, PartialEq)]
pub enum ReportEvent {
    /// How far it is.
    Progress {
        /// Measurements or episodes done.
        done: u32,
        /// All of them.
        of: u32,
        /// The mean accuracy so far, of an evaluation.
        accuracy: Option<f32>,
    },
    /// The points. The last event of a report.
    Done(Points),
    /// It was cancelled. The last event of a report.
    Cancelled,
    /// It failed. The last event of a report.
    Failed {
        /// What happened and what to do.
        message: String,
        /// Whether the request asks for what cannot be.
        usage: bool,
    },
}

/// A report in progress. Dropping it cancels the report.
#[derive(Debug)]
pub struct ReportHandle {
    events: Receiver<ReportEvent>,
    cancel: Sender<()>,
}

impl ReportHandle {
    /// The next event, if there is one.
    pub fn try_event(&self) -> Option<ReportEvent> {
        self.events.try_next()
    }

    /// Waits for the next event; none after the last one.
    pub async fn event(&self) -> Option<ReportEvent> {
        self.events.next().await
    }

    /// Ends the report after the present measurement.
    pub fn cancel(&self) {
        self.cancel.send(());
    }
}

/// Starts a report. Whatever goes wrong comes as an event.
pub fn start_report(request: ReportRequest) -> ReportHandle {
    let (cancel, cancelled) = channel();
    let (outbox, events) = channel();
    let last = outbox.clone();
    let spawned = spawn_actor("report", move || async move {
        // The next message is that nobody holds the handle any more, where it is no cancellation.
        let stop = async { cancelled.next().await.unwrap_or_default() };
        let event = match until(stop, measure(request, &outbox)).await {
            Some(Ok(points)) => ReportEvent::Done(points),
            Some(Err(error)) => ReportEvent::Failed { usage: error.is_usage(), message: error.to_string() },
            None => ReportEvent::Cancelled,
        };
        outbox.send(event);
    });
    if let Err(error) = spawned {
        let message = format!("the system gives no thread for the report: {error}; close other programs");
        last.send(ReportEvent::Failed { message, usage: false });
    }
    ReportHandle { events, cancel }
}

async fn measure(request: ReportRequest, outbox: &Sender<ReportEvent>) -> Result<Points, SessionError> {
    let ReportRequest { report, dataset, weights, adapter } = request;
    let site = Site { adapter, dataset, weights };
    let mut progress = |done, of| {
        outbox.send(ReportEvent::Progress { done, of, accuracy: None });
    };
    Ok(match report {
        Report::Estimators { config, weights, draws } => {
            Points::Estimators(estimators(&config, weights.as_ref(), draws, &site, &mut progress).await?)
        }
        Report::Memory { config, methods, axes } => {
            Points::Memory(memory_report(&config, &methods, &axes, &site, &mut progress).await?)
        }
        Report::Convergence(settings) => {
            let Convergence { points, systems } = convergence(&settings, site.adapter, &mut progress).await?;
            Points::Convergence(points, systems)
        }
        Report::Evaluation { config, weights } => {
            let mut emit = |event| {
                if let Event::Evaluating { done, episodes, accuracy } = event {
                    outbox.send(ReportEvent::Progress { done, of: episodes, accuracy: Some(accuracy) });
                }
            };
            Points::Evaluation(evaluate(&config, &weights, &site, &mut emit).await?.evaluation())
        }
    })
}
