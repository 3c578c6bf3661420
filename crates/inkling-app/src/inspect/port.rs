//! The panel's side of a report: the handle, or a script in tests.

use inkling_session::session::{ReportEvent, ReportHandle, ReportRequest, start_report};

/// What a panel needs of a report.
pub(crate) trait ReportPort {
    /// The next event, if there is one.
    fn try_event(&self) -> Option<ReportEvent>;
    /// Asks it to end.
    fn cancel(&self);
}

impl ReportPort for ReportHandle {
    fn try_event(&self) -> Option<ReportEvent> {
        Self::try_event(self)
    }

    fn cancel(&self) {
        Self::cancel(self);
    }
}

/// Starts reports.
pub(crate) type Starter = Box<dyn Fn(ReportRequest) -> Box<dyn ReportPort>>;

/// Starts real ones.
pub(crate) fn real_starter() -> Starter {
    Box::new(|request| Box::new(start_report(request)))
}
