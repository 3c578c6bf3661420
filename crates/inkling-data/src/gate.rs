//! A bound on the bytes that several threads work on at once.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Lets work through as long as the bytes of all of it stay within a limit; work above the limit
/// goes alone.
#[derive(Debug)]
pub(crate) struct ByteGate {
    limit_bytes: u64,
    /// Bytes of the work under way.
    inside: Mutex<u64>,
    left: Condvar,
}

/// The right to work; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Pass<'g> {
    gate: &'g ByteGate,
    bytes: u64,
}

impl ByteGate {
    pub(crate) fn new(limit_bytes: u64) -> Self {
        Self { limit_bytes, inside: Mutex::new(0), left: Condvar::new() }
    }

    /// Waits until there is room for work on so many bytes.
    pub(crate) fn enter(&self, bytes: u64) -> Pass<'_> {
        let mut inside = self.lock();
        // On a single thread nothing is ever inside here, so nothing waits.
        while *inside > 0 && inside.saturating_add(bytes) > self.limit_bytes {
            inside = self.left.wait(inside).unwrap_or_else(PoisonError::into_inner);
        }
        *inside = inside.saturating_add(bytes);
        Pass { gate: self, bytes }
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let mut inside = self.gate.lock();
        *inside = inside.saturating_sub(self.bytes);
        drop(inside);
        self.gate.left.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use inkling_platform::map_in_parallel;

    use super::*;

    #[test]
    fn no_more_than_the_limit_is_inside_at_once() {
        let (gate, inside) = (ByteGate::new(10), AtomicU64::new(0));
        let sizes: Vec<u64> = (0..400).map(|number| [3, 4, 5, 25][number % 4]).collect();
        let most = map_in_parallel(&sizes, |&bytes| {
            let _pass = gate.enter(bytes);
            let now = inside.fetch_add(bytes, Ordering::SeqCst) + bytes;
            std::thread::yield_now();
            inside.fetch_sub(bytes, Ordering::SeqCst);
            (bytes, now)
        });
        assert!(most.iter().all(|&(bytes, now)| now <= 10 || now == bytes), "{most:?}");
        assert_eq!(*gate.lock(), 0);
    }
}
