//! `inkling bench steps`.

use inkling_session::config::{EstimatorKind, GradientConfig};
use inkling_session::run::{StepBenchResult, bench_steps};
use inkling_session::table::Table;
use inkling_session::units::ByteSize;
use toml::Value;

use super::{layers, resolve, set_method};
use crate::args::StepsArgs;
use crate::failure::Failure;
use crate::output::Output;
use crate::printer::Printer;

pub fn run(args: &StepsArgs, adapter: Option<String>, output: Output) -> Result<(), Failure> {
    let mut methods = Vec::new();
    for &method in &args.methods {
        if args.estimators.is_empty() {
            let mut layers = layers(&args.config)?;
            set_method(&mut layers, method);
            methods.push((method.name().to_owned(), resolve(&layers, output)?));
        }
        for &estimator in &args.estimators {
            let mut layers = layers(&args.config)?;
            set_method(&mut layers, method);
            layers.set("--estimators", "gradient.estimator", Value::String(estimator.name().to_owned()));
            let config = resolve(&layers, output)?;
            methods.push((format!("{} {}", method.name(), described(&config.gradient)), config));
        }
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

/// The estimator with its H.
fn described(gradient: &GradientConfig) -> String {
    match gradient.estimator {
        EstimatorKind::Full | EstimatorKind::Chunked => gradient.estimator.name().to_owned(),
        EstimatorKind::Lite | EstimatorKind::Subsampled => format!("{}({})", gradient.estimator.name(), gradient.h),
    }
}

/// One row for each method and number of tasks; ratios are to the first method measured with as many
/// tasks. Where the plan is above the budget there is nothing but the plan.
fn table(results: &[StepBenchResult]) -> Table {
    let columns =
        ["method", "tasks", "ms", "fastest", "slowest", "ms per task", "ratio", "dispatches", "peak", "planned"];
    let mut table = Table::new(columns);
    for result in results {
        let first =
            results.iter().filter(|first| first.tasks == result.tasks).find_map(|first| first.measured.as_ref());
        let planned = ByteSize(result.planned_bytes).rounded();
        let mut cells = vec![result.method.clone(), result.tasks.to_string()];
        match &result.measured {
            Some(times) => cells.extend([
                format!("{:.1}", times.millis),
                format!("{:.1}", times.range_millis.0),
                format!("{:.1}", times.range_millis.1),
                format!("{:.2}", times.millis / f64::from(result.tasks.max(1))),
                first.map_or_else(String::new, |first| format!("{:.2}", times.millis / first.millis)),
                times.dispatches.to_string(),
                ByteSize(times.peak_bytes).rounded(),
            ]),
            None => {
                cells.push("above the budget".to_owned());
                cells.resize(9, String::new());
            }
        }
        cells.push(planned);
        table.row(cells);
    }
    table
}
