//! `inkling bench rows`.

use std::path::Path;

use inkling_session::error::RunError;
use inkling_session::report::peers::Measurement;
use inkling_session::run::{RowList, bench_rows};
use inkling_session::table::Table;
use inkling_session::units::ByteSize;
use serde_json::json;

use crate::args::RowsArgs;
use crate::failure::Failure;
use crate::output::Output;
use crate::printer::Printer;

pub fn run(args: &RowsArgs, adapter: Option<String>, output: Output) -> Result<(), Failure> {
    let mut list = read(&args.rows)?;
    if let Some(only) = &args.only {
        list.rows.retain(|row| row.name.starts_with(only.as_str()));
        if list.rows.is_empty() {
            return Err(Failure::Usage(format!("no row of {} begins with {only}", args.rows.display())));
        }
    }
    let count = u32::try_from(list.rows.len()).unwrap_or(u32::MAX);
    let mut printer = Printer::new(output);
    let mut measured: Vec<Measurement> = Vec::new();
    printer.measuring(0, count);
    let result = pollster::block_on(bench_rows(&list, adapter, &mut |measurement| {
        if output.is_json() {
            output.object(&json!(measurement));
        }
        measured.push(measurement);
        printer.measuring(u32::try_from(measured.len()).unwrap_or(count), count);
    }));
    printer.close();
    result?;
    if !output.is_json() {
        output.table(&table(&list, &measured));
    }
    Ok(())
}

/// Reads a list of rows.
pub(super) fn read(path: &Path) -> Result<RowList, Failure> {
    let text = std::fs::read_to_string(path).map_err(RunError::io("read", path))?;
    serde_json::from_str(&text)
        .map_err(|error| Failure::failed(format!("{}: not a list of rows: {error}", path.display())))
}

fn table(list: &RowList, measured: &[Measurement]) -> Table {
    let mut table = Table::new(["row", "ms", "fastest", "slowest", "runs", "peak"]);
    for (row, measurement) in list.rows.iter().zip(measured) {
        let millis = |time: Option<f64>| time.map_or_else(String::new, |millis| format!("{millis:.1}"));
        table.row([
            row.title.clone(),
            millis(measurement.median_ms),
            millis(measurement.fastest_ms),
            millis(measurement.slowest_ms),
            measurement.repeats.unwrap_or_default().to_string(),
            measurement.peak_bytes.map_or_else(String::new, |bytes| ByteSize(bytes).rounded()),
        ]);
    }
    table
}
