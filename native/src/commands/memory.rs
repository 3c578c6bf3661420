//! `inkling memory`.

use inkling_session::config::RunConfig;
use inkling_session::table::Table;

use super::{layers, resolve, unconnected};
use crate::args::MemoryArgs;
use crate::failure::Failure;
use crate::output::Output;

pub fn run(args: &MemoryArgs, adapter: Option<String>, output: Output) -> Result<(), Failure> {
    let config = resolve(&layers(&args.config)?, output)?;
    for table in plans(&config, &args.support, &args.image_sizes, adapter)? {
        output.table(&table);
    }
    Ok(())
}

/// Bytes by category and estimator for each N and image size, and the largest H in the budget.
fn plans(
    _config: &RunConfig,
    _support: &[u32],
    _image_sizes: &[u32],
    _adapter: Option<String>,
) -> Result<Vec<Table>, Failure> {
    // The planner joins here.
    Err(unconnected("memory"))
}
