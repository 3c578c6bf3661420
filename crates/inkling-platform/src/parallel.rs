//! The same work on many items: on several threads, or, in a browser, one item after the other.

/// The most threads of one piece of work, however many cores there are: each holds an item's memory.
#[cfg(not(target_arch = "wasm32"))]
const MOST_THREADS: usize = 16;

/// `map(item)` for every item, in the order of the items; a panic in one goes on in the caller.
#[cfg(not(target_arch = "wasm32"))]
pub fn map_in_parallel<T: Sync, R: Send>(items: &[T], map: impl Fn(&T) -> R + Sync) -> Vec<R> {
    use std::sync::atomic::{AtomicUsize, Ordering};

    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = cores.min(MOST_THREADS).min(items.len());
    if threads < 2 {
        return items.iter().map(map).collect();
    }
    // Items take different times, so each thread takes the next one that nobody has.
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { return done };
            done.push((index, map(item)));
        }
    };
    let mut results = std::thread::scope(|scope| {
        let helpers: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut results = work();
        for helper in helpers {
            results.extend(helper.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        results
    });
    results.sort_unstable_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// `map(item)` for every item, in the order of the items.
#[cfg(target_arch = "wasm32")]
pub fn map_in_parallel<T, R>(items: &[T], map: impl Fn(&T) -> R) -> Vec<R> {
    items.iter().map(map).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_stand_in_the_order_of_the_items() {
        for count in [0, 1, 2, 1000] {
            let items: Vec<u64> = (0..count).collect();
            // Early items take longest.
            let slow = |item: &u64| (0..(count - item) * 50).fold(*item, |sum, _| std::hint::black_box(sum)) * 3;
            assert_eq!(map_in_parallel(&items, slow), items.iter().map(|item| item * 3).collect::<Vec<_>>());
        }
    }
}
