//! Awaiting a buffer's mapping: natively the device is polled, in a browser the event loop wakes us.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

use crate::GpuError;
use crate::device::Shared;

#[derive(Debug, Default)]
struct State {
    result: Option<Result<(), String>>,
    waker: Option<Waker>,
}

/// A mapping that was asked for.
#[derive(Debug)]
pub(crate) struct Mapping(Arc<Mutex<State>>);

impl Mapping {
    pub(crate) fn start(buffer: &wgpu::Buffer, mode: wgpu::MapMode) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        buffer.map_async(mode, .., move |result| {
            let mut state = shared.lock().unwrap_or_else(PoisonError::into_inner);
            state.result = Some(result.map_err(|error| error.to_string()));
            if let Some(waker) = state.waker.take() {
                waker.wake();
            }
        });
        Self(state)
    }

    /// Waits until the buffer is mapped.
    pub(crate) async fn wait(self, shared: &Shared) -> Result<(), GpuError> {
        if self.0.lock().unwrap_or_else(PoisonError::into_inner).result.is_none() {
            shared
                .device
                .poll(wgpu::PollType::wait_indefinitely())
                .map_err(|error| GpuError::DeviceLost(error.to_string()))?;
        }
        let result = poll_fn(|context| {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match state.result.take() {
                Some(result) => Poll::Ready(result),
                None => {
                    state.waker = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await;
        shared.check()?;
        result.map_err(GpuError::DeviceLost)
    }
}
