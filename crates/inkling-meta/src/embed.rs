//! Embeddings by themselves: of any images, and tasks that are solved from embeddings made before.
//! Where images are embedded once and classes change often, nothing goes through the network twice.

use crate::engine::Engine;
use crate::model::LearnerKind;
use crate::{Images, Learner, MetaError, Outcome, Task};

impl Learner {
    /// The embeddings of any number of images, `[images, d]`, each independent of the others; in
    /// chunks within the learner's plan.
    ///
    /// # Errors
    /// [`MetaError::Config`] where there are no such embeddings: batch statistics couple the images,
    /// and learners of the whole network have none before they adapt. [`MetaError::Task`] for values
    /// that are no whole images; device errors.
    pub async fn embed(&mut self, images: Images<'_>) -> Result<Vec<f32>, MetaError> {
        self.model().check_embeds()?;
        let elements = self.model().network().image_elements();
        if let Images::Values(values) = images
            && !(values.len() as u64).is_multiple_of(elements)
        {
            return Err(MetaError::Task(format!("{} values are no whole images of {elements}", values.len())));
        }
        let (engine, recorder, model) = self.parts();
        match engine {
            Engine::Head(engine) => engine.embed(recorder, model, images).await,
            Engine::FullNetwork(_) => Err(no_embeddings()),
        }
    }

    /// Learns from the embeddings of a support and gives the logits of embedded queries, `[M, W]`:
    /// both halves of the task are [`Images::Values`] of [`Learner::embed`].
    ///
    /// # Errors
    /// As [`Learner::logits`] and [`Learner::embed`].
    pub async fn logits_of_embeddings(&mut self, task: &Task<'_>) -> Result<Vec<f32>, MetaError> {
        let mut logits = Vec::with_capacity(task.query_labels.len() * task.ways as usize);
        self.classify_embeddings(task, Some(&mut logits)).await?;
        Ok(logits)
    }

    /// Learns from the embeddings of a support and scores embedded queries: both halves of the task
    /// are [`Images::Values`] of [`Learner::embed`].
    ///
    /// # Errors
    /// As [`Learner::evaluate`] and [`Learner::embed`].
    pub async fn evaluate_embeddings(&mut self, task: &Task<'_>) -> Result<Outcome, MetaError> {
        self.classify_embeddings(task, None).await?;
        self.outcome_of_one(task.query_labels.len() as u32).await
    }

    async fn classify_embeddings(&mut self, task: &Task<'_>, seen: Option<&mut Vec<f32>>) -> Result<(), MetaError> {
        self.model().check_embeds()?;
        task.check(u64::from(self.model().network().dimension()), self.limits())?;
        let (Images::Values(support), Images::Values(queries)) = (task.support, task.query) else {
            return Err(MetaError::Task("embeddings are values".into()));
        };
        let (engine, recorder, model) = self.parts();
        match engine {
            Engine::Head(engine) => engine.classify_embeddings(recorder, model, task, (support, queries), seen).await,
            Engine::FullNetwork(_) => Err(no_embeddings()),
        }
    }
}

impl crate::Model {
    /// Whether an image has an embedding of its own.
    ///
    /// # Errors
    /// [`MetaError::Config`] with the reason where it has none.
    pub fn check_embeds(&self) -> Result<(), MetaError> {
        if matches!(self.config().kind, LearnerKind::FullNetwork(_)) {
            return Err(no_embeddings());
        }
        if self.config().film.is_some() {
            return Err(MetaError::config(
                "model.trained",
                "film",
                "the network adapts its norms to each task, so that the embedding of an image depends on the support \
                 beside it; train \"norms\" or a head alone to embed images once",
            ));
        }
        if self.config().network.norm.couples_images() {
            return Err(MetaError::config(
                "model.norm",
                "batch",
                "batch statistics make the embedding of an image depend on the images beside it; train with \
                 model.norm = \"group\" to embed images one by one",
            ));
        }
        Ok(())
    }
}

fn no_embeddings() -> MetaError {
    MetaError::config(
        "learner.kind",
        "maml",
        "a learner that adapts the whole network embeds each image anew for every task; train one with a head \
         (leave [learner] out) to embed images once",
    )
}
