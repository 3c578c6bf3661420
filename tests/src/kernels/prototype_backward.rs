//! The prototype head, backward.

use inkling_gpu::{Gpu, kernels};
use inkling_reference as twin;

use super::bench::{Bench, integers, noise, wide};
use super::prototype::{SCALE_OFFSET, SHAPES, STRIDE};
use super::tolerance::Tolerance;
use super::{case_list, params};
use crate::Case;

pub fn cases() -> Vec<Case> {
    case_list![
        "prototype_coefficients/metrics" => coefficients_shapes,
        "prototype_coefficients/zero_query" => coefficients_zero,
        "prototype_backward_query/shapes" => backward_query,
        "prototype_backward_fit/shapes" => backward_fit,
        "prototype_backward_scale/shapes" => backward_scale_shapes,
        "prototype_backward_scale/many_queries" => backward_scale_long,
        "prototype_finish/shapes" => finish,
    ]
}

async fn coefficients(gpu: &Gpu, sizes: [u32; 4], metric: u32, rows: &[f32]) -> Result<(), String> {
    let [tasks, queries, ways, dimension] = sizes;
    let (params, reference) = params!(prototype_coefficients PrototypeCoefficientsParams {
        tasks: tasks,
        queries: queries,
        ways: ways,
        dimension: dimension,
        metric: metric,
        scale_offset: SCALE_OFFSET,
        parameter_stride: STRIDE,
    });
    let classes = noise(2, (tasks * ways * dimension) as usize);
    let scales = noise(3, (tasks * STRIDE) as usize);
    let values = noise(4, (tasks * queries * ways) as usize);
    let d_values = noise(5, (tasks * queries * ways) as usize);
    let mut bench = Bench::new(gpu)?;
    let query_buffer = bench.input(rows).await?;
    let prototypes = bench.input(&classes).await?;
    let parameters = bench.input(&scales).await?;
    let logits = bench.input(&values).await?;
    let d_logits = bench.input(&d_values).await?;
    let output = bench.output(3 * tasks * queries * ways).await?;
    let buffers = kernels::prototype_coefficients::Buffers {
        queries: query_buffer.all(),
        prototypes: prototypes.all(),
        parameters: parameters.all(),
        logits: logits.all(),
        d_logits: d_logits.all(),
        coefficients: output.all(),
    };
    bench.run(params, buffers, tasks * queries * ways)?;
    let mut expected = output.initial.clone();
    twin::prototype_coefficients(&reference, rows, &classes, &scales, &values, &d_values, &mut expected);
    // Quotients of products and sums of squares: nothing cancels.
    let tolerance = Tolerance::roundings(dimension + 16);
    bench.check(&format!("coefficients of {sizes:?}, metric {metric}"), &output, &expected, tolerance).await
}

async fn coefficients_shapes(gpu: &Gpu) -> Result<(), String> {
    for sizes in SHAPES {
        let rows = noise(1, (sizes[0] * sizes[1] * sizes[3]) as usize);
        for metric in [0, 1] {
            coefficients(gpu, sizes, metric, &rows).await?;
        }
    }
    Ok(())
}

async fn coefficients_zero(gpu: &Gpu) -> Result<(), String> {
    coefficients(gpu, [1, 2, 3, 5], 1, &[0.0; 10]).await
}

async fn backward_query(gpu: &Gpu) -> Result<(), String> {
    for sizes in SHAPES {
        let [tasks, queries, ways, dimension] = sizes;
        let (params, reference) = params!(prototype_backward_query PrototypeBackwardQueryParams {
            tasks: tasks,
            queries: queries,
            ways: ways,
            dimension: dimension,
        });
        let rows = noise(1, (tasks * queries * dimension) as usize);
        let classes = noise(2, (tasks * ways * dimension) as usize);
        let values = noise(3, (3 * tasks * queries * ways) as usize);
        let mut bench = Bench::new(gpu)?;
        let query_buffer = bench.input(&rows).await?;
        let prototypes = bench.input(&classes).await?;
        let coefficients = bench.input(&values).await?;
        let output = bench.output(tasks * queries * dimension).await?;
        let buffers = kernels::prototype_backward_query::Buffers {
            queries: query_buffer.all(),
            prototypes: prototypes.all(),
            coefficients: coefficients.all(),
            d_queries: output.all(),
        };
        bench.run(params, buffers, tasks * queries * dimension)?;
        let mut expected = output.initial.clone();
        twin::prototype_backward_query(&reference, &rows, &classes, &values, &mut expected);
        let tolerance = Tolerance::sum(2 * ways, 1.0);
        bench.check(&format!("d_queries of {sizes:?}"), &output, &expected, tolerance).await?;
    }
    Ok(())
}

