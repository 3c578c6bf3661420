//! The teaching session at work: between two looks at its commands it decodes one image, embeds one
//! small pass, or answers one question.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use inkling_data::Pixels;
use inkling_platform::{Receiver, Sender, Stopwatch, yield_now};

use super::album::{Album, Known};
use super::classroom::{ClassImage, ImageId, Lesson};
use super::events::{Prediction, Spent, Subject, TeachCommand, TeachEvent, Ticket};
use super::learner_file::LearnerFile;
use super::prepare::{Input, decode, thumbnail};
use super::solver::Solver;
use crate::run::SessionError;
use crate::run::embed::{Embedder, PASS};

/// A learner in use.
struct Teacher {
    learner: LearnerFile,
    input: Input,
    solver: Solver,
    /// None after the device failed twice.
    embedder: Option<Embedder>,
}

/// A question that is answered again after every change.
struct Question {
    subject: Subject,
    /// Of an image from outside the classes.
    embedding: Vec<f32>,
    /// What embedding it took, until that is told.
    spent: Option<Spent>,
}

/// The state of a session.
pub(super) struct Actor {
    inbox: Receiver<TeachCommand>,
    outbox: Sender<TeachEvent>,
    adapter: Option<String>,
    teacher: Option<Teacher>,
    lesson: Arc<Lesson>,
    album: Album,
    /// Images of the lesson that are not decoded yet.
    unknown: VecDeque<ClassImage>,
    /// Images that are decoded and not embedded yet.
    decoded: Vec<(ImageId, Pixels)>,
    /// Questions not looked at yet, the newest last.
    waiting: Vec<(Ticket, Subject)>,
    questions: BTreeMap<Ticket, Question>,
    /// Whether the images of the classes come before the next question: they take turns, so that a
    /// camera on a slow adapter cannot keep them waiting for ever.
    images_first: bool,
    /// Whether the answers are those of an earlier lesson.
    answers_stale: bool,
    confusion_watched: bool,
    confusion_stale: bool,
}

impl Actor {
    pub(super) fn new(inbox: Receiver<TeachCommand>, outbox: Sender<TeachEvent>, adapter: Option<String>) -> Self {
        Self {
            inbox,
            outbox,
            adapter,
            teacher: None,
            lesson: Arc::default(),
            album: Album::default(),
            unknown: VecDeque::new(),
            decoded: Vec::new(),
            waiting: Vec::new(),
            questions: BTreeMap::new(),
            images_first: false,
            answers_stale: false,
            confusion_watched: false,
            confusion_stale: false,
        }
    }

    /// Works until the handle is gone.
    pub(super) async fn run(mut self, learner: LearnerFile) {
        self.use_learner(learner).await;
        loop {
            while let Some(command) = self.inbox.try_next() {
                self.take(command).await;
            }
            if self.inbox.is_closed() {
                return;
            }
            if self.work().await {
                yield_now().await;
                continue;
            }
            match self.inbox.next().await {
                Some(command) => self.take(command).await,
                None => return,
            }
        }
    }

    async fn take(&mut self, command: TeachCommand) {
        match command {
            TeachCommand::Learn(lesson) => self.learn(lesson),
            TeachCommand::Classify { ticket, subject } => {
                self.waiting.retain(|(other, _)| *other != ticket);
                self.waiting.push((ticket, subject));
            }
            TeachCommand::Release(ticket) => {
                self.waiting.retain(|(other, _)| *other != ticket);
                self.questions.remove(&ticket);
            }
            TeachCommand::WatchConfusion(watched) => {
                self.confusion_watched = watched;
                self.confusion_stale = watched;
            }
            TeachCommand::UseLearner(learner) => self.use_learner(*learner).await,
        }
    }

    fn learn(&mut self, lesson: Arc<Lesson>) {
        self.lesson = lesson;
        self.album.prune(&self.lesson);
        self.queue_unknown();
        self.changed();
        self.tell_progress();
    }

    fn queue_unknown(&mut self) {
        let unknown = self.album.unknown(&self.lesson).into_iter();
        self.unknown = unknown.filter(|image| self.decoded.iter().all(|(id, _)| *id != image.id)).collect();
    }

    fn changed(&mut self) {
        self.answers_stale = true;
        self.confusion_stale = true;
    }

    fn tell_progress(&self) {
        self.outbox.send(TeachEvent::Embedded { done: self.album.done(&self.lesson), of: self.lesson.image_count() });
    }

