//! The handle of a run and the actor behind it.

use inkling_platform::{Receiver, Sender, channel, spawn_actor};

use super::{Command, RunRequest};
use crate::events::Event;
use crate::run::train;

/// A run in progress. Dropping it stops the run after a checkpoint.
#[derive(Debug)]
pub struct RunHandle {
    events: Receiver<Event>,
    commands: Sender<Command>,
}

impl RunHandle {
    /// The next event, if there is one.
    pub fn try_event(&self) -> Option<Event> {
        self.events.try_next()
    }

    /// Waits for the next event; none after the last one.
    pub async fn event(&self) -> Option<Event> {
        self.events.next().await
    }

    /// Asks for something; false when the run is over.
    pub fn send(&self, command: Command) -> bool {
        self.commands.send(command)
    }

    /// A sender of commands of its own, for signal handlers and the like.
    pub fn commands(&self) -> Sender<Command> {
        self.commands.clone()
    }
}

/// Starts a run. Whatever goes wrong comes as an event.
pub fn start(request: RunRequest) -> RunHandle {
    let (commands, inbox) = channel();
    let (outbox, events) = channel();
    let last = outbox.clone();
    let spawned = spawn_actor("run", move || async move {
        train(request, &inbox, &mut |event| {
            outbox.send(event);
        })
        .await;
    });
    if let Err(error) = spawned {
        let message = format!("the system gives no thread for the run: {error}; close other programs");
        last.send(Event::Failed { message, usage: false, resumable: false });
    }
    RunHandle { events, commands }
}
