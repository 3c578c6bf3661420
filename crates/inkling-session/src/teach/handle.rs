//! The two ends of a teaching session.

use inkling_platform::{Receiver, Sender, channel, spawn_actor};

use super::actor::Actor;
use super::events::{TeachCommand, TeachEvent};
use super::learner_file::LearnerFile;

/// A teaching session: it ends when the handle is dropped.
#[derive(Debug)]
pub struct TeachHandle {
    commands: Sender<TeachCommand>,
    events: Receiver<TeachEvent>,
}

impl TeachHandle {
    /// Sends a command; false when the session has ended, which only a fault of the program brings
    /// about.
    pub fn send(&self, command: TeachCommand) -> bool {
        self.commands.send(command)
    }

    /// The next event, if there is one: for a loop in every frame.
    pub fn try_event(&self) -> Option<TeachEvent> {
        self.events.try_next()
    }

    /// Waits for the next event; none when the session has ended.
    pub async fn event(&self) -> Option<TeachEvent> {
        self.events.next().await
    }
}

/// Starts a teaching session on the adapter whose name contains `adapter`, or the first. The first
/// event is [`TeachEvent::Ready`], [`TeachEvent::Refused`] or [`TeachEvent::Failed`].
///
/// # Errors
/// When the system gives no thread.
pub fn start_teaching(learner: LearnerFile, adapter: Option<String>) -> std::io::Result<TeachHandle> {
    let (commands, inbox) = channel();
    let (outbox, events) = channel();
    spawn_actor("teach", move || Actor::new(inbox, outbox, adapter).run(learner))?;
    Ok(TeachHandle { commands, events })
}
