//! Kernels of quadratic bilevel tasks.

use inkling_gpu::{Gpu, kernels};
use inkling_reference as twin;

use super::bench::{Bench, integers, noise};
use super::tolerance::Tolerance;
use super::{case_list, params};
use crate::Case;

pub fn cases() -> Vec<Case> {
    case_list![
        "dense_product/shapes" => product,
        "dense_product/transposed" => transposed,
        "segment_mean/shapes" => mean,
        "segment_mean/without_rows" => without_rows,
    ]
}

/// `(tasks, rows, columns, padding of every stride)`.
const SHAPES: [(u32, u32, u32, u32); 5] = [(1, 1, 1, 0), (3, 16, 4, 0), (67, 5, 7, 3), (130, 1, 17, 1), (9, 70, 3, 2)];

/// Matrices, vectors and addends that tasks share in no order.
const NUMBERS: u32 = 3;

async fn check_product(gpu: &Gpu, shape: (u32, u32, u32, u32), is_transposed: bool) -> Result<(), String> {
    let (tasks, rows, columns, padding) = shape;
    let (row_stride, column_stride) = if is_transposed { (1, rows + padding) } else { (columns + padding, 1) };
    let matrix_stride = (rows + padding) * (columns + padding);
    let (params, reference) = params!(dense_product DenseProductParams {
        tasks: tasks,
        rows: rows,
        columns: columns,
        matrix_stride: matrix_stride,
        row_stride: row_stride,
        column_stride: column_stride,
        vector_stride: columns + padding,
        addend_stride: rows + 2 * padding,
        stride: rows + padding,
        scale: -0.75,
    });
    let a = noise(1, (NUMBERS * matrix_stride) as usize);
    let x = noise(2, (NUMBERS * (columns + padding)) as usize);
    let z = noise(3, (NUMBERS * (rows + 2 * padding)) as usize);
    let [m, v, w] = [4, 5, 6].map(|seed| integers(seed, tasks as usize, NUMBERS));
    let mut bench = Bench::new(gpu)?;
    let (matrices, vectors) = (bench.input(&a).await?, bench.input(&x).await?);
    let addends = bench.input(&z).await?;
    let (matrix_of, vector_of) = (bench.input(&m).await?, bench.input(&v).await?);
    let addend_of = bench.input(&w).await?;
    let product = bench.output(tasks * (rows + padding)).await?;
    let buffers = kernels::dense_product::Buffers {
        matrices: matrices.all(),
        matrix_of: matrix_of.all(),
        vectors: vectors.all(),
        vector_of: vector_of.all(),
        addends: addends.all(),
        addend_of: addend_of.all(),
        product: product.all(),
    };
    bench.run(params, buffers, tasks * rows)?;
    let mut expected = product.initial.clone();
    twin::dense_product(&reference, &a, &m, &x, &v, &z, &w, &mut expected);
    let what = format!("{tasks} of {rows} × {columns}, transposed {is_transposed}");
    bench.check(&what, &product, &expected, Tolerance::sum(columns + 1, 1.0)).await
}

async fn product(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES {
        check_product(gpu, shape, false).await?;
    }
    Ok(())
}

async fn transposed(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES {
        check_product(gpu, shape, true).await?;
    }
    Ok(())
}

async fn check_mean(gpu: &Gpu, counts: &[u32], length: u32, padding: u32) -> Result<(), String> {
    let mut firsts = vec![0];
    firsts.extend(counts.iter().scan(0, |end, count| {
        *end += count;
        Some(*end)
    }));
    let (segments, stride) = (counts.len() as u32, length + padding);
    let (params, reference) =
        params!(segment_mean SegmentMeanParams { segments: segments, length: length, stride: stride });
    let all: u32 = counts.iter().sum();
    let x = noise(1, (all.max(1) * stride) as usize);
    let mut bench = Bench::new(gpu)?;
    let (places, rows) = (bench.input(&firsts).await?, bench.input(&x).await?);
    let mean = bench.output(segments * stride).await?;
    let buffers = kernels::segment_mean::Buffers { firsts: places.all(), rows: rows.all(), mean: mean.all() };
    bench.run(params, buffers, segments * length)?;
    let mut expected = mean.initial.clone();
    twin::segment_mean(&reference, &firsts, &x, &mut expected);
    let most = counts.iter().copied().max().unwrap_or(0);
    // A sum of at most so many numbers below one, divided by their count at the end.
    bench.check(&format!("{counts:?} × {length}"), &mean, &expected, Tolerance::sum(most, 1.0)).await
}

async fn mean(gpu: &Gpu) -> Result<(), String> {
    check_mean(gpu, &[1], 1, 0).await?;
    check_mean(gpu, &[1, 2, 4, 8, 131], 4, 0).await?;
    check_mean(gpu, &[3; 41], 5, 3).await
}

async fn without_rows(gpu: &Gpu) -> Result<(), String> {
    check_mean(gpu, &[0], 3, 1).await?;
    check_mean(gpu, &[2, 0, 5, 0], 3, 1).await
}
