//! What a teaching session has said, until the call that waits for it takes it.

use std::collections::{HashMap, HashSet};

use inkling_session::teach::{ImageId, LearnerCard, Prediction, TeachEvent, Ticket};

/// Events by what they answer.
#[derive(Default)]
pub struct Inbox {
    /// The learner in use.
    pub card: Option<LearnerCard>,
    /// Why a learner was not taken into use, or why the session cannot go on.
    pub failure: Option<String>,
    answers: HashMap<Ticket, Result<Prediction, String>>,
    /// Images of the classes that were decoded, and those of them that were embedded afterwards.
    decoded: HashSet<ImageId>,
    embedded: HashSet<ImageId>,
    rejected: HashMap<ImageId, String>,
}

impl Inbox {
    /// Files one event.
    pub fn put(&mut self, event: TeachEvent) {
        match event {
            TeachEvent::Ready(card) => self.card = Some(card),
            TeachEvent::Thumbnail { id, .. } => {
                self.decoded.insert(id);
            }
            // It counts the images of the last lesson that the session was sent, and with it all
            // that were decoded before.
            TeachEvent::Embedded { done, of } if done == of => self.embedded.extend(self.decoded.drain()),
            TeachEvent::Prediction(prediction) => {
                self.answers.insert(prediction.ticket, Ok(prediction));
            }
            TeachEvent::Rejected { id, reason } => {
                self.rejected.insert(id, reason);
            }
            TeachEvent::Unreadable { ticket, reason } => {
                self.answers.insert(ticket, Err(reason));
            }
            TeachEvent::Refused { reason: message, .. } | TeachEvent::Failed { message } => {
                self.failure = Some(message);
            }
            TeachEvent::Embedded { .. } | TeachEvent::Confusion(_) => {}
        }
    }

    /// The answer to a question, once.
    pub fn take_answer(&mut self, ticket: Ticket) -> Option<Result<Prediction, String>> {
        self.answers.remove(&ticket)
    }

    /// Whether an image has been learned, or why it cannot be; once.
    pub fn take_learned(&mut self, id: ImageId) -> Option<Result<(), String>> {
        let rejected = self.rejected.remove(&id).map(Err);
        rejected.or_else(|| self.embedded.remove(&id).then_some(Ok(())))
    }
}
