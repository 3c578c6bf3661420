//! Teaching: embeddings made one by one are the learner's own, and a session that is taught the
//! sample set by the shipped learner recognises what it was not taught.

use std::sync::Arc;

use inkling_gpu::Gpu;
use inkling_meta::{
    Estimator, HeadSettings, Images, ImplicitSettings, LinearSettings, LinearStart, LowerGradient, MetaError, Metric,
    Purpose, RidgeSettings, Task, TaskLimits,
};
use inkling_nn::Norm;
use inkling_session::teach::{
    ClassId, Classroom, Confusion, ImageId, LearnerFile, NewImage, Prediction, Subject, TeachCommand, TeachEvent,
    TeachHandle, Ticket, sample_set, start_teaching,
};

use super::fixture::{NoiseTask, config, learner, message, settings};
use crate::Case;
use crate::kernels::case_list;

pub fn cases() -> Vec<Case> {
    case_list![
        "teaching/embeddings_are_the_learners_own" => embeddings_are_the_learners_own,
        "teaching/coupled_images_have_no_embeddings" => coupled_images_have_no_embeddings,
        "teaching/held_out_images_are_recognised" => held_out_images_are_recognised,
        "teaching/bad_images_harm_nothing" => bad_images_harm_nothing,
        "teaching/questions_without_end_let_images_in" => questions_without_end,
    ]
}

/// Logits of a few terms near one, solved by the same kernels from the same embeddings.
const ROUNDING: f32 = 1e-5;

fn heads() -> [HeadSettings; 4] {
    let linear = LinearSettings {
        inner_steps: 5,
        inner_learning_rate: 0.1,
        ridge: 0.1,
        proximal: false,
        start: LinearStart::Zero,
        gradient: LowerGradient::Implicit(ImplicitSettings {
            cg_steps: 5,
            cg_tolerance: 0.0,
            damping: 0.0,
            preconditioned: false,
            warm: false,
        }),
    };
    [
        HeadSettings::Prototypes { metric: Metric::Euclidean, scale: 1.0 },
        HeadSettings::Prototypes { metric: Metric::Cosine, scale: 5.0 },
        HeadSettings::Ridge(RidgeSettings { lambda: 1.0, scale: 1.0 }),
        HeadSettings::Linear(linear),
    ]
}

async fn embeddings_are_the_learners_own(gpu: &Gpu) -> Result<(), String> {
    let noise = NoiseTask::small(3);
    let task = noise.task();
    for head in heads() {
        for norm in [Norm::Group { groups: 2 }, Norm::Frozen] {
            let mut config = config((norm, Metric::Euclidean), settings(Estimator::Chunked, 0, 2));
            config.kind = head.into();
            let expected = learner(gpu, config.clone(), noise.limits(), Purpose::Evaluate).await?;
            let expected = { expected }.logits(&task).await.map_err(message)?;
            // Room for three images at a time, and for the task only where it is solved.
            let few = TaskLimits { support: 3, queries: 1, ..noise.limits() };
            let mut embedder = learner(gpu, config.clone(), few, Purpose::Evaluate).await?;
            let support = embedder.embed(task.support).await.map_err(message)?;
            let query = embedder.embed(task.query).await.map_err(message)?;
            let mut solver = learner(gpu, config, noise.limits(), Purpose::Evaluate).await?;
            let embedded = Task { support: Images::Values(&support), query: Images::Values(&query), ..task };
            let found = solver.logits_of_embeddings(&embedded).await.map_err(message)?;
            let far = found.iter().zip(&expected).any(|(found, expected)| {
                let error = (found - expected).abs();
                error.is_nan() || error > ROUNDING * (1.0 + expected.abs())
            });
            if far || found.len() != expected.len() {
                return Err(format!("{head:?}, {norm:?}: {found:?}, from the images {expected:?}"));
            }
        }
    }
    Ok(())
}

