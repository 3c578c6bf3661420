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
    if let Some(budget) = config.memory.budget {
        output.line(&format!(
            "largest chunk: images of one pass within {budget}; largest H: support images back-propagated in one \
             pass (in passes of that chunk, any H fits)"
        ));
    }
    Ok(())
}

/// The tier that plans are for: a machine without an adapter plans for a software one.
fn tier(adapter: Option<String>) -> Tier {
    let options = GpuOptions { adapter, profile: false };
    pollster::block_on(Gpu::new(&options)).map_or(Tier::Cpu, |gpu| gpu.tier())
}

/// One row for each plan.
fn table(plans: &[MemoryPlan], budget: bool) -> Table {
    let categories: Vec<Category> = Category::ALL.into_iter().filter(|&c| plans.iter().any(|p| p.bytes.of(c) > 0)).collect();
    let columns = ["image", "N", "estimator", "peak"].into_iter().chain(categories.iter().map(|c| c.name()));
    let budgeted = if budget { &["largest chunk", "largest H"][..] } else { &[] };
    let mut table = Table::new(columns.chain(budgeted.iter().copied()));
    for plan in plans {
        let size = |bytes: u64| ByteSize(bytes).rounded();
        let mut cells = vec![plan.image_size.to_string(), plan.support.to_string(), plan.estimator.to_owned()];
        cells.push(size(plan.bytes.total()));
        cells.extend(categories.iter().map(|&category| size(plan.bytes.of(category))));
        if budget {
            let count = |value: Option<u32>| value.map_or("–".to_owned(), |value| value.to_string());
            cells.extend([count(plan.largest_chunk), count(plan.largest_h)]);
        }
        table.row(cells);
    }
    table
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
        "largest_chunk": plan.largest_chunk,
        "largest_h": plan.largest_h,
    })
}
