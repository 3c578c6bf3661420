//! `inkling memory`.

use inkling_gpu::{Category, Gpu, GpuOptions, Tier};
use inkling_session::run::{MemoryPlan, memory_plans};
use inkling_session::table::Table;
use inkling_session::units::ByteSize;
use serde_json::json;

use super::{layers, resolve};
use crate::args::MemoryArgs;
use crate::failure::Failure;
use crate::output::Output;

pub fn run(args: &MemoryArgs, adapter: Option<String>, output: Output) -> Result<(), Failure> {
    let config = resolve(&layers(&args.config)?, output)?;
    let plans = memory_plans(&config, &args.support, &args.image_sizes, tier(adapter))?;
    if output.is_json() {
        plans.iter().for_each(|plan| output.object(&json(plan)));
        return Ok(());
    }
    output.table(&table(&plans, config.memory.budget.is_some()));
    output.line("\nchunked(C) and lite(H, C) pass the support in chunks of C images; lite back-propagates H of the N.");
    if let Some(budget) = config.memory.budget {
        output.line(&format!(
            "Within {budget}, max C is the largest chunk (with query batches no larger), and max H the largest H\n\
             that one such chunk back-propagates; in several chunks any H up to N fits."
        ));
    }
    Ok(())
}

/// The tier that plans are for: a machine without an adapter plans for a software one.
fn tier(adapter: Option<String>) -> Tier {
    let options = GpuOptions { adapter, profile: false };
    pollster::block_on(Gpu::new(&options)).map_or(Tier::Cpu, |gpu| gpu.tier())
}

/// Categories that are small or go together share a column, so that a row fits a terminal.
const COLUMNS: [(&str, &[Category]); 6] = [
    ("model", &[Category::Parameters, Category::Gradient, Category::Optimizer]),
    ("images", &[Category::Images]),
    ("activations", &[Category::Activations]),
    ("workspace", &[Category::Workspace]),
    ("embeddings", &[Category::Embeddings]),
    ("staging", &[Category::Staging, Category::Readback]),
];

/// One row for each plan.
fn table(plans: &[MemoryPlan], budget: bool) -> Table {
    let columns = ["image", "N", "estimator", "peak"].into_iter().chain(COLUMNS.map(|(name, _)| name));
    let budgeted = if budget { &["max C", "max H"][..] } else { &[] };
    let mut table = Table::new(columns.chain(budgeted.iter().copied()));
    for plan in plans {
        let size = |bytes: u64| ByteSize(bytes).rounded();
        let mut cells = vec![plan.image_size.to_string(), plan.support.to_string(), estimator(plan)];
        cells.push(size(plan.bytes.total()));
        cells.extend(COLUMNS.map(|(_, parts)| size(parts.iter().map(|&part| plan.bytes.of(part)).sum())));
        if budget {
            let count = |value: Option<u32>| value.map_or("-".to_owned(), |value| value.to_string());
            let needs = || format!("needs {}", size(plan.minimum));
            let chunk = plan.chunk.map(|_| plan.largest_chunk.map_or_else(needs, |chunk| chunk.to_string()));
            cells.extend([chunk.unwrap_or("-".to_owned()), count(plan.largest_h)]);
        }
        table.row(cells);
    }
    table
}

/// `full`, `chunked(25)`, `lite(10, 25)`.
fn estimator(plan: &MemoryPlan) -> String {
    let settings: Vec<String> = plan.h.iter().chain(&plan.chunk).map(u32::to_string).collect();
    if settings.is_empty() { plan.estimator.to_owned() } else { format!("{}({})", plan.estimator, settings.join(", ")) }
}

fn json(plan: &MemoryPlan) -> serde_json::Value {
    let categories: serde_json::Map<_, _> =
        plan.bytes.iter().map(|(category, bytes)| (category.name().to_owned(), json!(bytes))).collect();
    json!({
        "estimator": plan.estimator,
        "support": plan.support,
        "image_size": plan.image_size,
        "bytes": plan.bytes.total(),
        "by_category": categories,
        "h": plan.h,
        "chunk": plan.chunk,
        "minimum_bytes": plan.minimum,
        "largest_chunk": plan.largest_chunk,
        "largest_h": plan.largest_h,
    })
}
