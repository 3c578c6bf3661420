//! Tasks from their images to their share of the step's gradient, or to their logits, pass by pass.

use inkling_gpu::{Buffer, Gpu, Recorder};

use super::model::FullNetworkModel;
use super::network::Adapting;
use super::settings::FullNetworkKind;
use super::sizes::Sizes;
use super::status::TaskStatus;
use super::workspace::FullNetworkWorkspace;
use crate::images::Half;
use crate::model::Model;
use crate::solve::SolveReport;
use crate::{MetaError, Purpose, Task, TaskLimits};

/// A full-network learner's memory on a device.
#[derive(Debug)]
pub(crate) struct FullNetworkEngine {
    full: FullNetworkModel,
    sizes: Sizes,
    pub(crate) workspace: FullNetworkWorkspace<Buffer>,
    /// MAML leaves the Hessians out.
    pub(crate) first_order: bool,
    step_tasks: u32,
}

impl FullNetworkEngine {
    pub(crate) fn new(
        gpu: &Gpu,
        (model, full): (&Model, &FullNetworkModel),
        limits: TaskLimits,
        purpose: Purpose,
    ) -> Result<Self, MetaError> {
        Ok(Self {
            full: full.clone(),
            sizes: Sizes::new(&model.network, &model.config.gradient, limits),
            workspace: FullNetworkWorkspace::new(&mut gpu.clone(), (model, full), limits, purpose)?,
            first_order: false,
            step_tasks: purpose.step_tasks(limits),
        })
    }

