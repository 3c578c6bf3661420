//! Runs and reports as actors behind handles: a front end starts one, polls its events and sends it
//! commands. Natively the actor has a thread of its own; in a browser it is a task that lets the page
//! paint.

mod report;
mod request;
mod run;

pub use inkling_data::{Dataset, ImageShape, OpenOptions, open, open_picked};
pub use inkling_gpu::{AdapterSummary, Tier};
pub use inkling_platform::Sender;
pub use report::{Points, Report, ReportEvent, ReportHandle, ReportRequest, start_report};
pub use request::{Command, LiveSetting, Passes, RunRequest, Target};
pub use run::{RunHandle, start};

/// Every adapter that could be opened, the preferred one first.
pub async fn adapters() -> Vec<AdapterSummary> {
    inkling_gpu::Gpu::list_adapters().await
}
