//! The learners at hand: the shipped one, those that were loaded or kept, those of runs and
//! projects; and which of them is taught.

use std::sync::Arc;

use inkling_platform::{Pending, Storage, StorageError};
use inkling_session::teach::LearnerFile;
use serde::{Deserialize, Serialize};

use super::offers::Offers;
use crate::notice::Notice;
use crate::services::{Catalogue, Offer};

/// Where the list of kept learners is stored.
const LIST: &str = "learners.json";
const FORMAT: u32 = 1;

/// Where a learner comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The project trained it and ships it.
    Shipped,
    /// It was kept on this machine before.
    Kept,
    /// It was published by others and fetched.
    Published,
    /// Somebody loaded its file.
    Loaded,
    /// A run trained it.
    Run,
    /// It came with a project.
    Project,
}

impl Origin {
    /// What users read.
    pub fn words(self) -> &'static str {
        match self {
            Self::Shipped => "Ships with Inkling",
            Self::Kept => "Kept on this machine",
            Self::Published => "Published by others",
            Self::Loaded => "Loaded from a file",
            Self::Run => "Trained here",
            Self::Project => "Came with a project",
        }
    }
}

/// A learner at hand.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Told apart from every other one, also from one of the same name that was removed.
    pub number: u64,
    pub learner: LearnerFile,
    pub origin: Origin,
    /// Whether it is there after a reload.
    pub is_kept: bool,
}

#[derive(Serialize, Deserialize)]
struct List {
    format: u32,
    learners: Vec<Listed>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Listed {
    name: String,
    blob: String,
}

type Shipped = Pending<Result<LearnerFile, String>>;
type Kept = Pending<Result<Vec<(String, Arc<[u8]>)>, StorageError>>;

/// The learners at hand, in the order in which they came.
#[derive(Default)]
pub struct Library {
    pub(crate) entries: Vec<Entry>,
    in_use: Option<u64>,
    numbers: u64,
    /// The name of a learner to use as soon as it is there.
    wanted: Option<String>,
    shipped: Option<Shipped>,
    shipped_problem: Option<Notice>,
    offers: Offers,
    restoring: Option<Kept>,
    keeping: Option<Pending<Result<(), StorageError>>>,
    /// Whether the kept ones changed since they were stored.
    is_stale: bool,
    pub(crate) notice: Option<Notice>,
}

impl Library {
    /// Starts to wait for the shipped learner and to look for kept ones.
    pub fn open(shipped: Option<Shipped>, storage: &Storage) -> Self {
        let store = storage.clone();
        let restoring = Some(Pending::start(move || async move { restore(&store).await }));
        Self { shipped, restoring, ..Self::default() }
    }

    /// The same with learners to fetch.
    pub fn with_catalogue(mut self, catalogue: Option<Box<dyn Catalogue>>) -> Self {
        self.offers = Offers::of(catalogue);
        self
    }

    /// Takes what arrived, and stores what changed.
    pub fn poll(&mut self, storage: &Storage) {
        if let Some(answer) = self.shipped.as_mut().and_then(Pending::take) {
            self.shipped = None;
            match answer {
                Ok(learner) => drop(self.add(learner, Origin::Shipped)),
                Err(error) => self.shipped_problem = Some(Notice::from_message(&error)),
            }
        }
        match self.offers.take() {
            Some(Ok(learner)) => {
                let name = self.add(learner, Origin::Published);
                self.use_learner(&name);
                // Nobody wants to fetch it twice.
                if let Some(number) = self.in_use {
                    self.keep(number);
                }
            }
            Some(Err(error)) => self.notice = Some(Notice::from_message(&error)),
            None => {}
        }
        if let Some(answer) = self.restoring.as_mut().and_then(Pending::take) {
            self.restoring = None;
            match answer {
                Ok(kept) => kept.into_iter().for_each(|(name, bytes)| self.bring_back(name, bytes)),
                Err(error) => self.notice = Some(Notice::from_message(&error.to_string())),
            }
        }
        if let Some(answer) = self.keeping.as_mut().and_then(Pending::take) {
            self.keeping = None;
            if let Err(error) = answer {
                self.notice = Some(Notice::from_message(&error.to_string()));
            }
        }
        if self.is_stale && self.keeping.is_none() && self.restoring.is_none() {
            self.is_stale = false;
            self.store(storage);
        }
    }

    /// Whether something is on its way.
    pub fn is_busy(&self) -> bool {
        let is_fetching = self.offers.fetching().is_some();
        self.shipped.is_some() || self.restoring.is_some() || self.keeping.is_some() || is_fetching
    }

    /// The learners that can be fetched and are not here.
    pub fn offers(&self) -> Vec<Offer> {
        let mut offers = self.offers.list();
        offers.retain(|offer| !self.names().any(|name| name == offer.name));
        offers
    }

    /// Fetches one of them; it is used and kept when it is there.
    pub fn fetch(&mut self, name: &str) {
        self.offers.fetch(name);
    }

    /// Gives up the one on its way.
    pub fn stop_fetching(&mut self) {
        self.offers.stop();
    }

    /// The one on its way, with the bytes that have come.
    pub fn fetching(&self) -> Option<(&Offer, u64)> {
        self.offers.fetching()
    }

    /// Why the shipped learner is not there.
    pub fn shipped_problem(&self) -> Option<&Notice> {
        self.shipped_problem.as_ref()
    }

