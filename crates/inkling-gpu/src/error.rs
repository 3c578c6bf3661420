//! What can go wrong between the host and the device.

/// An error of the device or of what it was asked to do.
#[derive(Clone, Debug, thiserror::Error)]
pub enum GpuError {
    /// No adapter at all.
    #[error(
        "no GPU adapter was found; install a driver: on a machine without a GPU, the software Vulkan driver \
         (Debian and Ubuntu: apt-get install mesa-vulkan-drivers libvulkan1) is enough"
    )]
    NoAdapter,
    /// Adapters, but none of the name that was asked for.
    #[error("no GPU adapter has a name with {wanted:?} in it; there are: {found}")]
    UnknownAdapter {
        /// What was asked for.
        wanted: String,
        /// The names that there are.
        found: String,
    },
    /// The adapter refused to give a device.
    #[error("adapter {adapter} gives no device with WebGPU's baseline limits: {reason}; choose another with --adapter")]
    NoDevice {
        /// The adapter's name.
        adapter: String,
        /// The driver's words.
        reason: String,
    },
    /// An allocation that the device could not meet.
    #[error("out of device memory: {0}; lower the memory budget, the chunk or the image size")]
    OutOfMemory(String),
    /// A buffer that no device of baseline limits may create or bind.
    #[error(
        "buffer {name} of {bytes} bytes exceeds the device's limit of {limit} bytes; lower the chunk or the image size"
    )]
    TooLarge {
        /// The buffer.
        name: String,
        /// What was asked for.
        bytes: u64,
        /// What the device allows.
        limit: u64,
    },
    /// The device went away: a driver reset, an unplugged card, a closed browser tab.
    #[error("the device was lost ({0}); start again from the last checkpoint with --resume")]
    DeviceLost(String),
    /// A fault in how this program uses the device.
    #[error("the device refused a command: {0}; this is a fault of the program, please report it")]
    Validation(String),
    /// A range outside of a buffer, or one that is not aligned as bindings must be.
    #[error("{what} of buffer {name} ({bytes} bytes); this is a fault of the program, please report it")]
    Range {
        /// The buffer.
        name: String,
        /// Its size.
        bytes: u64,
        /// What was asked for.
        what: String,
    },
}
