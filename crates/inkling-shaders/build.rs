//! Turns the WGSL files of `shaders/` into typed Rust: resolves imports, validates every shader
//! with naga, reflects parameter structs and bindings, and writes one module per kernel. All
//! errors of all shaders are reported before the build fails.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, process};

use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{AddressSpace, Module, ScalarKind, StorageAccess, TypeInner, VectorSize};

fn main() {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").unwrap_or_default()).join("../../shaders");
    println!("cargo::rerun-if-changed={}", root.display());
    let mut files = BTreeMap::new();
    let mut errors = Vec::new();
    collect(&root, "", &mut files, &mut errors);

    let mut kernels = Vec::new();
    for path in files.keys().filter(|path| !path.starts_with("shared/")) {
        match kernel(path, &files) {
            Ok(kernel) => kernels.push(kernel),
            Err(error) => errors.push(error),
        }
    }
    let mut stems = BTreeSet::new();
    for kernel in &kernels {
        if !stems.insert(&kernel.stem) {
            errors.push(format!("{}: a second shader with this stem", kernel.path));
        }
    }
    if !errors.is_empty() {
        for error in &errors {
            eprintln!("{error}\n");
        }
        eprintln!("{} shader error(s)", errors.len());
        process::exit(1);
    }
    let out = PathBuf::from(env::var("OUT_DIR").unwrap_or_default()).join("kernels.rs");
    if let Err(error) = fs::write(&out, generate(&kernels)) {
        eprintln!("cannot write {}: {error}", out.display());
        process::exit(1);
    }
}

