//! The prototype head, forward.

use inkling_gpu::{Gpu, kernels};
use inkling_reference as twin;

use super::bench::{Bench, integers, noise};
use super::tolerance::Tolerance;
use super::{case_list, params};
use crate::Case;

pub fn cases() -> Vec<Case> {
    case_list![
        "prototype_fit/shapes" => fit,
        "prototype_logits/euclidean" => euclidean,
        "prototype_logits/cosine" => cosine,
    ]
}

/// `[tasks, support or queries, ways, dimension]`
pub const SHAPES: [[u32; 4]; 5] = [[1, 1, 1, 1], [2, 7, 3, 5], [3, 5, 5, 67], [1, 100, 20, 64], [2, 13, 2, 129]];

/// Where the scale of the cosine lies, and from one task's to the next.
pub const SCALE_OFFSET: u32 = 2;
pub const STRIDE: u32 = 5;

async fn fit(gpu: &Gpu) -> Result<(), String> {
    for sizes in SHAPES {
        let [tasks, support, ways, dimension] = sizes;
        let (params, reference) = params!(prototype_fit PrototypeFitParams {
            tasks: tasks,
            support: support,
            ways: ways,
            dimension: dimension,
        });
        let values = noise(1, (tasks * support * dimension) as usize);
        // At random, so that some classes have no support.
        let classes = integers(2, (tasks * support) as usize, ways);
        let mut bench = Bench::new(gpu)?;
        let embeddings = bench.input(&values).await?;
        let labels = bench.input(&classes).await?;
        let prototypes = bench.output(tasks * ways * dimension).await?;
        let counts = bench.output(tasks * ways).await?;
        let buffers = kernels::prototype_fit::Buffers {
            embeddings: embeddings.all(),
            labels: labels.all(),
            prototypes: prototypes.all(),
            counts: counts.all(),
        };
        bench.run(params, buffers, tasks * ways * dimension)?;
        let mut expected = prototypes.initial.clone();
        let mut expected_counts = counts.initial.clone();
        twin::prototype_fit(&reference, &values, &classes, &mut expected, &mut expected_counts);
        // A mean of numbers up to one: less than their sum.
        let tolerance = Tolerance::sum(support, 1.0);
        bench.check(&format!("prototypes of {sizes:?}"), &prototypes, &expected, tolerance).await?;
        bench.check(&format!("counts of {sizes:?}"), &counts, &expected_counts, Tolerance::EXACT).await?;
    }
    Ok(())
}

async fn logits(gpu: &Gpu, sizes: [u32; 4], metric: u32, tolerance: Tolerance) -> Result<(), String> {
    let [tasks, queries, ways, dimension] = sizes;
    for parameter_stride in [0, STRIDE] {
        let (params, reference) = params!(prototype_logits PrototypeLogitsParams {
            tasks: tasks,
            queries: queries,
            ways: ways,
            dimension: dimension,
            metric: metric,
            scale_offset: SCALE_OFFSET,
            parameter_stride: parameter_stride,
        });
        let rows = noise(1, (tasks * queries * dimension) as usize);
        let classes = noise(2, (tasks * ways * dimension) as usize);
        let scales = noise(3, (tasks * STRIDE) as usize);
        let mut bench = Bench::new(gpu)?;
        let query_buffer = bench.input(&rows).await?;
        let prototypes = bench.input(&classes).await?;
        let parameters = bench.input(&scales).await?;
        let output = bench.output(tasks * queries * ways).await?;
        let buffers = kernels::prototype_logits::Buffers {
            queries: query_buffer.all(),
            prototypes: prototypes.all(),
            parameters: parameters.all(),
            logits: output.all(),
        };
        bench.run(params, buffers, tasks * queries * ways)?;
        let mut expected = output.initial.clone();
        twin::prototype_logits(&reference, &rows, &classes, &scales, &mut expected);
        let what = format!("logits of {sizes:?}, metric {metric}, stride {parameter_stride}");
        bench.check(&what, &output, &expected, tolerance).await?;
    }
    Ok(())
}

async fn euclidean(gpu: &Gpu) -> Result<(), String> {
    for sizes in SHAPES {
        // A sum of squares.
        logits(gpu, sizes, 0, Tolerance::chain(sizes[3], 0.0)).await?;
    }
    Ok(())
}

async fn cosine(gpu: &Gpu) -> Result<(), String> {
    for sizes in SHAPES {
        // Any order of a dot product of d terms errs by at most d ε |e| |μ|; the scale is at most 1.
        logits(gpu, sizes, 1, Tolerance::cancelling(sizes[3] + 8, 1.0)).await?;
    }
    Ok(())
}
