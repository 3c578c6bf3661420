//! ELU and its gradient, in place.

use inkling_gpu::{Gpu, kernels};
use inkling_reference as twin;

use super::bench::{Bench, noise, wide};
use super::tolerance::Tolerance;
use super::{case_list, params};
use crate::Case;

pub fn cases() -> Vec<Case> {
    case_list![
        "elu_forward/sizes" => forward,
        "elu_backward/sizes" => backward,
    ]
}

/// One, odd, prime, larger than a workgroup.
const SIZES: [u32; 4] = [1, 63, 257, 4_099];

/// Numbers in (−4, 4), and one whose exponential would overflow.
fn inputs(count: u32) -> Vec<f32> {
    let mut values: Vec<f32> = noise(1, count as usize).iter().map(|value| 4.0 * value).collect();
    values[0] = 1e4;
    values
}

async fn forward(gpu: &Gpu) -> Result<(), String> {
    for elements in SIZES {
        let (params, reference) = params!(elu_forward EluForwardParams { elements: elements });
        let mut bench = Bench::new(gpu)?;
        let output = bench.updated(inputs(elements)).await?;
        bench.run(params, kernels::elu_forward::Buffers { values: output.all() }, elements)?;
        let mut expected = wide(&output.initial);
        twin::elu_forward(&reference, &mut expected);
        // WGSL allows exp 3 + 2|x| units in the last place, and the difference rounds once more.
        let tolerance = Tolerance::cancelling(12, 1.0);
        bench.check_f64(&format!("elu of {elements}"), &output, &expected, tolerance).await?;
    }
    Ok(())
}

async fn backward(gpu: &Gpu) -> Result<(), String> {
    for elements in SIZES {
        let (params, reference) = params!(elu_backward EluBackwardParams { elements: elements });
        let mut values = inputs(elements);
        twin::elu_forward(&twin::EluForwardParams { elements }, &mut values);
        let mut bench = Bench::new(gpu)?;
        let output = bench.input(&values).await?;
        let gradient = bench.updated(noise(2, elements as usize)).await?;
        let buffers = kernels::elu_backward::Buffers { output: output.all(), gradient: gradient.all() };
        bench.run(params, buffers, elements)?;
        let mut expected = wide(&gradient.initial);
        twin::elu_backward(&reference, &wide(&values), &mut expected);
        let tolerance = Tolerance::roundings(2);
        bench.check_f64(&format!("gradient of {elements}"), &gradient, &expected, tolerance).await?;
    }
    Ok(())
}
