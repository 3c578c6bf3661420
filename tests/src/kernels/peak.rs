//! Kernels that measure what an adapter can do at best.

use inkling_gpu::{Gpu, kernels};
use inkling_reference as twin;

use super::bench::{Bench, noise};
use super::tolerance::Tolerance;
use super::{case_list, params};
use crate::Case;

pub fn cases() -> Vec<Case> {
    case_list![
        "peak_copy/sizes" => copy,
        "peak_multiply/rounds" => multiply,
    ]
}

async fn copy(gpu: &Gpu) -> Result<(), String> {
    for quads in [1, 63, 1000] {
        let (params, reference) = params!(peak_copy PeakCopyParams { quads: quads });
        let values = noise(1, 4 * quads as usize);
        let mut bench = Bench::new(gpu)?;
        let input = bench.input(&values).await?;
        let output = bench.output(4 * quads).await?;
        bench.run(params, kernels::peak_copy::Buffers { input: input.all(), output: output.all() }, quads)?;
        let mut expected = output.initial.clone();
        twin::peak_copy(&reference, &values, &mut expected);
        bench.check(&format!("copy of {quads} quads"), &output, &expected, Tolerance::EXACT).await?;
    }
    Ok(())
}

async fn multiply(gpu: &Gpu) -> Result<(), String> {
    for (invocations, rounds) in [(1, 1), (100, 3), (67, 1000)] {
        let (params, reference) =
            params!(peak_multiply PeakMultiplyParams { invocations: invocations, rounds: rounds });
        // A half and two: the values come to four, and no step loses more than its rounding.
        let values = [0.5, 2.0];
        let mut bench = Bench::new(gpu)?;
        let factors = bench.input(&values).await?;
        let output = bench.output(invocations).await?;
        let buffers = kernels::peak_multiply::Buffers { factors: factors.all(), output: output.all() };
        bench.run(params, buffers, invocations)?;
        let mut expected = output.initial.clone();
        twin::peak_multiply(&reference, &values, &mut expected);
        // Halving is exact and halves the errors before it: two roundings, and eleven of the sum.
        let what = format!("sums of {invocations} invocations after {rounds} rounds");
        bench.check(&what, &output, &expected, Tolerance::sum(13, 200.0)).await?;
    }
    Ok(())
}
