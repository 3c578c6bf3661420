//! `inkling report estimators`.

use inkling_session::report;
use inkling_session::run::estimators;
use inkling_session::tensor_file::TensorFile;

use super::{layers, resolve};
use crate::args::EstimatorsArgs;
use crate::failure::Failure;
use crate::output::Output;

pub fn run(args: &EstimatorsArgs, adapter: Option<String>, output: Output) -> Result<(), Failure> {
    let config = resolve(&layers(&args.config)?, output)?;
    let weights = args.model.as_deref().map(TensorFile::read).transpose()?;
    let points = pollster::block_on(estimators(&config, weights.as_ref(), args.draws, adapter))?;
    report::write(&args.out, &points)?;
    output.table(&report::table(&points));
    if !output.is_json() {
        output.line(&format!("written to {}", args.out.display()));
    }
    Ok(())
}