    /// # Errors
    /// [`MetaError::Task`] for tasks that do not fit the classifier or the step.
    fn check(&self, tasks: &[Task<'_>], first_task: u32) -> Result<(), MetaError> {
        let ways = self.full.settings.ways;
        if let Some(task) = tasks.iter().find(|task| task.ways != ways) {
            return Err(MetaError::Task(format!(
                "a task of {} classes for a learner whose classifier has {ways} classes; a learner that adapts the \
                 whole network takes tasks of as many classes as it was made for",
                task.ways
            )));
        }
        if first_task as usize + tasks.len() > self.step_tasks as usize {
            return Err(MetaError::Task("more tasks in one step than were planned".into()));
        }
        Ok(())
    }

    /// Adds the gradients of tasks of one size, the first of them number `first_task` of the step
    /// with the query number `first_outcome`.
    pub(crate) async fn accumulate(
        &self,
        recorder: &mut Recorder,
        model: &Model,
        tasks: &[Task<'_>],
        (mut first_task, mut first_outcome): (u32, u32),
    ) -> Result<(), MetaError> {
        self.check(tasks, first_task)?;
        let Some(gradient) = &self.workspace.common.gradient else { return Ok(()) };
        for tasks in tasks.chunks(self.sizes.tasks as usize) {
            let place = (first_task, first_outcome);
            let pass = Adapting::new((model, &self.full, &self.sizes), &self.workspace, tasks, place);
            pass.accumulate(recorder, gradient, self.first_order).await?;
            first_task += pass.count();
            first_outcome += pass.count() * pass.queries();
        }
        Ok(())
    }

    /// Adapts to the tasks and scores their queries; `logits` gets those of every query, for one
    /// task in its order.
    pub(crate) async fn classify(
        &self,
        recorder: &mut Recorder,
        model: &Model,
        tasks: &[Task<'_>],
        mut logits: Option<&mut Vec<f32>>,
    ) -> Result<(), MetaError> {
        self.check(tasks, 0)?;
        let (mut first_task, mut first_outcome) = (0, 0);
        for tasks in tasks.chunks(self.sizes.tasks as usize) {
            let place = (first_task, first_outcome);
            let pass = Adapting::new((model, &self.full, &self.sizes), &self.workspace, tasks, place);
            pass.classify(recorder, logits.as_deref_mut()).await?;
            first_task += pass.count();
            first_outcome += pass.count() * pass.queries();
        }
        Ok(())
    }

    /// Adapts to the tasks, as many as fit side by side.
    pub(crate) async fn adapt(
        &self,
        recorder: &mut Recorder,
        model: &Model,
        tasks: &[Task<'_>],
    ) -> Result<(), MetaError> {
        self.check(tasks, 0)?;
        for tasks in tasks.chunks(self.sizes.tasks as usize) {
            let pass = Adapting::new((model, &self.full, &self.sizes), &self.workspace, tasks, (0, 0));
            pass.upload_labels(recorder).await?;
            pass.adapt(recorder, false).await?;
        }
        Ok(())
    }

    /// How conjugate gradient fared for each task of the last pass; nothing for other learners.
    pub(crate) async fn solve_reports(&self, recorder: &mut Recorder) -> Result<Vec<SolveReport>, MetaError> {
        match &self.workspace.solver {
            Some(solver) => Ok(solver.gradient.reports(recorder, self.sizes.tasks).await?),
            None => Ok(Vec::new()),
        }
    }
}

impl Adapting<'_> {
    /// Adds the tasks' gradients to `gradient`; outcomes and status of each task are written too.
    /// With `first_order` MAML leaves the Hessians out.
    pub(crate) async fn accumulate(
        &self,
        recorder: &mut Recorder,
        gradient: &Buffer,
        first_order: bool,
    ) -> Result<(), MetaError> {
        let workspace = self.workspace;
        let kind = self.full.settings.kind;
        self.upload_labels(recorder).await?;
        self.adapt(recorder, true).await?;
        if kind == FullNetworkKind::Reptile {
            self.score_queries(recorder, None).await?;
            let sum = gradient.slice(0, 4 * u64::from(self.full.stride))?;
            return self.sum_tasks(recorder, &workspace.parameters, (-1.0, 1.0), sum);
        }
        recorder.clear(workspace.slope.slice(0, self.flat_bytes())?);
        self.score_queries(recorder, Some(&workspace.slope)).await?;
        let hypergradient = match kind {
            FullNetworkKind::Imaml(implicit) => self.solve(recorder, implicit).await?,
            _ => {
                self.step_back(recorder, kind == FullNetworkKind::Maml && !first_order).await?;
                &workspace.slope
            }
        };
        self.mark(recorder, hypergradient, TaskStatus::Gradient)?;
        if let Some(d_rates) = workspace.rates.as_ref().and_then(|rates| rates.d_rates.as_ref()) {
            self.mark(recorder, d_rates, TaskStatus::Gradient)?;
        }
        let sum = gradient.slice(0, 4 * u64::from(self.full.stride))?;
        self.sum_tasks(recorder, hypergradient, (1.0, 0.0), sum)?;
        self.sum_rate_gradients(recorder, gradient)
    }

    /// Adapts the tasks and scores their queries; `logits` gets those of every query, batch by batch.
    pub(crate) async fn classify(
        &self,
        recorder: &mut Recorder,
        logits: Option<&mut Vec<f32>>,
    ) -> Result<(), MetaError> {
        self.upload_labels(recorder).await?;
        self.adapt(recorder, false).await?;
        let Some(logits) = logits else { return self.score_queries(recorder, None).await };
        for (first, queries) in self.query_batches() {
            for group in self.sizes.queries(self.count(), (first, queries)) {
                self.score(recorder, (Half::Query, &group), None).await?;
                let bytes = 4 * u64::from(group.images()) * u64::from(self.full.settings.ways);
                logits.extend(recorder.read::<f32>(self.workspace.rows.logits.slice(0, bytes)?).await?);
            }
        }
        Ok(())
    }

    /// Scores all queries, and adds the gradient of each task's mean loss at its parameters.
    async fn score_queries(&self, recorder: &mut Recorder, gradient: Option<&Buffer>) -> Result<(), MetaError> {
        for (first, queries) in self.query_batches() {
            for group in self.sizes.queries(self.count(), (first, queries)) {
                self.score(recorder, (Half::Query, &group), gradient).await?;
            }
        }
        Ok(())
    }

    /// First query and number of queries of each batch.
    fn query_batches(&self) -> impl Iterator<Item = (u32, u32)> {
        let (all, size) = (self.queries(), self.sizes.query_batch.max(1));
        (0..all.div_ceil(size)).map(move |index| (index * size, size.min(all - index * size)))
    }

    async fn upload_labels(&self, recorder: &mut Recorder) -> Result<(), MetaError> {
        let common = &self.workspace.common;
        let support: Vec<u32> = self.tasks.iter().flat_map(|task| task.support_labels).copied().collect();
        let query: Vec<u32> = self.tasks.iter().flat_map(|task| task.query_labels).copied().collect();
        recorder.upload_values(common.support_labels.all(), &support).await?;
        recorder.upload_values(common.query_labels.all(), &query).await?;
        // A status of an earlier step says nothing about these tasks.
        let zeros = vec![0.0_f32; self.tasks.len()];
        let bytes = 4 * zeros.len() as u64;
        let status = self.workspace.status.slice(4 * u64::from(self.first_task), bytes)?;
        recorder.upload_values(status, &zeros).await?;
        if let Some(spread) = self.workspace.rates.as_ref().and_then(|rates| rates.spread.as_ref()) {
            recorder.upload_values(spread.table.all(), self.full.tensors.as_flattened()).await?;
        }
        Ok(())
    }
}
