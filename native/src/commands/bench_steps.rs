//! `inkling bench steps`.

use inkling_session::run::{StepBenchResult, bench_steps};
use inkling_session::table::Table;
use inkling_session::units::ByteSize;

use super::{layers, resolve, set_method};
use crate::args::StepsArgs;
use crate::failure::Failure;
use crate::output::Output;
use crate::printer::Printer;

pub fn run(args: &StepsArgs, adapter: Option<String>, output: Output) -> Result<(), Failure> {
    let mut methods = Vec::new();
    for &method in &args.methods {
        let mut layers = layers(&args.config)?;
        set_method(&mut layers, method);
        methods.push((method.name().to_owned(), resolve(&layers, output)?));
    }
    let mut printer = Printer::new(output);
    let mut progress = |done, all| printer.measuring(done, all);
    let result = pollster::block_on(bench_steps(&methods, &args.tasks, args.repeats, adapter, &mut progress));
    printer.close();
    let (adapter, results) = result?;
    if !output.is_json() {
        output.line(&format!("one outer step on {adapter}; medians of {} steps, taken in turns", args.repeats));
    }
    output.table(&table(&results));
    Ok(())
}

/// One row for each method and number of tasks; ratios are to the first method with as many tasks.
fn table(results: &[StepBenchResult]) -> Table {
    let columns = ["method", "tasks", "ms", "fastest", "slowest", "ms per task", "ratio", "dispatches", "peak"];
    let mut table = Table::new(columns);
    for result in results {
        let first = results.iter().find(|first| first.tasks == result.tasks);
        table.row([
            result.method.clone(),
            result.tasks.to_string(),
            format!("{:.1}", result.millis),
            format!("{:.1}", result.range_millis.0),
            format!("{:.1}", result.range_millis.1),
            format!("{:.2}", result.millis / f64::from(result.tasks.max(1))),
            first.map_or_else(String::new, |first| format!("{:.2}", result.millis / first.millis)),
            result.dispatches.to_string(),
            ByteSize(result.peak_bytes).rounded(),
        ]);
    }
    table
}