async fn backward_fit(gpu: &Gpu) -> Result<(), String> {
    for sizes in SHAPES {
        let [tasks, queries, ways, dimension] = sizes;
        let (params, reference) = params!(prototype_backward_fit PrototypeBackwardFitParams {
            tasks: tasks,
            queries: queries,
            ways: ways,
            dimension: dimension,
        });
        let rows = noise(1, (tasks * queries * dimension) as usize);
        let classes = noise(2, (tasks * ways * dimension) as usize);
        let values = noise(3, (3 * tasks * queries * ways) as usize);
        let mut bench = Bench::new(gpu)?;
        let query_buffer = bench.input(&rows).await?;
        let prototypes = bench.input(&classes).await?;
        let coefficients = bench.input(&values).await?;
        let output = bench.updated(noise(4, (tasks * ways * dimension) as usize)).await?;
        let buffers = kernels::prototype_backward_fit::Buffers {
            queries: query_buffer.all(),
            prototypes: prototypes.all(),
            coefficients: coefficients.all(),
            d_prototypes: output.all(),
        };
        bench.run(params, buffers, tasks * ways * dimension)?;
        let mut expected = output.initial.clone();
        twin::prototype_backward_fit(&reference, &rows, &classes, &values, &mut expected);
        let tolerance = Tolerance::sum(2 * queries, 1.0);
        bench.check(&format!("d_prototypes of {sizes:?}"), &output, &expected, tolerance).await?;
    }
    Ok(())
}

/// `[tasks, queries, ways]`
async fn backward_scale(gpu: &Gpu, sizes: [u32; 3], parameter_stride: u32, gradient_stride: u32) -> Result<(), String> {
    let [tasks, queries, ways] = sizes;
    let (params, reference) = params!(prototype_backward_scale PrototypeBackwardScaleParams {
        tasks: tasks,
        queries: queries,
        ways: ways,
        scale_offset: SCALE_OFFSET,
        parameter_stride: parameter_stride,
        gradient_stride: gradient_stride,
    });
    let owners = if gradient_stride == 0 { 1 } else { tasks };
    let scales: Vec<f32> = noise(1, (tasks * STRIDE) as usize).iter().map(|scale| scale.abs() + 0.5).collect();
    let values = noise(2, (tasks * queries * ways) as usize);
    let d_values = noise(3, (tasks * queries * ways) as usize);
    let mut bench = Bench::new(gpu)?;
    let parameters = bench.input(&scales).await?;
    let logits = bench.input(&values).await?;
    let d_logits = bench.input(&d_values).await?;
    let output = bench.updated(noise(4, (owners * STRIDE) as usize)).await?;
    let buffers = kernels::prototype_backward_scale::Buffers {
        parameters: parameters.all(),
        logits: logits.all(),
        d_logits: d_logits.all(),
        gradient: output.all(),
    };
    bench.run(params, buffers, 64 * owners)?;
    let mut expected = wide(&output.initial);
    twin::prototype_backward_scale(&reference, &wide(&scales), &wide(&values), &wide(&d_values), &mut expected);
    // g l / s is at most 2.
    let tolerance = Tolerance::sum(tasks / owners * queries * ways, 2.0);
    let what = format!("gradient of {sizes:?}, strides {parameter_stride} and {gradient_stride}");
    bench.check_f64(&what, &output, &expected, tolerance).await
}

async fn backward_scale_shapes(gpu: &Gpu) -> Result<(), String> {
    for sizes in [[1, 1, 1], [3, 7, 5], [2, 71, 20], [67, 3, 2]] {
        for (parameter_stride, gradient_stride) in [(0, 0), (STRIDE, STRIDE), (STRIDE, 0)] {
            backward_scale(gpu, sizes, parameter_stride, gradient_stride).await?;
        }
    }
    Ok(())
}

async fn backward_scale_long(gpu: &Gpu) -> Result<(), String> {
    backward_scale(gpu, [2, 3_503, 20], 0, 0).await
}

async fn finish(gpu: &Gpu) -> Result<(), String> {
    for sizes in SHAPES {
        let [tasks, support, ways, dimension] = sizes;
        let (params, reference) = params!(prototype_finish PrototypeFinishParams {
            tasks: tasks,
            support: support,
            ways: ways,
            dimension: dimension,
        });
        let classes = integers(1, (tasks * support) as usize, ways);
        let members: Vec<f32> = integers(2, (tasks * ways) as usize, 9).iter().map(|&n| n as f32 + 1.0).collect();
        let values = noise(3, (tasks * ways * dimension) as usize);
        let mut bench = Bench::new(gpu)?;
        let labels = bench.input(&classes).await?;
        let counts = bench.input(&members).await?;
        let d_prototypes = bench.input(&values).await?;
        let output = bench.output(tasks * support * dimension).await?;
        let buffers = kernels::prototype_finish::Buffers {
            labels: labels.all(),
            counts: counts.all(),
            d_prototypes: d_prototypes.all(),
            rows: output.all(),
        };
        bench.run(params, buffers, tasks * support * dimension)?;
        let mut expected = output.initial.clone();
        twin::prototype_finish(&reference, &classes, &members, &values, &mut expected);
        bench.check(&format!("rows of {sizes:?}"), &output, &expected, Tolerance::roundings(4)).await?;
    }
    Ok(())
}