    /// Adds a learner, once, and gives the name that it goes by here; the first one is used at once.
    pub fn add(&mut self, learner: LearnerFile, origin: Origin) -> String {
        if let Some(same) = self.entries.iter().find(|entry| entry.learner.bytes() == learner.bytes()) {
            return same.learner.name().to_owned();
        }
        let learner = self.named(learner);
        let name = learner.name().to_owned();
        self.numbers += 1;
        let is_kept = origin == Origin::Kept;
        self.entries.push(Entry { number: self.numbers, learner, origin, is_kept });
        let is_wanted = self.wanted.as_ref() == Some(&name);
        if is_wanted || self.in_use.is_none() {
            self.in_use = Some(self.numbers);
        }
        if is_wanted {
            self.wanted = None;
        }
        name
    }

    /// The learner under a name that no other has.
    fn named(&self, learner: LearnerFile) -> LearnerFile {
        let taken = |name: &str| self.entries.iter().any(|entry| entry.learner.name() == name);
        if !taken(learner.name()) {
            return learner;
        }
        let free = (2..).map(|number| format!("{} ({number})", learner.name())).find(|name| !taken(name));
        match free.map(|name| LearnerFile::from_bytes(name, Arc::clone(learner.bytes()))) {
            Some(Ok(renamed)) => renamed,
            _ => learner,
        }
    }

    /// All learners.
    pub fn learners(&self) -> impl Iterator<Item = &LearnerFile> {
        self.entries.iter().map(|entry| &entry.learner)
    }

    /// The names of all learners.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.learner.name())
    }

    /// The learner that is taught, with its number.
    pub fn in_use(&self) -> Option<(u64, &LearnerFile)> {
        let number = self.in_use?;
        self.entries.iter().find(|entry| entry.number == number).map(|entry| (number, &entry.learner))
    }

    /// Teaches the learner of this name from now on.
    pub fn use_learner(&mut self, name: &str) {
        if let Some(entry) = self.entries.iter().find(|entry| entry.learner.name() == name) {
            self.in_use = Some(entry.number);
            self.wanted = None;
        }
    }

    /// The same, also where the learner is still on its way.
    pub fn use_when_there(&mut self, name: &str) {
        self.wanted = Some(name.to_owned());
        self.use_learner(name);
    }

    /// Forgets a learner; the shipped one stays. Where it was in use, the first one takes over.
    pub fn remove(&mut self, number: u64) {
        let is_it = |entry: &Entry| entry.number == number && entry.origin != Origin::Shipped;
        self.is_stale |= self.entries.iter().any(|entry| is_it(entry) && entry.is_kept);
        self.entries.retain(|entry| !is_it(entry));
        if self.in_use == Some(number) && !self.entries.iter().any(|entry| entry.number == number) {
            self.in_use = self.entries.first().map(|entry| entry.number);
        }
    }

    /// Keeps a learner on this machine.
    pub fn keep(&mut self, number: u64) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.number == number) {
            entry.is_kept = true;
            self.is_stale = true;
        }
    }

    fn bring_back(&mut self, name: String, bytes: Arc<[u8]>) {
        match LearnerFile::from_bytes(name, bytes) {
            Ok(learner) => drop(self.add(learner, Origin::Kept)),
            Err(error) => self.notice = Some(Notice::from_message(&error)),
        }
    }

    fn store(&mut self, storage: &Storage) {
        let kept = self.entries.iter().filter(|entry| entry.is_kept && entry.origin != Origin::Shipped);
        let kept: Vec<(Listed, Arc<[u8]>)> = kept
            .enumerate()
            .map(|(index, entry)| {
                let listed = Listed { name: entry.learner.name().to_owned(), blob: blob(index, entry.learner.bytes()) };
                (listed, Arc::clone(entry.learner.bytes()))
            })
            .collect();
        let store = storage.clone();
        self.keeping = Some(Pending::start(move || async move { keep(&store, kept).await }));
    }
}

/// A stored name that changes with the bytes, so that a learner is never written over.
fn blob(index: usize, bytes: &[u8]) -> String {
    // FNV-1a: it names, it protects nothing.
    let hash = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    format!("learner-{index}-{hash:016x}")
}

async fn keep(storage: &Storage, kept: Vec<(Listed, Arc<[u8]>)>) -> Result<(), StorageError> {
    let there = storage.list().await?;
    let learners: Vec<Listed> = kept.iter().map(|(listed, _)| listed.clone()).collect();
    for (listed, bytes) in kept.iter().filter(|(listed, _)| !there.contains(&listed.blob)) {
        storage.put(&listed.blob, bytes.to_vec()).await?;
    }
    let list = List { format: FORMAT, learners };
    storage.put(LIST, serde_json::to_vec(&list).unwrap_or_default()).await?;
    for name in there.iter().filter(|name| name.starts_with("learner-")) {
        if !list.learners.iter().any(|listed| listed.blob == *name) {
            storage.remove(name).await?;
        }
    }
    Ok(())
}

async fn restore(storage: &Storage) -> Result<Vec<(String, Arc<[u8]>)>, StorageError> {
    let Some(text) = storage.get(LIST).await? else { return Ok(Vec::new()) };
    let list = serde_json::from_slice::<List>(&text).ok().filter(|list| list.format <= FORMAT);
    let mut kept = Vec::new();
    for listed in list.map(|list| list.learners).unwrap_or_default() {
        if let Some(bytes) = storage.get(&listed.blob).await? {
            kept.push((listed.name, bytes.into()));
        }
    }
    Ok(kept)
}
