//! Actors: natively each is a thread of its own, in a browser a task of the page (or worker) that
//! starts it. Either way its future stays where it was made, so it needs not be `Send`.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// Starts an actor. `make` runs on the actor's own thread where it has one.
///
/// # Errors
/// When the system gives no thread; a browser always gives a task.
#[cfg(not(target_arch = "wasm32"))]
pub fn spawn_actor<F: Future<Output = ()> + 'static>(
    name: &str,
    make: impl FnOnce() -> F + Send + 'static,
) -> std::io::Result<()> {
    let thread = std::thread::Builder::new().name(name.to_owned());
    thread.spawn(move || pollster::block_on(make())).map(drop)
}

/// Starts an actor. `make` runs on the actor's own thread where it has one.
///
/// # Errors
/// When the system gives no thread; a browser always gives a task.
#[cfg(target_arch = "wasm32")]
pub fn spawn_actor<F: Future<Output = ()> + 'static>(
    _name: &str,
    make: impl FnOnce() -> F + Send + 'static,
) -> std::io::Result<()> {
    wasm_bindgen_futures::spawn_local(async move { make().await });
    Ok(())
}

/// Lets others run: in a browser the page answers its events and paints before this goes on;
/// natively, where an actor has a thread of its own, only its other futures have their turn.
#[cfg(not(target_arch = "wasm32"))]
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Lets others run: in a browser the page answers its events and paints before this goes on;
/// natively, where an actor has a thread of its own, only its other futures have their turn.
#[cfg(target_arch = "wasm32")]
pub async fn yield_now() {
    // A message is a task of the event loop that no browser delays, as it does timers that follow
    // each other. A promise alone would go on before anything else has its turn.
    let Ok(channel) = web_sys::MessageChannel::new() else {
        return sleep(Duration::ZERO).await;
    };
    let (to, from) = (channel.port1(), channel.port2());
    let arrival = js_sys::Promise::new(&mut |resolve, _| {
        from.set_onmessage(Some(&resolve));
        // Without a message the promise would never resolve.
        if to.post_message(&wasm_bindgen::JsValue::NULL).is_err() {
            let _ = resolve.call0(&wasm_bindgen::JsValue::NULL);
        }
    });
    let _ = wasm_bindgen_futures::JsFuture::from(arrival).await;
    from.close();
}

/// Works until `stop` is ready, which is looked at whenever `work` yields; none when it came first.
pub async fn until<T>(stop: impl Future<Output = ()>, work: impl Future<Output = T>) -> Option<T> {
    let (mut stop, mut work) = (pin!(stop), pin!(work));
    poll_fn(|context| match stop.as_mut().poll(context) {
        Poll::Ready(()) => Poll::Ready(None),
        Poll::Pending => work.as_mut().poll(context).map(Some),
    })
    .await
}

/// Waits; blocks nothing but the actor.
#[cfg(not(target_arch = "wasm32"))]
pub async fn sleep(duration: Duration) {
    std::thread::sleep(duration);
}

/// Waits; blocks nothing but the actor.
#[cfg(target_arch = "wasm32")]
pub async fn sleep(duration: Duration) {
    let millis = i32::try_from(duration.as_millis()).unwrap_or(i32::MAX);
    let end = js_sys::Promise::new(&mut |resolve, _| {
        set_timeout(&resolve, millis);
    });
    let _ = wasm_bindgen_futures::JsFuture::from(end).await;
}

#[cfg(target_arch = "wasm32")]
#[wasm_bindgen::prelude::wasm_bindgen]
extern "C" {
    // A function of pages and of workers alike.
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(resolve: &js_sys::Function, millis: i32) -> wasm_bindgen::JsValue;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel;

    #[test]
    fn an_actor_answers_over_channels_and_ends_with_its_commands() {
        let (commands, inbox) = channel::<u32>();
        let (outbox, events) = channel();
        spawn_actor("doubler", move || async move {
            // A value that may not change threads lives in an actor all the same.
            let seen = std::rc::Rc::new(std::cell::Cell::new(0));
            while let Some(number) = inbox.next().await {
                yield_now().await;
                seen.set(seen.get() + 1);
                outbox.send((number * 2, seen.get()));
            }
        })
        .unwrap();
        commands.send(4);
        commands.send(5);
        drop(commands);
        let answers = pollster::block_on(async { [events.next().await, events.next().await, events.next().await] });
        assert_eq!(answers, [Some((8, 1)), Some((10, 2)), None]);
    }

    #[test]
    fn work_stops_where_it_yields() {
        let (sender, receiver) = channel();
        let mut turns = 0;
        let work = async {
            loop {
                turns += 1;
                if turns == 3 {
                    sender.send(());
                }
                yield_now().await;
            }
        };
        let stop = async { receiver.next().await.unwrap_or_default() };
        assert_eq!(pollster::block_on(until::<()>(stop, work)), None);
        assert_eq!(turns, 3);
        assert_eq!(pollster::block_on(until(std::future::pending(), async { 5 })), Some(5));
    }

    #[test]
    fn a_sleep_lasts_as_long_as_it_says() {
        let clock = crate::Stopwatch::start();
        pollster::block_on(sleep(Duration::from_millis(20)));
        assert!(clock.seconds() >= 0.02);
    }
}
