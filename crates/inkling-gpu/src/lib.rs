//! Device, byte ledger, buffers, pipelines, recording and read-back: the only crate that names wgpu.
