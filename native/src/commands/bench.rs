//! `inkling bench`.

use inkling_session::config::{ModelConfig, NormKind};
use inkling_session::run::{LayerTime, NetworkBench, NetworkBenchReport, NetworkBenchResult, Peaks, bench_network};
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
    let (backbone, trained) = (args.backbone.kind(), Some(args.trained.kind()));
    let model = ModelConfig { backbone, trained, norm: NormKind::Frozen, ..ModelConfig::default() };
    let BackboneArgs { image: image_size, batch, repeats, .. } = *args;
    let bench = NetworkBench { model, image_size, batch, in_channels: 3, repeats };
    run(&bench, args.backbone.kind().words(), adapter, output)
}

fn run(bench: &NetworkBench, name: &str, adapter: Option<String>, output: Output) -> Result<(), Failure> {
    let report = pollster::block_on(bench_network(bench, adapter))?;
    if output.is_json() {
        report.passes.iter().for_each(|result| output.object(&json_of(bench, &report, result)));
        return Ok(());
    }
    output.line(&format!(
        "{name}, {} images of {}×{}×{} on {}; medians of {} passes",
        bench.batch, bench.in_channels, bench.image_size, bench.image_size, report.adapter, bench.repeats
    ));
    output.line(&format!(
        "the adapter at best, in this run: {:.1} GFLOP/s of multiplications, {:.1} GB/s copied",
        report.peaks.gflop_per_second, report.peaks.gigabytes_per_second
    ));
    output.table(&passes(&report.passes));
    if let Some(both) = report.passes.last().filter(|result| !result.kernels.is_empty()) {
        output.line("");
        output.table(&kernels(both));
        output.line("");
        output.table(&layers(bench, &report));
        output.line("");
        output.line(
            "forward: of a pass that keeps nothing; % of the peaks above; bytes: every input, output and weight once",
        );
    }
    Ok(())
}

fn passes(results: &[NetworkBenchResult]) -> Table {
    let mut table = Table::new(["pass", "ms", "fastest", "slowest", "GFLOP/s", "dispatches", "outside kernels"]);
    for result in results {
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
    table
}

/// Where the time of one pass goes, timed dispatch by dispatch.
fn kernels(result: &NetworkBenchResult) -> Table {
    let mut table = Table::new(["kernel", "launches", "ms"]);
    for kernel in &result.kernels {
        table.row([kernel.stem.to_owned(), kernel.launches.to_string(), format!("{:.2}", kernel.millis)]);
    }
    table
}

/// The speed of one layer in one direction.
struct Speed {
    millis: f64,
    gflop_per_second: f64,
    gigabytes_per_second: f64,
}

impl Speed {
    fn new(bench: &NetworkBench, work: (f64, u64), weights: u64, millis: f64) -> Self {
        let images = f64::from(bench.batch);
        let bytes = 4.0 * (images * work.1 as f64 + weights as f64);
        Self { millis, gflop_per_second: 1e-6 * images * work.0 / millis, gigabytes_per_second: 1e-6 * bytes / millis }
    }

    fn forward(bench: &NetworkBench, layer: &LayerTime) -> Self {
        let LayerTime { work, forward_millis, .. } = layer;
        Self::new(bench, (work.forward_flops, work.forward_elements), work.weights, *forward_millis)
    }

    /// None where no gradient comes by.
    fn backward(bench: &NetworkBench, layer: &LayerTime) -> Option<Self> {
        let LayerTime { work, backward_millis, .. } = layer;
        let speed = Self::new(bench, (work.backward_flops, work.backward_elements), work.weights, *backward_millis);
        (*backward_millis > 0.0).then_some(speed)
    }

    /// Milliseconds, GFLOP/s and GB/s, the latter two with their share of the peaks.
    fn cells(&self, peaks: Peaks) -> [String; 5] {
        let share = |value: f64, peak: f64| format!("{:.0} %", 100.0 * value / peak);
        let (flops, bytes) = (self.gflop_per_second, self.gigabytes_per_second);
        let of_flops = |text: String| if flops > 0.0 { text } else { String::new() };
        [
            format!("{:.2}", self.millis),
            of_flops(format!("{flops:.1}")),
            of_flops(share(flops, peaks.gflop_per_second)),
            format!("{bytes:.2}"),
            share(bytes, peaks.gigabytes_per_second),
        ]
    }
}

/// One row for each layer, both directions. Forward is that of the pass that keeps nothing.
fn layers(bench: &NetworkBench, report: &NetworkBenchReport) -> Table {
    let columns = [
        "layer",
        "kind",
        "output",
        "forward ms",
        "GFLOP/s",
        "of peak",
        "GB/s",
        "of peak",
        "backward ms",
        "GFLOP/s",
        "of peak",
        "GB/s",
        "of peak",
    ];
    let mut table = Table::new(columns);
    let [forward, both] = report.passes.as_slice() else { return table };
    for (forward, both) in forward.layers.iter().zip(&both.layers) {
        let [channels, height, width] = forward.work.out_shape;
        let mut cells =
            vec![forward.work.name.clone(), forward.work.kind.clone(), format!("{channels}×{height}×{width}")];
        cells.extend(Speed::forward(bench, forward).cells(report.peaks));
        if let Some(backward) = Speed::backward(bench, both) {
            cells.extend(backward.cells(report.peaks));
        }
        table.row(cells);
    }
    table
}

fn json_of(bench: &NetworkBench, report: &NetworkBenchReport, result: &NetworkBenchResult) -> serde_json::Value {
    let kernels: Vec<_> = result
        .kernels
        .iter()
        .map(|kernel| json!({"kernel": kernel.stem, "launches": kernel.launches, "ms": kernel.millis}))
        .collect();
    let speed = |speed: Speed| {
        json!({
            "ms": speed.millis,
            "gflop_per_second": speed.gflop_per_second,
            "gigabytes_per_second": speed.gigabytes_per_second,
        })
    };
    let layers: Vec<_> = result
        .layers
        .iter()
        .map(|layer| {
            json!({
                "layer": layer.work.name,
                "kind": layer.work.kind,
                "output": layer.work.out_shape,
                "forward": speed(Speed::forward(bench, layer)),
                "backward": Speed::backward(bench, layer).map(speed),
            })
        })
        .collect();
    json!({
        "adapter": report.adapter,
        "peak_gflop_per_second": report.peaks.gflop_per_second,
        "peak_gigabytes_per_second": report.peaks.gigabytes_per_second,
        "pass": result.pass,
        "ms": result.millis,
        "fastest_ms": result.range_millis.0,
        "slowest_ms": result.range_millis.1,
        "gflop_per_second": result.gflop_per_second,
        "dispatches": result.dispatches,
        "share_outside_kernels": result.outside_kernels,
        "kernels": kernels,
        "layers": layers,
    })
}