    /// Takes a learner into use, or refuses it and keeps the one before.
    async fn use_learner(&mut self, learner: LearnerFile) {
        let card = learner.model_card();
        let checked = Embedder::check(learner.weights(), card).and_then(|()| Ok(Input::of(card)?));
        let input = match checked {
            Ok(input) => input,
            Err(error) => {
                let (learner, reason) = (learner.name().to_owned(), error.to_string());
                self.outbox.send(TeachEvent::Refused { learner, reason });
                return;
            }
        };
        let solver = Solver::of(&card.head, learner.weights());
        // The old one goes first: the device need not hold both.
        self.teacher = None;
        let embedder = match Embedder::open(learner.weights(), card, self.adapter.clone()).await {
            Ok(embedder) => {
                self.outbox.send(TeachEvent::Ready(learner.card()));
                Some(embedder)
            }
            Err(error) => {
                self.fail(&error);
                None
            }
        };
        self.teacher = Some(Teacher { learner, input, solver, embedder });
        self.album.forget_embeddings();
        self.decoded.clear();
        // What was asked before is asked again, unless something newer waits under its ticket.
        for (ticket, question) in std::mem::take(&mut self.questions) {
            if self.waiting.iter().all(|(other, _)| *other != ticket) {
                self.waiting.push((ticket, question.subject));
            }
        }
        self.queue_unknown();
        self.changed();
        self.tell_progress();
    }

    fn fail(&self, error: &SessionError) {
        let message = format!("{error}; choose the learner once more to try again");
        self.outbox.send(TeachEvent::Failed { message });
    }

    /// Does one bounded piece of work; false when there is none.
    async fn work(&mut self) -> bool {
        if self.teacher.as_ref().is_none_or(|teacher| teacher.embedder.is_none()) {
            return false;
        }
        let has_images = !self.unknown.is_empty() || !self.decoded.is_empty();
        let images_first = self.images_first && has_images;
        if !images_first && let Some((ticket, subject)) = self.waiting.pop() {
            self.ask(ticket, subject).await;
            self.images_first = true;
        } else if std::mem::take(&mut self.answers_stale) {
            let tickets: Vec<Ticket> = self.questions.keys().copied().collect();
            self.answer(&tickets).await;
        } else if self.decoded.len() == PASS as usize || (self.unknown.is_empty() && !self.decoded.is_empty()) {
            self.embed_decoded().await;
            self.images_first = false;
        } else if let Some(image) = self.unknown.pop_front() {
            self.decode(&image).await;
        } else if self.confusion_watched && std::mem::take(&mut self.confusion_stale) {
            self.tell_confusion().await;
        } else {
            return false;
        }
        true
    }

    /// Decodes an image of the lesson, shows its thumbnail, and puts it up for embedding.
    async fn decode(&mut self, image: &ClassImage) {
        let Some(teacher) = &self.teacher else { return };
        let id = image.id;
        let pixels = decode(&image.image.data, &image.image.name).await.and_then(|picture| {
            let pixels = teacher.input.pixels(&picture)?;
            if self.album.shows_first(id)
                && let Some(picture) = thumbnail(&picture)
            {
                self.outbox.send(TeachEvent::Thumbnail { id, picture });
            }
            Ok(pixels)
        });
        match pixels {
            Ok(pixels) => self.decoded.push((id, pixels)),
            Err(error) => {
                self.album.insert(id, Known::Rejected);
                self.outbox.send(TeachEvent::Rejected { id, reason: error.to_string() });
                self.tell_progress();
            }
        }
    }

    async fn embed_decoded(&mut self) {
        let (ids, pixels): (Vec<ImageId>, Vec<Pixels>) = self.decoded.iter().cloned().unzip();
        // After a failure they stay where they are, for the next learner to begin anew.
        let Some(embeddings) = self.embed(&pixels).await else { return };
        let dimension = embeddings.len() / ids.len().max(1);
        for (id, embedding) in ids.into_iter().zip(embeddings.chunks(dimension.max(1))) {
            self.album.insert(id, Known::Embedded(embedding.to_vec()));
        }
        self.decoded.clear();
        self.changed();
        self.tell_progress();
    }

