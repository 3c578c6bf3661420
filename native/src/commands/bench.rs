//! `inkling bench`.

use inkling_session::run::{Conv4Bench, Conv4BenchResult, bench_conv4};
use inkling_session::table::Table;
use serde_json::json;

use crate::args::Conv4Args;
use crate::failure::Failure;
use crate::output::Output;

pub fn run(args: &Conv4Args, adapter: Option<String>, output: Output) -> Result<(), Failure> {
    let bench = Conv4Bench {
        channels: args.channels,
        image_size: args.image,
        batch: args.batch,
        in_channels: args.in_channels,
        repeats: args.repeats,
    };
    let (adapter, results) = pollster::block_on(bench_conv4(bench, adapter))?;
    if output.is_json() {
        results.iter().for_each(|result| output.object(&json_of(&adapter, result)));
        return Ok(());
    }
    output.line(&format!(
        "Conv-4 of {} channels, {} images of {}×{}×{} on {adapter}; medians of {} passes",
        args.channels, args.batch, args.in_channels, args.image, args.image, args.repeats
    ));
    let mut table = Table::new(["pass", "ms", "fastest", "slowest", "GFLOP/s", "dispatches", "outside kernels"]);
    for result in &results {
        table.row([
            result.pass.to_owned(),
            format!("{:.1}", result.millis),
            format!("{:.1}", result.range_millis.0),
            format!("{:.1}", result.range_millis.1),
            format!("{:.1}", result.gflop_per_second),
            result.dispatches.to_string(),
            result.outside_kernels.map_or("no timestamps".to_owned(), |share| format!("{:.1} %", 100.0 * share)),
        ]);
    }
    output.table(&table);
    if let Some(both) = results.last().filter(|result| !result.kernels.is_empty()) {
        output.line("");
        output.table(&kernels(both));
    }
    Ok(())
}

/// Where the time of one pass goes, timed dispatch by dispatch.
fn kernels(result: &Conv4BenchResult) -> Table {
    let mut table = Table::new(["kernel", "launches", "ms"]);
    for kernel in &result.kernels {
        table.row([kernel.stem.to_owned(), kernel.launches.to_string(), format!("{:.2}", kernel.millis)]);
    }
    table
}

fn json_of(adapter: &str, result: &Conv4BenchResult) -> serde_json::Value {
    let kernels: Vec<_> = result
        .kernels
        .iter()
        .map(|kernel| json!({"kernel": kernel.stem, "launches": kernel.launches, "ms": kernel.millis}))
        .collect();
    json!({
        "adapter": adapter,
        "pass": result.pass,
        "ms": result.millis,
        "fastest_ms": result.range_millis.0,
        "slowest_ms": result.range_millis.1,
        "gflop_per_second": result.gflop_per_second,
        "dispatches": result.dispatches,
        "share_outside_kernels": result.outside_kernels,
        "kernels": kernels,
    })
}
