//! Tensors of Burn and buffers of ours: copies on the device.
//!
//! Both sides submit to one queue, which runs submissions in order. So whoever gives something over
//! submits it first, and nobody waits. Burn reuses memory within its own stream of commands: a place
//! that Burn gives up is free for us only once Burn has submitted what it recorded before.

use std::fmt::Display;

use burn::backend::Wgpu;
use burn::backend::wgpu::{AutoCompiler, CubeTensor, WgpuResource};
use burn::cubecl::wgpu::WgpuServer;
use burn::tensor::{DType, Device, Tensor, TensorData};
use inkling_gpu::{Recorder, Slice};
use inkling_meta::MetaError;

/// An error of Burn, with what was to be done.
pub(crate) fn failure<E: Display>(what: &str) -> impl FnOnce(E) -> MetaError {
    move |error| MetaError::Extractor(format!("{what}: {error}"))
}

/// Values of a buffer of ours as a tensor of Burn.
pub(crate) async fn to_burn<const D: usize>(
    recorder: &mut Recorder,
    from: Slice<'_>,
    shape: [usize; D],
    device: &Device,
) -> Result<Tensor<D>, MetaError> {
    let tensor = primitive(Tensor::<D>::empty(shape, device))?;
    if !tensor.is_contiguous() || tensor.dtype != DType::F32 {
        // Not so on any device of ours: their memory has no padding between rows.
        let values = recorder.read(from).await?;
        return Ok(Tensor::from_data(TensorData::new::<f32, _>(values, shape), device));
    }
    let (WgpuResource { buffer, offset, .. }, held) = place_of(&tensor)?;
    recorder.copy_to_guest(from, &buffer, offset)?;
    recorder.submit().await?;
    drop(held);
    Ok(Tensor::from_primitive::<Wgpu>(tensor))
}

/// Writes a tensor of Burn, without its graph, to a buffer of ours.
pub(crate) async fn from_burn(recorder: &mut Recorder, tensor: Tensor<2>, to: Slice<'_>) -> Result<(), MetaError> {
    let tensor = primitive(tensor.inner())?;
    if !tensor.is_contiguous() || tensor.dtype != DType::F32 {
        let data = Tensor::<2>::from_primitive::<Wgpu>(tensor).into_data_async().await;
        let data = data.map_err(|error| MetaError::Extractor(format!("the embeddings cannot be read: {error:?}")))?;
        let values: Vec<f32> = data.iter::<f32>().collect();
        return Ok(recorder.upload_values(to, &values).await?);
    }
    let (WgpuResource { buffer, offset, .. }, held) = place_of(&tensor)?;
    recorder.copy_from_guest(&buffer, offset, to)?;
    // Before Burn can use the place for something else.
    recorder.submit().await?;
    drop(held);
    Ok(())
}

/// Where a tensor lies, and what keeps that place its own for as long as it lives. Burn has submitted
/// whatever it recorded for the place when this returns.
fn place_of(tensor: &CubeTensor) -> Result<(WgpuResource, impl Sized + use<>), MetaError> {
    let held = tensor.client.get_resource::<WgpuServer<AutoCompiler>>(tensor.handle.clone());
    let held = held.map_err(failure("Burn cannot say where a tensor lies"))?;
    tensor.client.flush().map_err(failure("Burn cannot submit its work"))?;
    Ok((held.resource().clone(), held))
}

fn primitive<const D: usize>(tensor: Tensor<D>) -> Result<CubeTensor, MetaError> {
    let foreign = |error| MetaError::Extractor(format!("a tensor is not on the shared device: {error:?}"));
    tensor.try_into_primitive::<Wgpu>().map_err(foreign)
}
