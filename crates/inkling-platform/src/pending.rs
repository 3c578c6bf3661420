//! Answers that take their time: work goes on elsewhere while a panel looks in once per frame.

use crate::{Receiver, channel, spawn_actor};

/// An answer on its way. A frame asks with [`Pending::take`] and is never held up.
///
/// Whoever polls it from a window asks for another frame while it is open: an answer wakes nobody.
#[derive(Debug)]
pub struct Pending<T> {
    receiver: Receiver<T>,
}

impl<T: Send + 'static> Pending<T> {
    /// Starts the work that `make` describes: on a thread of its own, or, in a browser, as a task
    /// of the page. Dropping the result gives up the answer, not the work.
    pub fn start<F: Future<Output = T> + 'static>(make: impl FnOnce() -> F + Send + 'static) -> Self {
        let (sender, receiver) = channel();
        let started = spawn_actor("pending", async move || {
            sender.send(make().await);
        });
        // Without a thread the sender is gone, and with it the answer.
        drop(started);
        Self { receiver }
    }

    /// An answer that is there already.
    pub fn ready(answer: T) -> Self {
        let (sender, receiver) = channel();
        sender.send(answer);
        Self { receiver }
    }

    /// The answer, once: nothing before it has come, and nothing after it was taken.
    pub fn take(&mut self) -> Option<T> {
        self.receiver.try_next()
    }

    /// Waits for the answer; nothing when the work died without one.
    pub async fn answer(self) -> Option<T> {
        self.receiver.next().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pollster::block_on;

    #[test]
    fn an_answer_comes_once() {
        let mut ready = Pending::ready(3);
        assert_eq!((ready.take(), ready.take()), (Some(3), None));
        assert_eq!(block_on(Pending::start(async || 4).answer()), Some(4));
    }

    #[test]
    fn a_frame_that_asks_early_is_not_held_up() {
        let (open, gate) = std::sync::mpsc::channel();
        let mut pending = Pending::start(async move || gate.recv());
        assert!(pending.take().is_none());
        open.send(5).unwrap();
        assert_eq!(block_on(pending.answer()), Some(Ok(5)));
    }
}
