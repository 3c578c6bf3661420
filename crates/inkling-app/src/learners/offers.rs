//! Learners that can be fetched: what is offered, and the one on its way.

use inkling_session::teach::LearnerFile;

use crate::services::{Catalogue, Fetching, Offer};

/// What a front end offers, and what was asked for of it.
#[derive(Default)]
pub(crate) struct Offers {
    catalogue: Option<Box<dyn Catalogue>>,
    fetching: Option<(Offer, Fetching)>,
}

impl Offers {
    /// Offers from a catalogue, where there is one.
    pub(crate) fn of(catalogue: Option<Box<dyn Catalogue>>) -> Self {
        Self { catalogue, fetching: None }
    }

    /// All of them.
    pub(crate) fn list(&self) -> Vec<Offer> {
        self.catalogue.as_ref().map(|catalogue| catalogue.offers()).unwrap_or_default()
    }

    /// Fetches one, in place of the one on its way.
    pub(crate) fn fetch(&mut self, name: &str) {
        let offer = self.list().into_iter().find(|offer| offer.name == name);
        if let (Some(offer), Some(catalogue)) = (offer, &mut self.catalogue) {
            let fetching = catalogue.fetch(&offer);
            self.fetching = Some((offer, fetching));
        }
    }

    /// Gives up the one on its way.
    pub(crate) fn stop(&mut self) {
        self.fetching = None;
    }

    /// The one on its way, with the bytes that have come.
    pub(crate) fn fetching(&self) -> Option<(&Offer, u64)> {
        self.fetching.as_ref().map(|(offer, fetching)| (offer, fetching.progress.bytes()))
    }

    /// What has arrived, or why it has not.
    pub(crate) fn take(&mut self) -> Option<Result<LearnerFile, String>> {
        let answer = self.fetching.as_mut().and_then(|(_, fetching)| fetching.learner.take());
        if answer.is_some() {
            self.fetching = None;
        }
        answer
    }
}
