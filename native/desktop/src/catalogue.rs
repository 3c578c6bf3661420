//! Learners that others published, from their official addresses.

use std::ops::ControlFlow;
use std::path::PathBuf;

use directories::ProjectDirs;
use inkling_app::{Catalogue, Fetching, Offer, Progress};
use inkling_platform::Pending;
use inkling_session::pretrained::{self, PRETRAINED, Pretrained};

/// Published networks; their archives go through the user's cache, where a cut transfer resumes.
pub struct Published;

impl Catalogue for Published {
    fn offers(&self) -> Vec<Offer> {
        PRETRAINED.iter().map(offer).collect()
    }

    fn fetch(&mut self, offer: &Offer) -> Fetching {
        let wanted = PRETRAINED.iter().find(|one| one.name == offer.name);
        let progress = Progress::default();
        let counted = progress.clone();
        let learner = match wanted {
            Some(wanted) => Pending::start(move || async move { pretrained(wanted, &counted) }),
            None => Pending::ready(Err(format!("nothing is offered as {}; choose another", offer.name))),
        };
        Fetching { learner, progress }
    }
}

fn offer(one: &Pretrained) -> Offer {
    Offer {
        name: one.name.to_owned(),
        description: one.description.to_owned(),
        licence: one.licence.to_owned(),
        bytes: one.bytes,
    }
}

fn pretrained(wanted: &Pretrained, counted: &Progress) -> Result<inkling_session::teach::LearnerFile, String> {
    pretrained::learner(wanted, &folder(), &mut |progress| {
        if counted.advance(progress.received_bytes) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })
}

fn folder() -> PathBuf {
    let user = ProjectDirs::from("", "", "inkling");
    user.map_or_else(std::env::temp_dir, |user| user.cache_dir().to_owned()).join("weights")
}
