//! The panel's side of a run: the handle, or a script in tests.

use inkling_session::events::Event;
use inkling_session::session::{Command, RunHandle, RunRequest};

/// What a panel needs of a run.
pub(crate) trait RunPort {
    /// The next event, if there is one.
    fn try_event(&self) -> Option<Event>;
    /// Asks for something; false when the run is over.
    fn send(&self, command: Command) -> bool;
}

impl RunPort for RunHandle {
    fn try_event(&self) -> Option<Event> {
        Self::try_event(self)
    }

    fn send(&self, command: Command) -> bool {
        Self::send(self, command)
    }
}

/// Starts runs.
pub(crate) type Starter = Box<dyn Fn(RunRequest) -> Box<dyn RunPort>>;

/// Starts real ones.
pub(crate) fn real_starter() -> Starter {
    Box::new(|request| Box::new(inkling_session::session::start(request)))
}