/// One validated compute shader and what the host must know of it.
struct Kernel {
    path: String,
    stem: String,
    source: String,
    workgroup_size: [u32; 3],
    workgroup_bytes: u32,
    params: Vec<(String, &'static str, u32)>,
    params_bytes: u32,
    bindings: Vec<(String, &'static str)>,
}

fn collect(root: &Path, folder: &str, files: &mut BTreeMap<String, String>, errors: &mut Vec<String>) {
    let entries = match fs::read_dir(root.join(folder)) {
        Ok(entries) => entries,
        Err(error) => {
            errors.push(format!("shaders/{folder}: {error}"));
            return;
        }
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        if entry.path().is_dir() {
            collect(root, &path, files, errors);
        } else if name.ends_with(".wgsl") {
            match fs::read_to_string(entry.path()) {
                Ok(text) => {
                    files.insert(path, text);
                }
                Err(error) => errors.push(format!("shaders/{path}: {error}")),
            }
        }
    }
}

/// Replaces each `#import a/b.wgsl` line by that file, the first time that it is met.
fn resolve(
    path: &str,
    files: &BTreeMap<String, String>,
    seen: &mut BTreeSet<String>,
    out: &mut String,
) -> Result<(), String> {
    let text = files.get(path).ok_or_else(|| format!("shaders/{path}: imported, but there is no such file"))?;
    for line in text.lines() {
        match line.trim().strip_prefix("#import ") {
            Some(import) => {
                let import = import.trim();
                if seen.insert(import.to_owned()) {
                    resolve(import, files, seen, out).map_err(|error| format!("{error} (from shaders/{path})"))?;
                }
            }
            None => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    Ok(())
}

fn kernel(path: &str, files: &BTreeMap<String, String>) -> Result<Kernel, String> {
    let mut source = String::new();
    resolve("shared/prelude.wgsl", files, &mut BTreeSet::new(), &mut source)?;
    resolve(path, files, &mut BTreeSet::new(), &mut source)?;
    let file = format!("shaders/{path}");
    let module =
        naga::front::wgsl::parse_str(&source).map_err(|error| error.emit_to_string_with_path(&source, &file))?;
    Validator::new(ValidationFlags::all(), Capabilities::empty())
        .validate(&module)
        .map_err(|error| error.emit_to_string_with_path(&source, &file))?;
    reflect(path, source, &module).map_err(|error| format!("{file}: {error}"))
}

fn reflect(path: &str, source: String, module: &Module) -> Result<Kernel, String> {
    let entry = match module.entry_points.as_slice() {
        [entry] if entry.name == "main" => entry,
        _ => return Err("expected exactly one entry point, named main".into()),
    };
    let mut params = None;
    let mut bindings = BTreeMap::new();
    let mut workgroup_bytes = 0;
    for (_, variable) in module.global_variables.iter() {
        let inner = &module.types[variable.ty].inner;
        if variable.space == AddressSpace::WorkGroup {
            workgroup_bytes += inner.size(module.to_ctx());
            continue;
        }
        let Some(binding) = variable.binding else { continue };
        let name = variable.name.clone().unwrap_or_default();
        if binding.group != 0 {
            return Err(format!("{name}: all bindings belong to group 0"));
        }
        match (variable.space, binding.binding) {
            (AddressSpace::Uniform, 0) => params = Some(reflect_params(module, inner)?),
            (AddressSpace::Storage { access }, index @ 1..=8) => {
                let access = if access.contains(StorageAccess::STORE) { "Write" } else { "Read" };
                bindings.insert(index, (name, access));
            }
            (AddressSpace::Uniform, index @ 1..=8) => {
                bindings.insert(index, (name, "Uniform"));
            }
            _ => return Err(format!("{name}: binding 0 is the uniform Params, 1 to 8 are buffers")),
        }
    }
    let (params, params_bytes) = params.ok_or("no uniform Params at binding 0")?;
    if bindings.keys().copied().ne(1..=bindings.len() as u32) {
        return Err("bindings must be numbered from 1 without gaps".into());
    }
    let stem = path.rsplit('/').next().and_then(|name| name.strip_suffix(".wgsl")).unwrap_or_default();
    Ok(Kernel {
        path: path.to_owned(),
        stem: stem.to_owned(),
        source,
        workgroup_size: entry.workgroup_size,
        workgroup_bytes,
        params,
        params_bytes,
        bindings: bindings.into_values().collect(),
    })
}

type Fields = Vec<(String, &'static str, u32)>;

fn reflect_params(module: &Module, inner: &TypeInner) -> Result<(Fields, u32), String> {
    let TypeInner::Struct { members, span } = inner else {
        return Err("Params must be a struct".into());
    };
    let mut fields = Vec::new();
    for member in members {
        let name = member.name.clone().unwrap_or_default();
        let kind = match &module.types[member.ty].inner {
            TypeInner::Scalar(scalar) if scalar.width == 4 => match scalar.kind {
                ScalarKind::Uint => "u32",
                ScalarKind::Sint => "i32",
                ScalarKind::Float => "f32",
                _ => return Err(format!("Params.{name}: use u32, i32, f32 or vec4<f32>")),
            },
            TypeInner::Vector { size: VectorSize::Quad, scalar } if scalar.kind == ScalarKind::Float => "[f32; 4]",
            _ => return Err(format!("Params.{name}: use u32, i32, f32 or vec4<f32>")),
        };
        fields.push((name, kind, member.offset));
    }
    Ok((fields, *span))
}

fn generate(kernels: &[Kernel]) -> String {
    let mut out = String::new();
    for kernel in kernels {
        // Writing to a string cannot fail.
        let _ = generate_kernel(&mut out, kernel);
    }
    let _ = writeln!(out, "/// Every kernel, sorted by path.\npub static ALL: &[&crate::Shader] = &[");
    for kernel in kernels {
        let _ = writeln!(out, "    &{}::SHADER,", kernel.stem);
    }
    let _ = writeln!(out, "];");
    out
}

/// The source without comments and indentation: a page loads all of them.
fn compact(source: &str) -> String {
    let code = source.lines().map(|line| line.split("//").next().unwrap_or_default().trim());
    code.filter(|line| !line.is_empty()).fold(String::new(), |text, line| text + line + "\n")
}

fn generate_kernel(out: &mut String, kernel: &Kernel) -> std::fmt::Result {
    let stem = &kernel.stem;
    writeln!(out, "/// `shaders/{}`.\npub mod {stem} {{", kernel.path)?;
    writeln!(out, "#[derive(Clone, Copy, Debug, Default, PartialEq)]\npub struct Params {{")?;
    for (name, kind, _) in &kernel.params {
        writeln!(out, "    pub {name}: {kind},")?;
    }
    writeln!(out, "}}")?;
    writeln!(out, "impl crate::Params for Params {{\n    const BYTES: usize = {};", kernel.params_bytes)?;
    writeln!(out, "    fn shader() -> &'static crate::Shader {{ &SHADER }}")?;
    let mut words = vec!["[0; 4]".to_owned(); kernel.params_bytes as usize / 4];
    for (name, kind, offset) in &kernel.params {
        for component in 0..if kind.starts_with('[') { 4 } else { 1 } {
            let index = if kind.starts_with('[') { format!("[{component}]") } else { String::new() };
            if let Some(word) = words.get_mut((offset / 4 + component) as usize) {
                *word = format!("self.{name}{index}.to_le_bytes()");
            }
        }
    }
    writeln!(out, "    fn bytes(&self) -> impl AsRef<[u8]> {{ crate::Words([{}]) }}\n}}", words.join(", "))?;
    writeln!(out, "#[derive(Clone, Copy, Debug)]\npub struct Buffers<B> {{")?;
    for (name, _) in &kernel.bindings {
        writeln!(out, "    pub {name}: B,")?;
    }
    let names: Vec<_> = kernel.bindings.iter().map(|(name, _)| format!("self.{name}")).collect();
    writeln!(out, "}}\nimpl<B> crate::Buffers<B> for Buffers<B> {{\n    type Params = Params;")?;
    writeln!(out, "    fn into_array(self) -> impl IntoIterator<Item = B> {{ [{}] }}\n}}", names.join(", "))?;
    writeln!(out, "pub static SHADER: crate::Shader = crate::Shader {{")?;
    writeln!(out, "    stem: {stem:?},\n    path: {:?},\n    source: {:?},", kernel.path, compact(&kernel.source))?;
    writeln!(
        out,
        "    workgroup_size: {:?},\n    workgroup_bytes: {},",
        kernel.workgroup_size, kernel.workgroup_bytes
    )?;
    writeln!(out, "    params_bytes: {},\n    bindings: &[", kernel.params_bytes)?;
    for (name, access) in &kernel.bindings {
        writeln!(out, "        crate::Binding {{ name: {name:?}, access: crate::Access::{access} }},")?;
    }
    writeln!(out, "    ],\n}};\n}}\n")
}
