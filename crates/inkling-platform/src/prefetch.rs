//! Items made ahead of their use: on a thread of their own, or, in a browser, when they are asked for.

/// Hands out `make(first)`, `make(first + 1)`, … in order.
pub struct Prefetch<T> {
    source: Source<T>,
}

#[cfg(not(target_arch = "wasm32"))]
type Source<T> = std::sync::mpsc::Receiver<T>;

#[cfg(target_arch = "wasm32")]
type Source<T> = (u64, Box<dyn FnMut(u64) -> T>);

impl<T: Send + 'static> Prefetch<T> {
    /// Starts to make items, at most `ahead` before they are taken.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn new(first: u64, ahead: usize, mut make: impl FnMut(u64) -> T + Send + 'static) -> Self {
        let (sender, source) = std::sync::mpsc::sync_channel(ahead);
        // The thread ends when the receiver is dropped: its next item finds no taker.
        std::thread::spawn(move || (first..).try_for_each(|index| sender.send(make(index))));
        Self { source }
    }

    /// The next item; none when the thread that makes them has died.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn take(&mut self) -> Option<T> {
        self.source.recv().ok()
    }

    /// Prepares to make items.
    #[cfg(target_arch = "wasm32")]
    pub fn new(first: u64, _ahead: usize, make: impl FnMut(u64) -> T + Send + 'static) -> Self {
        Self { source: (first, Box::new(make)) }
    }

    /// The next item.
    #[cfg(target_arch = "wasm32")]
    pub fn take(&mut self) -> Option<T> {
        let (next, make) = &mut self.source;
        let item = make(*next);
        *next += 1;
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_in_order() {
        let mut items = Prefetch::new(3, 2, |index| index * index);
        assert_eq!([items.take(), items.take(), items.take()], [Some(9), Some(16), Some(25)]);
    }
}
