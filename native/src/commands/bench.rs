//! `inkling bench`.

use inkling_session::table::Table;

use super::unconnected;
use crate::args::Conv4Args;
use crate::failure::Failure;
use crate::output::Output;

pub fn run(args: &Conv4Args, adapter: Option<String>, output: Output) -> Result<(), Failure> {
    output.table(&conv4(args, adapter)?);
    Ok(())
}

/// Milliseconds, GFLOP/s, dispatches and the time outside kernels, forward and both ways.
fn conv4(_args: &Conv4Args, _adapter: Option<String>) -> Result<Table, Failure> {
    // The measurement joins here.
    Err(unconnected("bench conv4"))
}
