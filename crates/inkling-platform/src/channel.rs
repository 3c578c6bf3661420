//! Messages between an actor and whoever holds its handle: unbounded, so that neither side ever
//! waits to send.

/// The end that messages go into. Clones feed the same channel.
#[derive(Debug)]
pub struct Sender<T>(async_channel::Sender<T>);

/// The end that messages come out of.
#[derive(Debug)]
pub struct Receiver<T>(async_channel::Receiver<T>);

/// A new channel.
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = async_channel::unbounded();
    (Sender(sender), Receiver(receiver))
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Sender<T> {
    /// Sends a message; false when nobody is left to receive it.
    pub fn send(&self, message: T) -> bool {
        self.0.try_send(message).is_ok()
    }

    /// Whether nobody is left to receive.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

impl<T> Receiver<T> {
    /// The next message, if one has arrived.
    pub fn try_next(&self) -> Option<T> {
        self.0.try_recv().ok()
    }

    /// Waits for the next message; none when all senders are gone and all messages are taken.
    pub async fn next(&self) -> Option<T> {
        self.0.recv().await.ok()
    }

    /// Whether no message waits.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all senders are gone; messages that were sent before may still wait here.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_in_order_and_end_with_the_senders() {
        let (sender, receiver) = channel();
        let other = sender.clone();
        assert!(receiver.is_empty());
        assert!(sender.send(1) && other.send(2) && !receiver.is_empty());
        assert_eq!(receiver.try_next(), Some(1));
        drop(sender);
        assert!(!receiver.is_closed());
        drop(other);
        assert!(receiver.is_closed());
        assert_eq!(pollster::block_on(receiver.next()), Some(2));
        assert_eq!(pollster::block_on(receiver.next()), None);
    }

    #[test]
    fn a_sender_knows_that_nobody_listens() {
        let (sender, receiver) = channel();
        drop(receiver);
        assert!(sender.is_closed());
        assert!(!sender.send(()));
    }
}
