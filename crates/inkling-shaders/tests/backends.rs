//! Every shader in the languages of the platforms that nobody develops on, with the options that
//! wgpu chooses there: what Vulkan, Metal or DX12 cannot say fails here. All errors at once.

use inkling_shaders::kernels::ALL;
use inkling_shaders::{Access, Shader};
use naga::back::{hlsl, msl, spv};
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{AddressSpace, Module, ResourceBinding, ShaderStage, TypeInner};

/// Limits that every WebGPU device grants (the specification's defaults).
const MAX_STORAGE_BUFFERS: u32 = 8;
const MAX_UNIFORM_BUFFERS: u32 = 12;
const MAX_UNIFORM_BYTES: u32 = 64 << 10;
const MAX_WORKGROUP_BYTES: u32 = 16 << 10;
const MAX_INVOCATIONS: u32 = 256;
const MAX_WORKGROUP_SIZE: [u32; 3] = [256, 256, 64];

/// A shader as its source says, without what the build script made of it.
struct Parsed {
    module: Module,
    info: ModuleInfo,
}

fn parse(shader: &Shader) -> Result<Parsed, String> {
    let path = format!("shaders/{}", shader.path);
    let module = naga::front::wgsl::parse_str(shader.source)
        .map_err(|error| error.emit_to_string_with_path(shader.source, &path))?;
    let info = Validator::new(ValidationFlags::all(), Capabilities::empty())
        .validate(&module)
        .map_err(|error| error.emit_to_string_with_path(shader.source, &path))?;
    Ok(Parsed { module, info })
}

/// Runs a check on every shader and fails with all that it finds.
fn for_each_shader(check: impl Fn(&Shader, &Parsed) -> Result<(), String>) {
    assert!(ALL.len() > 20, "only {} shaders", ALL.len());
    let errors: Vec<String> = ALL
        .iter()
        .filter_map(|shader| {
            let result = parse(shader).and_then(|parsed| check(shader, &parsed));
            result.err().map(|error| format!("shaders/{}: {error}", shader.path))
        })
        .collect();
    assert!(errors.is_empty(), "{} of {} shaders:\n{}", errors.len(), ALL.len(), errors.join("\n"));
}

fn bindings(module: &Module) -> Vec<(ResourceBinding, AddressSpace)> {
    let variables = module.global_variables.iter();
    variables.filter_map(|(_, variable)| Some((variable.binding?, variable.space))).collect()
}

/// What devices without robust buffer access get, and with it the most code.
fn checked() -> BoundsCheckPolicies {
    BoundsCheckPolicies {
        index: BoundsCheckPolicy::Restrict,
        buffer: BoundsCheckPolicy::Restrict,
        image_load: BoundsCheckPolicy::Restrict,
        binding_array: BoundsCheckPolicy::Unchecked,
    }
}

#[test]
fn every_shader_becomes_spirv() {
    for_each_shader(|_, parsed| {
        for lang_version in [(1, 0), (1, 6)] {
            let options = spv::Options {
                lang_version,
                // Compute shaders of plain arithmetic: a device must offer no more than this.
                capabilities: Some([spv::Capability::Shader].into_iter().collect()),
                bounds_check_policies: checked(),
                ..spv::Options::default()
            };
            let pipeline = spv::PipelineOptions { shader_stage: ShaderStage::Compute, entry_point: "main".to_owned() };
            let words = spv::write_vec(&parsed.module, &parsed.info, &options, Some(&pipeline))
                .map_err(|error| format!("SPIR-V {lang_version:?}: {error}"))?;
            if words.first() != Some(&0x0723_0203) {
                return Err(format!("SPIR-V {lang_version:?}: {} words without the magic number", words.len()));
            }
        }
        Ok(())
    });
}

#[test]
fn every_shader_becomes_msl() {
    for_each_shader(|_, parsed| {
        let mut resources = msl::EntryPointResources::default();
        let bindings = bindings(&parsed.module);
        for (slot, (binding, space)) in (0..).zip(&bindings) {
            let mutable =
                matches!(space, AddressSpace::Storage { access } if access.contains(naga::StorageAccess::STORE));
            let target = msl::BindTarget { buffer: Some(slot), mutable, ..msl::BindTarget::default() };
            resources.resources.insert(*binding, target);
        }
        // Metal's shaders do not know how long their buffers are; wgpu hands the lengths over.
        resources.sizes_buffer = Some(bindings.len() as u8);
        for lang_version in [(2, 0), (3, 0)] {
            let options = msl::Options {
                lang_version,
                per_entry_point_map: [("main".to_owned(), resources.clone())].into(),
                fake_missing_bindings: false,
                bounds_check_policies: checked(),
                zero_initialize_workgroup_memory: false,
                ..msl::Options::default()
            };
            let pipeline = msl::PipelineOptions {
                entry_point: Some((ShaderStage::Compute, "main".to_owned())),
                ..msl::PipelineOptions::default()
            };
            let (text, info) = msl::write_string(&parsed.module, &parsed.info, &options, &pipeline)
                .map_err(|error| format!("MSL {lang_version:?}: {error}"))?;
            entry_point("MSL", &text, "kernel void", info.entry_point_names.first())?;
        }
        Ok(())
    });
}

