//! Actors, channels, clocks, files, images and storage: the one home of target differences.

mod actor;
#[cfg(target_arch = "wasm32")]
mod browser;
mod channel;
mod clock;
mod files;
mod images;
mod parallel;
mod pending;
mod prefetch;
mod storage;

pub use actor::{sleep, spawn_actor, until, yield_now};
pub use channel::{Receiver, Sender, channel};
pub use clock::{Stopwatch, unix_seconds};
pub use files::{
    FileError, FileFilter, PickedFile, open_folders, pick_files, pick_files_of_folder, pick_folder, save_file,
};
pub use images::{RgbaPixels, decode_image};
pub use parallel::map_in_parallel;
pub use pending::Pending;
pub use prefetch::Prefetch;
pub use storage::{Storage, StorageError};
