//! `inkling report estimators`.

use inkling_session::report;
use inkling_session::run::estimators;
use inkling_session::tensor_file::TensorFile;

use super::{layers, resolve};
use crate::args::EstimatorsArgs;
use crate::failure::Failure;
use crate::output::Output;
use crate::printer::Printer;

pub fn run(args: &EstimatorsArgs, adapter: Option<String>, output: Output) -> Result<(), Failure> {
    let config = resolve(&layers(&args.config)?, output)?;
    let weights = args.model.as_deref().map(TensorFile::read).transpose()?;
    let mut printer = Printer::new(output);
    let points = pollster::block_on(estimators(&config, weights.as_ref(), args.draws, adapter, &mut |done, all| {
        printer.measuring(done, all);
    }));
    printer.close();
    let points = match &args.model {
        Some(path) => points.map_err(Failure::with_weights(path))?,
        None => points?,
    };
    report::write(&args.out, &points)?;
    output.table(&report::table(&points));
    if !output.is_json() {
        output.line(&format!("\nwritten to {0}/estimators.csv and {0}/estimators.svg", args.out.display()));
    }
    Ok(())
}