#[test]
fn every_shader_becomes_hlsl() {
    for_each_shader(|_, parsed| {
        let mut binding_map = hlsl::BindingMap::new();
        for (register, (binding, _)) in (0..).zip(bindings(&parsed.module)) {
            let target = hlsl::BindTarget { register, restrict_indexing: true, ..hlsl::BindTarget::default() };
            binding_map.insert(binding, target);
        }
        for shader_model in [hlsl::ShaderModel::V5_1, hlsl::ShaderModel::V6_0] {
            let options = hlsl::Options {
                shader_model,
                binding_map: binding_map.clone(),
                fake_missing_bindings: false,
                ..hlsl::Options::default()
            };
            let pipeline = hlsl::PipelineOptions { entry_point: Some((ShaderStage::Compute, "main".to_owned())) };
            let mut text = String::new();
            let info = hlsl::Writer::new(&mut text, &options, &pipeline)
                .write(&parsed.module, &parsed.info, None)
                .map_err(|error| format!("HLSL {shader_model:?}: {error}"))?;
            entry_point("HLSL", &text, "[numthreads(", info.entry_point_names.first())?;
        }
        Ok(())
    });
}

/// The text must hold the entry point under the name that the pipeline is then made with.
fn entry_point<E: std::fmt::Display>(
    language: &str,
    text: &str,
    marker: &str,
    name: Option<&Result<String, E>>,
) -> Result<(), String> {
    match name {
        Some(Ok(name)) if text.contains(marker) && text.contains(&format!("{name}(")) => Ok(()),
        Some(Ok(name)) => Err(format!("{language}: no entry point {name} in the text")),
        Some(Err(error)) => Err(format!("{language}: {error}")),
        None => Err(format!("{language}: no entry point")),
    }
}

#[test]
fn every_shader_keeps_to_the_limits_of_every_device() {
    for_each_shader(|_, parsed| {
        let mut errors = Vec::new();
        let mut at_most = |what: &str, is: u32, limit: u32| {
            if is > limit {
                errors.push(format!("{is} {what}, WebGPU's baseline has {limit}"));
            }
        };
        let count = |wanted: fn(&AddressSpace) -> bool| {
            bindings(&parsed.module).iter().filter(|(_, space)| wanted(space)).count() as u32
        };
        let storage = count(|space| matches!(space, AddressSpace::Storage { .. }));
        at_most("storage buffers", storage, MAX_STORAGE_BUFFERS);
        let uniform = count(|space| matches!(space, AddressSpace::Uniform));
        at_most("uniform buffers", uniform, MAX_UNIFORM_BUFFERS);
        at_most("bytes of workgroup memory", workgroup_bytes(&parsed.module), MAX_WORKGROUP_BYTES);
        for (_, variable) in parsed.module.global_variables.iter() {
            if variable.space == AddressSpace::Uniform {
                let bytes = parsed.module.types[variable.ty].inner.size(parsed.module.to_ctx());
                at_most("bytes of a uniform buffer", bytes, MAX_UNIFORM_BYTES);
            }
        }
        for entry in &parsed.module.entry_points {
            at_most("invocations of a workgroup", entry.workgroup_size.iter().product(), MAX_INVOCATIONS);
            for (size, limit) in entry.workgroup_size.into_iter().zip(MAX_WORKGROUP_SIZE) {
                at_most("invocations along one side of a workgroup", size, limit);
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(errors.join("; ")) }
    });
}

/// As WebGPU counts them: each variable rounded up to 16 bytes.
fn workgroup_bytes(module: &Module) -> u32 {
    let variables = module.global_variables.iter();
    variables
        .filter(|(_, variable)| variable.space == AddressSpace::WorkGroup)
        .map(|(_, variable)| module.types[variable.ty].inner.size(module.to_ctx()).next_multiple_of(16))
        .sum()
}

/// The generated constants are what launches are checked against, so they must be the shader's.
#[test]
fn the_generated_description_is_the_shader_s_own() {
    for_each_shader(|shader, parsed| {
        let [entry] = parsed.module.entry_points.as_slice() else { return Err("not one entry point".into()) };
        if entry.workgroup_size != shader.workgroup_size {
            return Err(format!("workgroup {:?}, described as {:?}", entry.workgroup_size, shader.workgroup_size));
        }
        for (_, variable) in parsed.module.global_variables.iter() {
            let Some(binding) = variable.binding else { continue };
            let inner = &parsed.module.types[variable.ty].inner;
            let Some(index) = (binding.binding as usize).checked_sub(1) else {
                let bytes = inner.size(parsed.module.to_ctx());
                if !matches!(inner, TypeInner::Struct { .. }) || bytes != shader.params_bytes {
                    return Err(format!("{bytes} bytes of Params, described as {}", shader.params_bytes));
                }
                continue;
            };
            let access = match variable.space {
                AddressSpace::Uniform => Access::Uniform,
                AddressSpace::Storage { access } if access.contains(naga::StorageAccess::STORE) => Access::Write,
                _ => Access::Read,
            };
            match shader.bindings.get(index) {
                Some(described) if described.access == access && Some(described.name) == variable.name.as_deref() => {}
                described => return Err(format!("binding {}: described as {described:?}", binding.binding)),
            }
        }
        if bindings(&parsed.module).len() != shader.bindings.len() + 1 {
            return Err("described with another number of bindings".into());
        }
        Ok(())
    });
}
