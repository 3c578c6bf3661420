//! The adapters of this machine, listed once, when somebody first asks for them.

use std::time::Duration;

use egui::Context;
use inkling_platform::Pending;
use inkling_session::session::{AdapterSummary, adapters};

/// The list, as far as it is known.
#[derive(Default)]
pub struct Adapters {
    listed: Option<Vec<AdapterSummary>>,
    listing: Option<Pending<Vec<AdapterSummary>>>,
}

impl Adapters {
    /// A list that is known already.
    pub fn of(adapters: Vec<AdapterSummary>) -> Self {
        Self { listed: Some(adapters), listing: None }
    }

    /// Begins to list where that `is_asked_for`, and takes the answer.
    pub(crate) fn poll(&mut self, ctx: &Context, is_asked_for: bool) {
        if let Some(listing) = &mut self.listing {
            match listing.take() {
                Some(adapters) => (self.listed, self.listing) = (Some(adapters), None),
                None => ctx.request_repaint_after(Duration::from_millis(50)),
            }
        } else if is_asked_for && self.listed.is_none() {
            self.listing = Some(Pending::start(adapters));
            ctx.request_repaint_after(Duration::from_millis(50));
        }
    }

    /// All adapters, the preferred one first; none while they are being listed.
    pub fn all(&self) -> Option<&[AdapterSummary]> {
        self.listed.as_deref()
    }

    /// The one that a part of its name chooses, else the preferred one.
    pub fn chosen(&self, name: Option<&str>) -> Option<&AdapterSummary> {
        let all = self.all()?;
        match name.map(str::to_lowercase) {
            Some(name) => all.iter().find(|adapter| adapter.name.to_lowercase().contains(&name)),
            None => all.first(),
        }
    }
}
