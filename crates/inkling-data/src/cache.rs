//! A least-recently-used cache of decoded images with a budget in bytes.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{DataError, Pixels};

/// Decoded images by number; safe to fill from a background thread.
pub(crate) struct PixelCache {
    budget_bytes: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    bytes: u64,
    clock: u64,
    /// Image number → (pixels, time of last use).
    images: HashMap<usize, (Pixels, u64)>,
    /// Time of last use → image number; the first entry is the oldest.
    ages: BTreeMap<u64, usize>,
}

impl PixelCache {
    pub(crate) fn new(budget_bytes: u64) -> Self {
        PixelCache { budget_bytes, state: Mutex::default() }
    }

    /// The cached image, or the one that `decode` gives, which is then cached.
    ///
    /// The lock is not held while decoding, so a prefetching thread never blocks a hit; two threads
    /// that miss the same image at once both decode it.
    pub(crate) fn get_or_decode(
        &self,
        image: usize,
        decode: impl FnOnce() -> Result<Pixels, DataError>,
    ) -> Result<Pixels, DataError> {
        if let Some(pixels) = self.lock().touch(image) {
            return Ok(pixels);
        }
        let pixels = decode()?;
        self.lock().insert(image, &pixels, self.budget_bytes);
        Ok(pixels)
    }

    // The state is whole between statements that can panic, so a poisoned lock is usable.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn touch(&mut self, image: usize) -> Option<Pixels> {
        let (pixels, age) = self.images.get_mut(&image)?;
        self.ages.remove(age);
        self.clock += 1;
        *age = self.clock;
        self.ages.insert(self.clock, image);
        Some(pixels.clone())
    }

    fn insert(&mut self, image: usize, pixels: &Pixels, budget_bytes: u64) {
        let bytes = pixels.len() as u64;
        if bytes > budget_bytes || self.images.contains_key(&image) {
            return;
        }
        while self.bytes + bytes > budget_bytes {
            let Some((_, oldest)) = self.ages.pop_first() else { break };
            if let Some((dropped, _)) = self.images.remove(&oldest) {
                self.bytes -= dropped.len() as u64;
            }
        }
        self.clock += 1;
        self.bytes += bytes;
        self.images.insert(image, (pixels.clone(), self.clock));
        self.ages.insert(self.clock, image);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks for images in turn and returns which of them had to be decoded.
    fn misses(cache: &PixelCache, images: &[usize]) -> Vec<usize> {
        let mut missed = Vec::new();
        for &image in images {
            let pixels = cache.get_or_decode(image, || {
                missed.push(image);
                Ok(vec![image as u8; 10].into())
            });
            assert_eq!(pixels.unwrap()[..], [image as u8; 10]);
            assert!(cache.lock().bytes <= cache.budget_bytes);
        }
        missed
    }

    #[test]
    fn the_least_recently_used_image_goes_first() {
        let cache = PixelCache::new(30);
        assert_eq!(misses(&cache, &[1, 2, 3, 1, 4, 1, 3, 2]), [1, 2, 3, 4, 2]);
        assert_eq!(misses(&PixelCache::new(9), &[1, 1]), [1, 1], "an image over the budget is not kept");
    }

    #[test]
    fn a_failure_is_not_remembered() {
        let cache = PixelCache::new(30);
        assert!(cache.get_or_decode(5, || Err(DataError::image("x", "y"))).is_err());
        assert_eq!(misses(&cache, &[5, 5]), [5]);
    }
}