async fn coupled_images_have_no_embeddings(gpu: &Gpu) -> Result<(), String> {
    let noise = NoiseTask::small(3);
    let config = config((Norm::Batch, Metric::Euclidean), settings(Estimator::Full, 0, 2));
    let mut learner = learner(gpu, config, noise.limits(), Purpose::Evaluate).await?;
    match learner.embed(noise.task().support).await {
        Err(MetaError::Config { .. }) => Ok(()),
        other => Err(format!("an embedding of batch statistics: {other:?}")),
    }
}

/// A session with what it said last of everything.
struct Session {
    handle: TeachHandle,
    thumbnails: usize,
    rejected: Vec<(ImageId, String)>,
    done: (usize, usize),
}

impl Session {
    /// With the shipped learner.
    fn start() -> Result<Self, String> {
        let handle = start_teaching(LearnerFile::shipped()?, None).map_err(message)?;
        Ok(Self { handle, thumbnails: 0, rejected: Vec::new(), done: (0, 0) })
    }

    fn teach(&self, classroom: &Classroom) {
        self.handle.send(TeachCommand::Learn(Arc::new(classroom.lesson())));
    }

    /// Waits for an event that `wanted` takes.
    async fn until<T>(&mut self, mut wanted: impl FnMut(&Self, &TeachEvent) -> Option<T>) -> Result<T, String> {
        loop {
            let event = self.handle.event().await.ok_or("the session has ended")?;
            match &event {
                TeachEvent::Thumbnail { picture, .. } if picture.width().max(picture.height()) <= 96 => {
                    self.thumbnails += 1;
                }
                TeachEvent::Rejected { id, reason } => self.rejected.push((*id, reason.clone())),
                TeachEvent::Embedded { done, of } => self.done = (*done, *of),
                TeachEvent::Failed { message } => return Err(message.clone()),
                TeachEvent::Refused { reason, .. } => return Err(reason.clone()),
                _ => {}
            }
            if let Some(found) = wanted(self, &event) {
                return Ok(found);
            }
        }
    }

    /// Waits until all images are embedded.
    async fn embedded(&mut self, images: usize) -> Result<(), String> {
        self.until(|session, _| (session.done == (images, images)).then_some(())).await
    }

    async fn prediction(&mut self, ticket: Ticket) -> Result<Prediction, String> {
        self.until(|_, event| match event {
            TeachEvent::Prediction(prediction) if prediction.ticket == ticket => Some(prediction.clone()),
            TeachEvent::Unreadable { reason, .. } => {
                Some(Prediction { ticket, classes: Vec::new(), none_of_these: reason.len() as f32, spent: None })
            }
            _ => None,
        })
        .await
    }

    async fn classify(&mut self, ticket: Ticket, subject: Subject) -> Result<Prediction, String> {
        self.handle.send(TeachCommand::Classify { ticket, subject });
        self.prediction(ticket).await
    }

    async fn confusion(&mut self) -> Result<Confusion, String> {
        self.handle.send(TeachCommand::WatchConfusion(true));
        let found = self.until(|_, event| match event {
            TeachEvent::Confusion(confusion) => Some(confusion.clone()),
            _ => None,
        });
        let found = found.await;
        self.handle.send(TeachCommand::WatchConfusion(false));
        found
    }
}

async fn held_out_images_are_recognised(_: &Gpu) -> Result<(), String> {
    let samples = sample_set().map_err(message)?;
    let mut classroom = Classroom::default();
    let classes = classroom.add_classes(samples.classes);
    let mut session = Session::start()?;
    session.teach(&classroom);
    session.embedded(30).await?;
    if session.thumbnails != 30 {
        return Err(format!("{} thumbnails of 30 images", session.thumbnails));
    }
    let wanted: Vec<Option<ClassId>> = classes.iter().copied().map(Some).chain([None]).collect();
    for ((ticket, image), wanted) in (0..).zip(&samples.try_out).zip(&wanted) {
        let prediction = session.classify(ticket, Subject::Image(image.data.clone())).await?;
        let sum: f32 = prediction.classes.iter().map(|(_, probability)| probability).sum();
        if prediction.best() != *wanted || (sum + prediction.none_of_these - 1.0).abs() > 1e-5 {
            return Err(format!("{}: {prediction:?}", image.name));
        }
    }
    let confusion = session.confusion().await?;
    let (right, all) = confusion.right_of_all();
    if all != 30 || right < 27 || confusion.classes != classes {
        return Err(format!("{right} of {all} by leave-one-out: {confusion:?}"));
    }
    moves_need_no_embedding(&mut session, &mut classroom, &classes).await
}

