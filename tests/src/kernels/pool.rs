//! Pooling kernels.

use inkling_gpu::{Gpu, kernels};
use inkling_reference as twin;

use super::bench::{Bench, noise, wide};
use super::tolerance::Tolerance;
use super::{case_list, params};
use crate::Case;

pub fn cases() -> Vec<Case> {
    case_list![
        "global_average_pool_forward/shapes" => forward_shapes,
        "global_average_pool_forward/many_pixels" => forward_long,
        "global_average_pool_backward/shapes" => backward_shapes,
        "global_average_pool_backward/folded_grid" => backward_folded,
        "sum_forward/sizes" => sum,
    ]
}

/// `[images, channels, pixels]`
async fn forward(gpu: &Gpu, sizes: [u32; 3]) -> Result<(), String> {
    let [images, channels, pixels] = sizes;
    let (params, reference) = params!(global_average_pool_forward GlobalAveragePoolForwardParams {
        images: images,
        channels: channels,
        pixels: pixels,
        output_offset: 3,
    });
    let values = noise(1, (images * channels * pixels) as usize);
    let mut bench = Bench::new(gpu)?;
    let input = bench.input(&values).await?;
    let output = bench.output(images * channels + 3).await?;
    let buffers = kernels::global_average_pool_forward::Buffers { input: input.all(), output: output.all() };
    bench.run(params, buffers, images * channels)?;
    let mut expected = wide(&output.initial);
    twin::global_average_pool_forward(&reference, &wide(&values), &mut expected);
    let tolerance = Tolerance::sum(pixels, 1.0 / f64::from(pixels));
    bench.check_f64(&format!("means of {sizes:?}"), &output, &expected, tolerance).await
}

async fn forward_shapes(gpu: &Gpu) -> Result<(), String> {
    for sizes in [[1, 1, 1], [3, 5, 7], [2, 67, 49], [13, 11, 64]] {
        forward(gpu, sizes).await?;
    }
    Ok(())
}

async fn forward_long(gpu: &Gpu) -> Result<(), String> {
    forward(gpu, [1, 2, 90_001]).await
}

async fn backward(gpu: &Gpu, sizes: [u32; 3], accumulate: u32) -> Result<(), String> {
    let [images, channels, pixels] = sizes;
    let (params, reference) = params!(global_average_pool_backward GlobalAveragePoolBackwardParams {
        images: images,
        channels: channels,
        pixels: pixels,
        d_output_offset: 3,
        accumulate: accumulate,
    });
    let values = noise(2, (images * channels + 3) as usize);
    let mut bench = Bench::new(gpu)?;
    let d_output = bench.input(&values).await?;
    let output = match accumulate {
        0 => bench.output(images * channels * pixels).await?,
        _ => bench.updated(noise(3, (images * channels * pixels) as usize)).await?,
    };
    let buffers = kernels::global_average_pool_backward::Buffers { d_output: d_output.all(), d_input: output.all() };
    bench.run(params, buffers, images * channels * pixels)?;
    let mut expected = output.initial.clone();
    twin::global_average_pool_backward(&reference, &values, &mut expected);
    // A division, and a sum of numbers of either sign.
    bench.check(&format!("d_input of {sizes:?}"), &output, &expected, Tolerance::cancelling(4, 1.0)).await
}

async fn backward_shapes(gpu: &Gpu) -> Result<(), String> {
    for sizes in [[1, 1, 1], [3, 5, 7], [2, 67, 49]] {
        backward(gpu, sizes, 0).await?;
        backward(gpu, sizes, 1).await?;
    }
    Ok(())
}

/// 65,537 workgroups: two rows, the second of which reaches past the end.
async fn backward_folded(gpu: &Gpu) -> Result<(), String> {
    backward(gpu, [1, 1, 65_536 * 64 + 1], 0).await
}

async fn sum(gpu: &Gpu) -> Result<(), String> {
    for elements in [1, 63, 257, 4_099] {
        let (params, reference) = params!(sum_forward SumForwardParams { elements: elements });
        let values = [1, 2].map(|seed| noise(seed, elements as usize));
        let mut bench = Bench::new(gpu)?;
        let (first, second) = (bench.input(&values[0]).await?, bench.input(&values[1]).await?);
        let output = bench.output(elements).await?;
        let buffers = kernels::sum_forward::Buffers { first: first.all(), second: second.all(), output: output.all() };
        bench.run(params, buffers, elements.div_ceil(4))?;
        let mut expected = output.initial.clone();
        twin::sum_forward(&reference, &values[0], &values[1], &mut expected);
        bench.check(&format!("sum of {elements}"), &output, &expected, Tolerance::EXACT).await?;
    }
    Ok(())
}
