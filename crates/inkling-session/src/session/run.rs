//! The handle of a run and the actor behind it.

use inkling_platform::{Receiver, Sender, channel, spawn_actor};

use super::{Command, RunRequest, Target};
use crate::events::Event;
use crate::run::{Control, SessionError, train};

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
    let spawned = spawn_actor("run", move || act(request, inbox, outbox));
    if let Err(error) = spawned {
        let message = format!("the system gives no thread for the run: {error}; close other programs");
        last.send(Event::Failed { message, usage: false, resumable: false });
    }
    RunHandle { events, commands }
}

async fn act(request: RunRequest, inbox: Receiver<Command>, outbox: Sender<Event>) {
    let control = Inbox(inbox);
    let mut emit = |event| {
        outbox.send(event);
    };
    let result = train(&request.config, &request.target, request.adapter.clone(), &control, &mut emit).await;
    if let Err(error) = result {
        let (usage, message) = (error.is_usage(), error.to_string());
        emit(Event::Failed { message, usage, resumable: false });
    }
}

struct Inbox(Receiver<Command>);

impl Control for Inbox {
    fn stop_requested(&self) -> bool {
        self.0.is_closed() || std::iter::from_fn(|| self.0.try_next()).any(|command| command == Command::Stop)
    }
}
