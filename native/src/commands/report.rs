//! `inkling report estimators`.

use inkling_session::config::RunConfig;
use inkling_session::report::{self, EstimatorPoint};
use inkling_session::tensor_file::TensorFile;

use super::{layers, resolve, unconnected};
use crate::args::EstimatorsArgs;
use crate::failure::Failure;
use crate::output::Output;

pub fn run(args: &EstimatorsArgs, adapter: Option<String>, output: Output) -> Result<(), Failure> {
    let config = resolve(&layers(&args.config)?, output)?;
    let weights = args.model.as_deref().map(TensorFile::read).transpose()?;
    let points = estimators(&config, weights.as_ref(), args.draws, adapter)?;
    report::write(&args.out, &points)?;
    output.table(&report::table(&points));
    if !output.is_json() {
        output.line(&format!("written to {}", args.out.display()));
    }
    Ok(())
}

/// The experiment: H from 10 % to 100 % of N, `draws` times each, lite and subsampled.
fn estimators(
    _config: &RunConfig,
    _weights: Option<&TensorFile>,
    _draws: u32,
    _adapter: Option<String>,
) -> Result<Vec<EstimatorPoint>, Failure> {
    // The experiment joins here.
    Err(unconnected("report estimators"))
}