/// As many answers as a few passes of images can bring, each with those to older questions.
const ANSWERS: u32 = 60;

/// As a camera does on a slow adapter: a question is always waiting.
async fn questions_without_end(_: &Gpu) -> Result<(), String> {
    let samples = sample_set().map_err(message)?;
    let image = samples.try_out.first().map(|image| image.data.clone()).ok_or("no image to ask about")?;
    let mut classroom = Classroom::default();
    classroom.add_classes(samples.classes);
    let mut session = Session::start()?;
    let ask = |session: &Session, ticket| {
        session.handle.send(TeachCommand::Classify { ticket, subject: Subject::Image(image.clone()) });
    };
    (0..3).for_each(|ticket| ask(&session, ticket));
    session.teach(&classroom);
    for _ in 0..ANSWERS {
        let answered = session.until(|session, event| match event {
            TeachEvent::Prediction(prediction) => Some(Some(prediction.ticket)),
            _ => (session.done == (30, 30)).then_some(None),
        });
        match answered.await? {
            Some(ticket) => ask(&session, ticket),
            None => return Ok(()),
        }
    }
    Err(format!("{ANSWERS} answers, and {:?} images learned", session.done))
}

/// Moves an image into another class, deletes a class and undoes both: everything is known at once.
async fn moves_need_no_embedding(
    session: &mut Session,
    classroom: &mut Classroom,
    classes: &[ClassId],
) -> Result<(), String> {
    let first = classroom.classes()[0].images[0].id;
    let before = session.classify(9, Subject::HeldOut(first)).await?;
    let thumbnails = session.thumbnails;
    classroom.move_images(&[first], classes[1]);
    classroom.delete_class(classes[2]);
    session.teach(classroom);
    // The first event of a lesson says how much of it is known already.
    session.embedded(20).await?;
    let moved = session.prediction(9).await?;
    if moved.classes.len() != 2 || before.best() != Some(classes[0]) {
        return Err(format!("two classes are left: {moved:?}, before {before:?}"));
    }
    classroom.undo();
    classroom.undo();
    session.teach(classroom);
    session.embedded(30).await?;
    let after = session.prediction(9).await?;
    if after != before || session.thumbnails != thumbnails {
        return Err(format!("after undoing {after:?}, before {before:?}, {} thumbnails", session.thumbnails));
    }
    Ok(())
}

async fn bad_images_harm_nothing(_: &Gpu) -> Result<(), String> {
    let samples = sample_set().map_err(message)?;
    let mut classroom = Classroom::default();
    let few = samples.classes.into_iter().map(|(name, images)| (name, images.into_iter().take(2).collect()));
    let classes = classroom.add_classes(few);
    let bad = classroom.add_images(classes[0], [NewImage::new("notes.txt", b"no image".to_vec())]);
    let mut session = Session::start()?;
    session.teach(&classroom);
    session.embedded(7).await?;
    match session.rejected.as_slice() {
        [(id, reason)] if *id == bad[0] && reason.contains("notes.txt") => {}
        other => return Err(format!("rejected: {other:?}")),
    }
    let unreadable = session.classify(1, Subject::Image(b"no image either".to_vec().into())).await?;
    if !unreadable.classes.is_empty() {
        return Err(format!("bars of no image: {unreadable:?}"));
    }
    // Without a class there is nothing that an image could be.
    let found = session.classify(2, Subject::Image(samples.try_out[1].data.clone())).await?;
    if found.best() != Some(classes[1]) {
        return Err(format!("two images of each class: {found:?}"));
    }
    session.teach(&Classroom::default());
    // What the last lesson still answers comes before the first event of this one.
    session.embedded(0).await?;
    let none = session.prediction(2).await?;
    if none.classes.is_empty() && none.none_of_these == 1.0 { Ok(()) } else { Err(format!("no class: {none:?}")) }
}
