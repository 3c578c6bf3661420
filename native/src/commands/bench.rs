//! `inkling bench`.

use inkling_session::config::{ModelConfig, NormKind};
use inkling_session::run::{NetworkBench, NetworkBenchResult, bench_network};
use inkling_session::table::Table;
use serde_json::json;

use crate::args::{BackboneArgs, Conv4Args};
use crate::failure::Failure;
use crate::output::Output;

/// `inkling bench conv4`.
pub fn conv4(args: &Conv4Args, adapter: Option<String>, output: Output) -> Result<(), Failure> {
    let model = ModelConfig { channels: args.channels, norm: NormKind::Batch, ..ModelConfig::default() };
    let Conv4Args { image: image_size, batch, in_channels, repeats, .. } = *args;
    let bench = NetworkBench { model, image_size, batch, in_channels, repeats };
    run(&bench, &format!("Conv-4 of {} channels", args.channels), adapter, output)
}

/// `inkling bench backbone`.
pub fn backbone(args: &BackboneArgs, adapter: Option<String>, output: Output) -> Result<(), Failure> {
    let model =
        ModelConfig { backbone: args.backbone.kind(), trained: Some(args.trained.kind()), ..ModelConfig::default() };
    let BackboneArgs { image: image_size, batch, repeats, .. } = *args;
    let bench = NetworkBench { model, image_size, batch, in_channels: 3, repeats };
    run(&bench, args.backbone.kind().words(), adapter, output)
}

fn run(bench: &NetworkBench, name: &str, adapter: Option<String>, output: Output) -> Result<(), Failure> {
    let (adapter, results) = pollster::block_on(bench_network(bench, adapter))?;
    if output.is_json() {
        results.iter().for_each(|result| output.object(&json_of(&adapter, result)));
        return Ok(());
    }
    output.line(&format!(
        "{name}, {} images of {}×{}×{} on {adapter}; medians of {} passes",
        bench.batch, bench.in_channels, bench.image_size, bench.image_size, bench.repeats
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
fn kernels(result: &NetworkBenchResult) -> Table {
    let mut table = Table::new(["kernel", "launches", "ms"]);
    for kernel in &result.kernels {
        table.row([kernel.stem.to_owned(), kernel.launches.to_string(), format!("{:.2}", kernel.millis)]);
    }
    table
}

fn json_of(adapter: &str, result: &NetworkBenchResult) -> serde_json::Value {
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
