//! Two learners side by side: their cards, and each taught with the present classes, every image
//! left out once.

use std::sync::Arc;

use inkling_session::teach::{LearnerFile, Lesson, TeachCommand, TeachEvent, TeachHandle, start_teaching};

use crate::notice::Notice;

/// How a learner does on the present classes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Outcome {
    /// It was not tried, or the classes changed since.
    #[default]
    Unknown,
    /// Another one is tried first.
    Waiting,
    /// Images embedded, and all.
    Running(usize, usize),
    /// Images recognised, and all.
    Recognised(usize, usize),
    Failed(Notice),
}

struct Trial {
    side: usize,
    handle: TeachHandle,
    /// Images that cannot be used.
    rejected: usize,
}

/// Two learners, by their numbers in the library.
#[derive(Default)]
pub(super) struct Comparison {
    pub sides: [Option<u64>; 2],
    pub outcomes: [Outcome; 2],
    queue: Vec<(usize, LearnerFile)>,
    running: Option<Trial>,
    lesson: Arc<Lesson>,
    adapter: Option<String>,
}

impl Comparison {
    /// Puts a learner on a side; what was found out about the one before is forgotten.
    pub fn choose(&mut self, side: usize, learner: Option<u64>) {
        if let Some(place) = self.sides.get_mut(side)
            && *place != learner
        {
            *place = learner;
            if let Some(outcome) = self.outcomes.get_mut(side) {
                *outcome = Outcome::Unknown;
            }
            self.stop();
        }
    }

    /// Tries both learners on a lesson, one after the other: they share the device.
    pub fn start(&mut self, learners: [Option<LearnerFile>; 2], lesson: Arc<Lesson>, adapter: Option<String>) {
        self.stop();
        self.lesson = lesson;
        self.adapter = adapter;
        for (side, learner) in learners.into_iter().enumerate().rev() {
            if let (Some(learner), Some(outcome)) = (learner, self.outcomes.get_mut(side)) {
                *outcome = Outcome::Waiting;
                self.queue.push((side, learner));
            }
        }
    }

    /// Ends what is being tried.
    pub fn stop(&mut self) {
        self.queue.clear();
        self.running = None;
        for outcome in &mut self.outcomes {
            if matches!(outcome, Outcome::Waiting | Outcome::Running(..)) {
                *outcome = Outcome::Unknown;
            }
        }
    }

    /// Whether a learner is being tried.
    pub fn is_running(&self) -> bool {
        self.running.is_some() || !self.queue.is_empty()
    }

    /// Takes what the session said; starts the next one. `lesson` is the one on the desk now.
    pub fn poll(&mut self, lesson: &Arc<Lesson>) {
        if !Arc::ptr_eq(lesson, &self.lesson) {
            // The classes changed: what was found out is of others.
            self.stop();
            self.outcomes = Default::default();
            self.lesson = Arc::clone(lesson);
        }
        let images = self.lesson.image_count();
        if let Some(trial) = &mut self.running {
            let mut ended = None;
            while let Some(event) = trial.handle.try_event() {
                match event {
                    TeachEvent::Embedded { done, of } => ended = Some(Outcome::Running(done, of)),
                    TeachEvent::Confusion(confusion) => {
                        let (right, all) = confusion.right_of_all();
                        let learned = confusion.alone.len() + all;
                        if learned + trial.rejected >= images {
                            ended = Some(Outcome::Recognised(right, all));
                            break;
                        }
                    }
                    TeachEvent::Refused { reason: message, .. } | TeachEvent::Failed { message } => {
                        ended = Some(Outcome::Failed(Notice::from_message(&message)));
                        break;
                    }
                    TeachEvent::Rejected { .. } => trial.rejected += 1,
                    _ => {}
                }
            }
            if let Some(outcome) = ended {
                let is_over = !matches!(outcome, Outcome::Running(..));
                if let Some(place) = self.outcomes.get_mut(trial.side) {
                    *place = outcome;
                }
                if is_over {
                    self.running = None;
                }
            }
        }
        if self.running.is_none() {
            self.next();
        }
    }

    fn next(&mut self) {
        let Some((side, learner)) = self.queue.pop() else { return };
        let outcome = match start_teaching(learner, self.adapter.clone()) {
            Ok(handle) => {
                handle.send(TeachCommand::WatchConfusion(true));
                handle.send(TeachCommand::Learn(Arc::clone(&self.lesson)));
                self.running = Some(Trial { side, handle, rejected: 0 });
                Outcome::Running(0, self.lesson.image_count())
            }
            Err(error) => Outcome::Failed(Notice::error(error.to_string(), "Close other programs and try again")),
        };
        if let Some(place) = self.outcomes.get_mut(side) {
            *place = outcome;
        }
    }
}
