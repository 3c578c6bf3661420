//! One device for our kernels and for Burn's.

use burn::tensor::Device;
use burn::tensor::wgpu::WgpuSetup;
use inkling_gpu::{Gpu, GpuOptions, Handles};
use inkling_meta::MetaError;

use crate::exchange::failure;

/// A device that our kernels and Burn's work on. Clones share it.
///
/// What Burn allocates is its own: the ledger of [`Gpu`] does not count it.
#[derive(Clone, Debug)]
pub struct SharedDevice {
    gpu: Gpu,
    device: Device,
}

impl SharedDevice {
    /// Opens the preferred adapter, or the one that `options` names, with all features that Burn may
    /// look for, and hands the device to Burn. To be called once: Burn keeps a device for good.
    ///
    /// # Errors
    /// As [`Gpu::new`]; [`MetaError::Extractor`] where Burn refuses the device.
    pub async fn open(options: &GpuOptions) -> Result<Self, MetaError> {
        let (gpu, handles) = Gpu::with_guest(options).await?;
        let Handles { instance, adapter, device, queue } = handles;
        let backend = adapter.get_info().backend;
        let setup = WgpuSetup { instance, adapter, device, queue, backend };
        let device = Device::wgpu_options().setup(setup).init().map_err(failure("Burn cannot use the device"))?;
        Ok(Self { gpu, device })
    }

    /// The device as our kernels know it.
    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// The device as Burn knows it: make modules on it.
    pub fn burn(&self) -> &Device {
        &self.device
    }
}
