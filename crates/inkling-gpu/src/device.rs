//! Adapters, the device, its errors, and the buffers made on it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::pipeline::Pipelines;
use crate::{Buffer, Category, GpuError, Ledger, Recorder, Tier};

/// How to choose and open an adapter.
#[derive(Clone, Debug, Default)]
pub struct GpuOptions {
    /// Part of the adapter's name, any case; the fastest kind of adapter when absent.
    pub adapter: Option<String>,
    /// Time every dispatch with timestamps (native adapters only); slows the run down.
    pub profile: bool,
}

/// What is known of an adapter before it is opened.
#[derive(Clone, Debug)]
pub struct AdapterSummary {
    /// The name that the driver gives; browsers give none.
    pub name: String,
    /// Vulkan, Metal, Dx12 or BrowserWebGpu.
    pub backend: String,
    /// DiscreteGpu, IntegratedGpu, VirtualGpu, Cpu or Other.
    pub kind: String,
    /// Driver and its version.
    pub driver: String,
    /// The tier that would be used.
    pub tier: Tier,
    /// Bytes of the largest buffer.
    pub max_buffer_bytes: u64,
    /// Bytes of the largest storage binding.
    pub max_binding_bytes: u64,
    /// Storage buffers of one kernel.
    pub max_storage_buffers: u32,
    /// Invocations of one workgroup.
    pub max_invocations: u32,
    /// Bytes of workgroup memory.
    pub max_workgroup_bytes: u32,
    /// Whether dispatches can be timed.
    pub timestamps: bool,
}

/// Browsers keep the name to themselves.
fn name_of(info: wgpu::AdapterInfo) -> String {
    if info.name.is_empty() { "an unnamed adapter".to_owned() } else { info.name }
}

impl AdapterSummary {
    fn of(adapter: &wgpu::Adapter) -> Self {
        let (info, limits) = (adapter.get_info(), adapter.limits());
        Self {
            tier: Tier::of(&info),
            backend: format!("{:?}", info.backend),
            kind: format!("{:?}", info.device_type),
            driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
            name: name_of(info),
            max_buffer_bytes: limits.max_buffer_size,
            max_binding_bytes: limits.max_storage_buffer_binding_size,
            max_storage_buffers: limits.max_storage_buffers_per_shader_stage,
            max_invocations: limits.max_compute_invocations_per_workgroup,
            max_workgroup_bytes: limits.max_compute_workgroup_storage_size,
            timestamps: adapter.features().contains(wgpu::Features::TIMESTAMP_QUERY),
        }
    }
}

/// An open device. Clones share it.
#[derive(Clone, Debug)]
pub struct Gpu {
    pub(crate) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) device: wgpu::Device,
    pub(crate) queue: wgpu::Queue,
    pub(crate) ledger: Ledger,
    pub(crate) pipelines: Pipelines,
    pub(crate) bind_groups: Mutex<HashMap<BindKey, wgpu::BindGroup>>,
    pub(crate) profile: bool,
    summary: AdapterSummary,
    fault: Arc<Mutex<Option<GpuError>>>,
    next_id: AtomicU64,
}

