//! The one place where an adapter's kind decides how kernels are chosen and work is bounded.

use wgpu::{AdapterInfo, Backend, DeviceType};

/// What kind of device runs the kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// A processor that runs Vulkan in software: an invocation is a SIMD lane, workgroup memory
    /// is ordinary memory, and register blocking is what pays.
    Cpu,
    /// A GPU behind a native interface.
    Gpu,
    /// Whatever the browser offers: only WebGPU's baseline is known of it.
    Browser,
}

impl Tier {
    /// The tier of an adapter.
    pub fn of(info: &AdapterInfo) -> Self {
        match (info.backend, info.device_type) {
            (Backend::BrowserWebGpu, _) => Tier::Browser,
            (_, DeviceType::Cpu) => Tier::Cpu,
            _ => Tier::Gpu,
        }
    }

    /// A lower-case word for reports.
    pub fn name(self) -> &'static str {
        match self {
            Tier::Cpu => "cpu",
            Tier::Gpu => "gpu",
            Tier::Browser => "browser",
        }
    }

    /// Floating-point operations after which recorded work is submitted: about a quarter of a
    /// second on the slowest device of the tier, well below every driver's time limit. Where
    /// [`Tier::submission_seconds`] gives a time, it is only what to begin with.
    pub(crate) fn flops_per_submission(self) -> f64 {
        match self {
            Tier::Cpu => 4e9,
            Tier::Gpu => 5e10,
            Tier::Browser => 1e8,
        }
    }

    /// How long a submission should take on a device that also draws the page, so that frames and
    /// clicks have their turn in between.
    pub(crate) fn submission_seconds(self) -> Option<f64> {
        (self == Tier::Browser).then_some(0.012)
    }
}
