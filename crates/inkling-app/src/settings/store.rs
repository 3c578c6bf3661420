//! Settings across restarts.

use std::time::Duration;

use egui::Context;
use inkling_platform::{Pending, StorageError};

use super::Settings;
use crate::notice::Notice;
use crate::panel::Shared;

/// What the stored bytes are called.
const NAME: &str = "settings.json";

/// Loads the settings once and stores every change.
#[derive(Default)]
pub(crate) struct SettingsStore {
    stage: Stage,
    saving: Option<Pending<Result<(), StorageError>>>,
    /// What is stored, or being stored.
    stored: Settings,
}

#[derive(Default)]
enum Stage {
    #[default]
    Unread,
    Reading(Pending<Result<Option<Vec<u8>>, StorageError>>),
    Read,
}

impl SettingsStore {
    /// Takes what was read, and writes what has changed.
    pub(crate) fn poll(&mut self, ctx: &Context, shared: &mut Shared) {
        match &mut self.stage {
            Stage::Unread => {
                let storage = shared.services.storage.clone();
                self.stage = Stage::Reading(Pending::start(async move || storage.get(NAME).await));
                ctx.request_repaint_after(Duration::from_millis(20));
            }
            Stage::Reading(reading) => match reading.take() {
                Some(read) => {
                    self.take(read, shared);
                    self.stage = Stage::Read;
                }
                None => ctx.request_repaint_after(Duration::from_millis(20)),
            },
            Stage::Read => self.save(ctx, shared),
        }
    }

    fn take(&mut self, read: Result<Option<Vec<u8>>, StorageError>, shared: &mut Shared) {
        match read {
            Ok(None) => {}
            // Settings of another version are worth no more than the defaults that replace them.
            Ok(Some(bytes)) => {
                if let Ok(settings) = serde_json::from_slice::<Settings>(&bytes) {
                    // What the command line asks for goes before what was stored, this time only.
                    let asked_for = shared.settings.adapter.take();
                    shared.settings = settings.within_bounds();
                    shared.settings.adapter = asked_for.or(shared.settings.adapter.take());
                    self.stored = shared.settings.clone();
                }
            }
            Err(error) => shared.notice = Some(unstored(&error)),
        }
    }

    fn save(&mut self, ctx: &Context, shared: &mut Shared) {
        if let Some(saving) = &mut self.saving {
            match saving.take() {
                Some(saved) => {
                    self.saving = None;
                    if let Err(error) = saved {
                        shared.notice = Some(unstored(&error));
                    }
                }
                None => ctx.request_repaint_after(Duration::from_millis(50)),
            }
        } else if self.stored != shared.settings {
            self.stored = shared.settings.clone();
            let (storage, json) = (shared.services.storage.clone(), serde_json::to_vec(&self.stored));
            if let Ok(bytes) = json {
                self.saving = Some(Pending::start(async move || storage.put(NAME, bytes).await));
                ctx.request_repaint_after(Duration::from_millis(50));
            }
        }
    }
}

fn unstored(error: &StorageError) -> Notice {
    Notice { severity: crate::notice::Severity::Warning, ..Notice::from_message(&error.to_string()) }
}