/// A kernel with the buffer ranges bound to it: `(buffer id, offset, bytes)`.
pub(crate) type BindKey = (&'static str, Vec<(u64, u64, u64)>);

impl Shared {
    pub(crate) fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// The first error that the device reported since it was opened.
    pub(crate) fn check(&self) -> Result<(), GpuError> {
        match &*self.fault.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }

    /// Bind groups keep their buffers alive, so those of a dropped buffer must go with it.
    pub(crate) fn forget_buffer(&self, id: u64) {
        let mut groups = self.bind_groups.lock().unwrap_or_else(PoisonError::into_inner);
        groups.retain(|(_, slices), _| slices.iter().all(|slice| slice.0 != id));
    }
}

pub(crate) fn instance() -> wgpu::Instance {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = wgpu::Backends::PRIMARY.with_env();
    // Debugging layers multiply the cost of a dispatch; shaders are validated when they are built.
    descriptor.flags = wgpu::InstanceFlags::empty().with_env();
    wgpu::Instance::new(descriptor)
}

/// Adapters in order of preference: a card of its own first, software last.
async fn adapters(instance: &wgpu::Instance) -> Vec<wgpu::Adapter> {
    let mut adapters = instance.enumerate_adapters(wgpu::Backends::all()).await;
    if adapters.is_empty() {
        let options = wgpu::RequestAdapterOptions {
            power_preference: wgpu::PowerPreference::HighPerformance,
            ..Default::default()
        };
        adapters.extend(instance.request_adapter(&options).await);
    }
    adapters.sort_by_key(|adapter| match adapter.get_info().device_type {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    });
    adapters
}

/// The preferred adapter, or the one that `options` names.
pub(crate) async fn choose(instance: &wgpu::Instance, options: &GpuOptions) -> Result<wgpu::Adapter, GpuError> {
    let adapters = adapters(instance).await;
    let names: Vec<String> = adapters.iter().map(|adapter| name_of(adapter.get_info())).collect();
    let wanted = options.adapter.as_deref().map(str::to_lowercase);
    let index = match &wanted {
        Some(wanted) => names.iter().position(|name| name.to_lowercase().contains(wanted)),
        None => Some(0),
    };
    index.and_then(|index| adapters.into_iter().nth(index)).ok_or_else(|| match &options.adapter {
        Some(wanted) if !names.is_empty() => {
            GpuError::UnknownAdapter { wanted: wanted.clone(), found: names.join(", ") }
        }
        _ => GpuError::NoAdapter,
    })
}

impl Gpu {
    /// Every adapter that could be opened, the preferred one first.
    pub async fn list_adapters() -> Vec<AdapterSummary> {
        adapters(&instance()).await.iter().map(AdapterSummary::of).collect()
    }

    /// Opens the preferred adapter, or the one that `options` names, with WebGPU's baseline limits.
    ///
    /// # Errors
    /// [`GpuError::NoAdapter`], [`GpuError::UnknownAdapter`] and [`GpuError::NoDevice`].
    pub async fn new(options: &GpuOptions) -> Result<Self, GpuError> {
        let adapter = choose(&instance(), options).await?;
        let profile = options.profile && adapter.features().contains(wgpu::Features::TIMESTAMP_QUERY);
        let required = if profile { wgpu::Features::TIMESTAMP_QUERY } else { wgpu::Features::empty() };
        Self::open(&adapter, profile, (required, wgpu::Limits::default())).await
    }

    pub(crate) async fn open(
        adapter: &wgpu::Adapter,
        profile: bool,
        (required_features, required_limits): (wgpu::Features, wgpu::Limits),
    ) -> Result<Self, GpuError> {
        let summary = AdapterSummary::of(adapter);
        let descriptor =
            wgpu::DeviceDescriptor { label: Some("inkling"), required_features, required_limits, ..Default::default() };
        let (device, queue) = adapter
            .request_device(&descriptor)
            .await
            .map_err(|error| GpuError::NoDevice { adapter: summary.name.clone(), reason: error.to_string() })?;
        let fault = Arc::new(Mutex::new(None));
        watch(&device, &fault);
        let shared = Shared {
            device,
            queue,
            ledger: Ledger::default(),
            pipelines: Pipelines::default(),
            bind_groups: Mutex::default(),
            profile,
            summary,
            fault,
            next_id: AtomicU64::new(0),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// What the device is.
    pub fn adapter(&self) -> &AdapterSummary {
        &self.shared.summary
    }

    /// The tier that kernels are chosen by.
    pub fn tier(&self) -> Tier {
        self.shared.summary.tier
    }

    /// The count of live bytes.
    pub fn ledger(&self) -> &Ledger {
        &self.shared.ledger
    }

    /// Bytes of the largest storage binding of the open device, and so of the largest tensor.
    pub fn max_binding_bytes(&self) -> u64 {
        let limits = self.shared.device.limits();
        limits.max_storage_buffer_binding_size.min(limits.max_buffer_size)
    }

    /// A zeroed storage buffer of `bytes`, rounded up to a multiple of four and at least four.
    ///
    /// # Errors
    /// [`GpuError::TooLarge`], and [`GpuError::OutOfMemory`] where the device says so at once (a
    /// browser says so with the next submission).
    pub fn buffer(&self, category: Category, name: &str, bytes: u64) -> Result<Buffer, GpuError> {
        // Any buffer may hold the arguments of an indirect launch; without the checks that debugging
        // layers inject there, the usage costs nothing.
        let usage = wgpu::BufferUsages::STORAGE
            | wgpu::BufferUsages::UNIFORM
            | wgpu::BufferUsages::INDIRECT
            | wgpu::BufferUsages::COPY_SRC
            | wgpu::BufferUsages::COPY_DST;
        let bytes = storage_bytes(bytes);
        let limit = self.max_binding_bytes();
        if bytes > limit {
            return Err(GpuError::TooLarge { name: name.to_owned(), bytes, limit });
        }
        self.raw_buffer(category, name, bytes, usage)
    }

    pub(crate) fn raw_buffer(
        &self,
        category: Category,
        name: &str,
        bytes: u64,
        usage: wgpu::BufferUsages,
    ) -> Result<Buffer, GpuError> {
        let raw = self.shared.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(name),
            size: bytes,
            usage,
            mapped_at_creation: false,
        });
        let buffer = Buffer::new(&self.shared, raw, category, name);
        self.shared.check()?;
        Ok(buffer)
    }

    /// A new command stream with its own staging memory.
    ///
    /// # Errors
    /// As [`Gpu::buffer`].
    pub fn recorder(&self) -> Result<Recorder, GpuError> {
        Recorder::new(self)
    }

    /// The first error that the device reported, if any.
    ///
    /// # Errors
    /// That error.
    pub fn check(&self) -> Result<(), GpuError> {
        self.shared.check()
    }
}

impl Gpu {
    /// Behaves from now on as if the device had reported this: for a device that belongs to someone
    /// else, who hears of its loss first, and for tests of what a loss does.
    pub fn report(&self, error: GpuError) {
        self.shared.fault.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }
}

/// The bytes that [`Gpu::buffer`] allocates for a request: what plans must count.
pub fn storage_bytes(bytes: u64) -> u64 {
    bytes.max(4).next_multiple_of(4)
}

/// Keeps the first error and a lost device for [`Shared::check`].
fn watch(device: &wgpu::Device, fault: &Arc<Mutex<Option<GpuError>>>) {
    let store = Arc::clone(fault);
    device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
        let error = match error {
            wgpu::Error::OutOfMemory { .. } => GpuError::OutOfMemory(error.to_string()),
            other => GpuError::Validation(other.to_string()),
        };
        log::error!("{error}");
        store.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }));
    let store = Arc::clone(fault);
    device.set_device_lost_callback(move |reason, message| {
        if reason != wgpu::DeviceLostReason::Destroyed {
            let error = GpuError::DeviceLost(message);
            store.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    });
}
