//! `inkling bench heads`.

use inkling_session::run::{HeadBenchResult, bench_heads};
use inkling_session::table::Table;

use super::{layers, resolve, set_method};
use crate::args::HeadsArgs;
use crate::failure::Failure;
use crate::output::Output;

pub fn run(args: &HeadsArgs, adapter: Option<String>, output: Output) -> Result<(), Failure> {
    let mut heads = Vec::new();
    for &method in &args.methods {
        if method.is_learner() {
            return Err(Failure::Usage(format!(
                "{} adapts the whole network and has no head; time it with `inkling bench steps`",
                method.name()
            )));
        }
        let mut layers = layers(&args.config)?;
        set_method(&mut layers, method);
        heads.push((method.name().to_owned(), resolve(&layers, output)?));
    }
    let shape = (args.tasks, args.dimension);
    let (adapter, results) = pollster::block_on(bench_heads(&heads, shape, args.repeats, adapter))?;
    if !output.is_json() {
        output.line(&format!("heads alone on {adapter}; medians of {} runs, taken in turns", args.repeats));
    }
    output.table(&table(&results));
    Ok(())
}

fn table(results: &[HeadBenchResult]) -> Table {
    let columns = ["head", "tasks", "ms together", "ms one by one", "ratio", "dispatches together", "one by one"];
    let mut table = Table::new(columns);
    for result in results {
        table.row([
            result.head.clone(),
            result.tasks.to_string(),
            format!("{:.1}", result.together_millis),
            format!("{:.1}", result.one_by_one_millis),
            format!("{:.2}", result.together_millis / result.one_by_one_millis),
            result.together_dispatches.to_string(),
            result.one_by_one_dispatches.to_string(),
        ]);
    }
    table
}
