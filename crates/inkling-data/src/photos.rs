//! Photos of a store, read and decoded on several threads at once within a bound of memory; and
//! which of them cannot be read.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::gate::ByteGate;
use crate::store::{Entry, Store};
use crate::{DataError, Framing, Pixels, decode};

/// The bytes of photos being decoded at once: seven of twelve megapixels.
pub(crate) const DECODING_BYTES: u64 = 256 << 20;

/// Reads photos of a store.
pub(crate) struct Photos {
    store: Store,
    framing: Framing,
    gate: ByteGate,
}

impl Photos {
    pub(crate) fn new(store: Store, framing: Framing) -> Self {
        Self { store, framing, gate: ByteGate::new(DECODING_BYTES) }
    }

    pub(crate) fn framing(&self) -> Framing {
        self.framing
    }

    /// Where a photo lies, as far as it is a file of its own.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn path(&self, entry: &Entry) -> std::path::PathBuf {
        self.store.entry_path(entry).unwrap_or_else(|| self.store.entry_name(entry).into())
    }

    /// One photo in its framing. Threads that would together decode more than the bound wait.
    ///
    /// # Errors
    /// When the file cannot be read or is no whole image; the error names it.
    pub(crate) fn read(&self, entry: &Entry) -> Result<Pixels, DataError> {
        let bytes = self.store.read(entry, decode::MAX_FILE_BYTES)?;
        decode::decode_within(&bytes, &self.store.entry_name(entry), self.framing, &self.gate)
    }
}

/// Photos that cannot be read, by number: passed over, unless every photo has to be sound.
pub(crate) struct Unreadable {
    strict: bool,
    found: Mutex<Found>,
}

#[derive(Default)]
struct Found {
    numbers: BTreeSet<usize>,
    /// In the order in which they were found.
    messages: Vec<String>,
}

impl Unreadable {
    pub(crate) fn new(strict: bool) -> Self {
        Self { strict, found: Mutex::default() }
    }

    /// Remembers a photo that cannot be read, to pass it over.
    ///
    /// # Errors
    /// The same error when no photo may be passed over, or when it says more than that one photo
    /// is damaged.
    pub(crate) fn skip(&self, number: usize, error: DataError) -> Result<(), DataError> {
        if self.strict || !error.is_of_one_image() {
            return Err(error);
        }
        let mut found = self.lock();
        if found.numbers.insert(number) {
            found.messages.push(error.to_string());
        }
        Ok(())
    }

    /// Messages of the photos that were passed over, from the `from`th on.
    pub(crate) fn messages(&self, from: usize) -> Vec<String> {
        self.lock().messages.iter().skip(from).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
