//! Typed sources of every WGSL kernel.
//!
//! The build script resolves imports, validates with naga and reflects; [`kernels`] holds one
//! module per shader stem with its `Params`, its `Buffers` and its [`Shader`]. What runs them is
//! left to the runtime: this crate names no GPU interface.

/// A validated compute shader with the entry point `main`.
#[derive(Debug)]
pub struct Shader {
    /// The file's name without extension, unique among all shaders.
    pub stem: &'static str,
    /// The path below `shaders/`.
    pub path: &'static str,
    /// WGSL with all imports resolved, without comments.
    pub source: &'static str,
    /// Invocations of one workgroup along x, y and z.
    pub workgroup_size: [u32; 3],
    /// Bytes of workgroup memory.
    pub workgroup_bytes: u32,
    /// Bytes of the uniform parameter struct at binding 0.
    pub params_bytes: u32,
    /// The buffers, at bindings 1, 2, …
    pub bindings: &'static [Binding],
}

/// How a shader uses a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// A storage buffer that is only read.
    Read,
    /// A storage buffer that is written, and perhaps read.
    Write,
    /// A uniform array: at most 64 KiB, cheap where all invocations read the same element.
    Uniform,
}

/// A buffer of a shader.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    /// The variable's name.
    pub name: &'static str,
    /// How the shader uses it.
    pub access: Access,
}

/// A kernel's uniform parameters.
pub trait Params {
    /// Bytes of the struct in WGSL's uniform layout.
    const BYTES: usize;

    /// The shader that takes these parameters.
    fn shader() -> &'static Shader;

    /// The struct in WGSL's uniform layout, padding zero.
    fn bytes(&self) -> impl AsRef<[u8]>;
}

/// The words of a parameter struct, little-endian.
#[derive(Clone, Copy, Debug)]
struct Words<const N: usize>([[u8; 4]; N]);

impl<const N: usize> AsRef<[u8]> for Words<N> {
    fn as_ref(&self) -> &[u8] {
        self.0.as_flattened()
    }
}

/// A kernel's buffers, in the order of their bindings.
pub trait Buffers<B> {
    /// The parameters that belong to the same kernel.
    type Params: Params;

    /// The buffers, binding 1 first.
    fn into_array(self) -> impl IntoIterator<Item = B>;
}

/// One module per shader: its parameters, its buffers, its source. Generated; the field names are
/// the shader's own, whose header says what they mean.
#[allow(missing_docs, clippy::all)]
#[rustfmt::skip]
pub mod kernels {
    include!(concat!(env!("OUT_DIR"), "/kernels.rs"));
}