    /// Embeds images; after a failure once more on a fresh device.
    async fn embed(&mut self, pixels: &[Pixels]) -> Option<Vec<f32>> {
        let teacher = self.teacher.as_mut()?;
        if let Ok(embeddings) = teacher.embedder.as_mut()?.embed(pixels).await {
            return Some(embeddings);
        }
        teacher.embedder = None;
        let (weights, card) = (teacher.learner.weights(), teacher.learner.model_card());
        let again = match Embedder::open(weights, card, self.adapter.clone()).await {
            Ok(mut embedder) => embedder.embed(pixels).await.map(|embeddings| (embedder, embeddings)),
            Err(error) => Err(error),
        };
        match again {
            Ok((embedder, embeddings)) => {
                teacher.embedder = Some(embedder);
                Some(embeddings)
            }
            Err(error) => {
                self.fail(&error);
                None
            }
        }
    }

    /// Looks at a question for the first time.
    async fn ask(&mut self, ticket: Ticket, subject: Subject) {
        let unreadable = |reason: String| TeachEvent::Unreadable { ticket, reason };
        let mut spent = None;
        let embedding = match &subject {
            Subject::Image(image) => {
                let Some(input) = self.teacher.as_ref().map(|teacher| teacher.input) else { return };
                let clock = Stopwatch::start();
                match decode(image, "the image").await.and_then(|picture| input.pixels(&picture)) {
                    Ok(pixels) => {
                        let picture = clock.seconds();
                        let Some(embedding) = self.embed(&[pixels]).await else { return };
                        spent = Some(Spent { picture, network: clock.seconds() - picture, classes: 0.0 });
                        embedding
                    }
                    Err(error) => {
                        self.questions.remove(&ticket);
                        self.outbox.send(unreadable(error.to_string()));
                        return;
                    }
                }
            }
            Subject::HeldOut(id) => {
                if self.album.get(*id) == Some(&Known::Rejected) {
                    self.questions.remove(&ticket);
                    self.outbox.send(unreadable("this image cannot be read; choose another".to_owned()));
                    return;
                }
                Vec::new()
            }
        };
        self.questions.insert(ticket, Question { subject, embedding, spent });
        self.answer(&[ticket]).await;
    }

    /// Answers the questions under these tickets; one about an image that is not embedded waits.
    async fn answer(&mut self, tickets: &[Ticket]) {
        let Some(teacher) = &mut self.teacher else { return };
        let Some(embedder) = &mut teacher.embedder else { return };
        let clock = Stopwatch::start();
        let fitted = teacher.solver.fit(self.album.support(&self.lesson));
        for &ticket in tickets {
            let Some(question) = self.questions.get_mut(&ticket) else { continue };
            let spent = question.spent.take();
            let (embedding, place) = match question.subject {
                Subject::Image(_) => (question.embedding.as_slice(), None),
                Subject::HeldOut(id) => {
                    let place = fitted.support.place(id);
                    match (place.and_then(|place| fitted.support.embedding(place)), self.album.get(id)) {
                        (Some(embedding), _) => (embedding, place),
                        // It left the classes: an image like any other.
                        (None, Some(Known::Embedded(embedding))) => (embedding.as_slice(), None),
                        _ => continue,
                    }
                }
            };
            match teacher.solver.classify(&fitted, embedder, embedding, place).await {
                Ok((probabilities, none)) => {
                    let classes = fitted.support.classes.iter().map(|members| members.class);
                    let classes = classes.zip(probabilities.iter().map(|probability| *probability as f32)).collect();
                    let none_of_these = none as f32;
                    let spent = spent.map(|spent| Spent { classes: clock.seconds(), ..spent });
                    self.outbox.send(TeachEvent::Prediction(Prediction { ticket, classes, none_of_these, spent }));
                }
                Err(error) => {
                    let message = error.to_string();
                    self.outbox.send(TeachEvent::Failed { message });
                    return;
                }
            }
        }
    }

    async fn tell_confusion(&mut self) {
        let Some(teacher) = &mut self.teacher else { return };
        let Some(embedder) = &mut teacher.embedder else { return };
        let fitted = teacher.solver.fit(self.album.support(&self.lesson));
        match teacher.solver.confusion(&fitted, embedder, || !self.inbox.is_empty()).await {
            Ok(Some(confusion)) => {
                self.outbox.send(TeachEvent::Confusion(confusion));
            }
            // Something newer waits; it may not have changed what this is about.
            Ok(None) => self.confusion_stale = true,
            Err(error) => {
                let message = error.to_string();
                self.outbox.send(TeachEvent::Failed { message });
            }
        }
    }
}
