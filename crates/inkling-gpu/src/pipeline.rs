//! Compute pipelines, built on first use and kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use inkling_shaders::{Access, Shader};

/// A compiled kernel and the layout of its bindings.
#[derive(Debug)]
pub(crate) struct Pipeline {
    pub(crate) raw: wgpu::ComputePipeline,
    pub(crate) layout: wgpu::BindGroupLayout,
}

#[derive(Debug, Default)]
pub(crate) struct Pipelines(Mutex<HashMap<&'static str, Arc<Pipeline>>>);

impl Pipelines {
    pub(crate) fn get(&self, device: &wgpu::Device, shader: &'static Shader) -> Arc<Pipeline> {
        let mut pipelines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pipeline = pipelines.entry(shader.stem).or_insert_with(|| Arc::new(build(device, shader)));
        Arc::clone(pipeline)
    }
}

fn build(device: &wgpu::Device, shader: &'static Shader) -> Pipeline {
    let entry = |binding, ty, dynamic, bytes| wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer {
            ty,
            has_dynamic_offset: dynamic,
            min_binding_size: std::num::NonZeroU64::new(bytes),
        },
        count: None,
    };
    let mut entries = vec![entry(0, wgpu::BufferBindingType::Uniform, true, u64::from(shader.params_bytes))];
    for (index, binding) in (1..).zip(shader.bindings) {
        let ty = match binding.access {
            Access::Read => wgpu::BufferBindingType::Storage { read_only: true },
            Access::Write => wgpu::BufferBindingType::Storage { read_only: false },
            Access::Uniform => wgpu::BufferBindingType::Uniform,
        };
        entries.push(entry(index, ty, false, 0));
    }
    let layout = device
        .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: Some(shader.stem), entries: &entries });
    let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: Some(shader.stem),
        bind_group_layouts: &[Some(&layout)],
        immediate_size: 0,
    });
    let raw = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(shader.stem),
        layout: Some(&pipeline_layout),
        module: &module(device, shader),
        entry_point: Some("main"),
        compilation_options: wgpu::PipelineCompilationOptions {
            // Every kernel writes its workgroup memory before it reads it.
            zero_initialize_workgroup_memory: false,
            ..Default::default()
        },
        cache: None,
    });
    Pipeline { raw, layout }
}

#[allow(unsafe_code)]
fn module(device: &wgpu::Device, shader: &'static Shader) -> wgpu::ShaderModule {
    let descriptor = wgpu::ShaderModuleDescriptor {
        label: Some(shader.stem),
        source: wgpu::ShaderSource::Wgsl(shader.source.into()),
    };
    // Bounds of loops and of indices are left to the device's own robustness: injected checks keep
    // software drivers from unrolling, which costs a factor of two and more in convolutions.
    let mut checks = wgpu::ShaderRuntimeChecks::checked();
    checks.force_loop_bounding = false;
    checks.int_div_checks = false;
    // SAFETY: the sources are this project's own: every loop is bounded by a parameter or a
    // constant, and every divisor is a size that the host checked to be positive.
    unsafe { device.create_shader_module_trusted(descriptor, checks) }
}
