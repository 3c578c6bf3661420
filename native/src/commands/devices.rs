//! `inkling devices`.

use inkling_gpu::{Gpu, GpuError};
use inkling_session::table::Table;
use inkling_session::units::ByteSize;
use serde_json::json;

use crate::failure::Failure;
use crate::output::Output;

pub fn run(output: Output) -> Result<(), Failure> {
    let adapters = pollster::block_on(Gpu::list_adapters());
    if adapters.is_empty() {
        return Err(Failure::failed(GpuError::NoAdapter));
    }
    let mut table = Table::new([
        "adapter",
        "backend",
        "kind",
        "tier",
        "buffer",
        "binding",
        "bindings",
        "invocations",
        "workgroup",
        "timestamps",
    ]);
    for one in adapters {
        output_row(&one, &mut table, output);
    }
    if !output.is_json() {
        output.table(&table);
    }
    Ok(())
}

fn output_row(one: &inkling_gpu::AdapterSummary, table: &mut Table, output: Output) {
    if output.is_json() {
        output.object(&json!({
            "name": one.name, "backend": one.backend, "kind": one.kind, "driver": one.driver, "tier": one.tier.name(),
            "max_buffer_bytes": one.max_buffer_bytes, "max_binding_bytes": one.max_binding_bytes,
            "max_storage_buffers": one.max_storage_buffers, "max_invocations": one.max_invocations,
            "max_workgroup_bytes": one.max_workgroup_bytes, "timestamps": one.timestamps,
        }));
        return;
    }
    table.row([
        one.name.clone(),
        one.backend.clone(),
        one.kind.clone(),
        one.tier.name().to_owned(),
        ByteSize(one.max_buffer_bytes).rounded(),
        ByteSize(one.max_binding_bytes).rounded(),
        one.max_storage_buffers.to_string(),
        one.max_invocations.to_string(),
        ByteSize(one.max_workgroup_bytes.into()).rounded(),
        if one.timestamps { "yes" } else { "no" }.to_owned(),
    ]);
}
