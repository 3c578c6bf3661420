//! Kernels of the Cholesky factorisation by tiles.

use inkling_gpu::{Gpu, kernels};
use inkling_reference as twin;

use super::bench::{Bench, noise, wide};
use super::tolerance::Tolerance;
use super::{case_list, params};
use crate::Case;

pub fn cases() -> Vec<Case> {
    case_list![
        "cholesky_panel/shapes" => panel,
        "cholesky_panel/not_positive" => not_positive,
        "cholesky_panel/a_long_column" => long_panel,
        "cholesky_update/shapes" => update,
        "cholesky_solve/shapes" => solve,
        "cholesky_solve/a_long_loop" => long_solve,
    ]
}

const TILE: u32 = 32;

/// Symmetric matrices with ones on the diagonal; the rest of a row adds up to a half at most, so that
/// eigenvalues lie between 1/2 and 3/2.
fn matrices(count: u32, size: u32) -> Vec<f32> {
    let size = size as usize;
    let mut all = noise(7, count as usize * size * size);
    for matrix in all.chunks_mut(size * size) {
        for row in 0..size {
            for column in 0..=row {
                let value = matrix[row * size + column] / (2 * size) as f32;
                matrix[row * size + column] = value;
                matrix[column * size + row] = value;
            }
            matrix[row * size + row] = 1.0;
        }
    }
    all
}

/// Factors as such matrices have them, with poison above the diagonal.
fn factors(count: u32, size: u32) -> Vec<f32> {
    let mut all = matrices(count, size);
    for (at, value) in all.iter_mut().enumerate() {
        let (row, column) = (at as u32 / size % size, at as u32 % size);
        if column > row {
            *value = f32::NAN;
        }
    }
    all
}

/// Elements are below two, and sums of products of a condition below three: `terms` of size one
/// bound them, and substitution passes errors on without growth to speak of.
fn tolerance(terms: u32) -> Tolerance {
    Tolerance::sum(4 * terms + 16, 1.0)
}

/// `(tasks, systems, tiles)`
const SHAPES: [(u32, u32, u32); 4] = [(1, 1, 1), (2, 3, 1), (2, 1, 3), (1, 2, 4)];

async fn check_panel(gpu: &Gpu, (tasks, systems, tiles): (u32, u32, u32), first: u32) -> Result<(), String> {
    let size = TILE * tiles;
    let (state_stride, state_offset) = (systems + 2, 1);
    let (params, reference) = params!(cholesky_panel CholeskyPanelParams {
        tasks: tasks,
        systems: systems,
        size: size,
        first: first,
        state_stride: state_stride,
        state_offset: state_offset,
    });
    let mut verdicts = vec![if first == 0 { 7 } else { 0 }; (tasks * state_stride) as usize];
    let mut bench = Bench::new(gpu)?;
    let states = bench.input(&verdicts).await?;
    let matrix = bench.updated(matrices(tasks * systems, size)).await?;
    let buffers = kernels::cholesky_panel::Buffers { states: states.all(), matrix: matrix.all() };
    bench.run(params, buffers, tasks * systems * 64)?;
    let mut expected = wide(&matrix.initial);
    twin::cholesky_panel(&reference, &mut verdicts, &mut expected);
    let what = format!("{tasks} × {systems} × {size} from {first}");
    bench.check_integers(&format!("states of {what}"), &states, &verdicts).await?;
    bench.check_f64(&format!("panel of {what}"), &matrix, &expected, tolerance(TILE)).await
}

async fn panel(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES {
        for tile in [0, shape.2 - 1] {
            check_panel(gpu, shape, tile * TILE).await?;
        }
    }
    Ok(())
}

/// More rows than fit a pass of the workgroup by far.
async fn long_panel(gpu: &Gpu) -> Result<(), String> {
    check_panel(gpu, (1, 1, 64), 0).await
}

/// Pivots that are negative, zero, no number and infinite: the system is marked and no other.
async fn not_positive(gpu: &Gpu) -> Result<(), String> {
    let mut a = matrices(5, TILE);
    let elements = (TILE * TILE) as usize;
    for (system, value) in [(0, -1.0), (1, 0.0), (2, f32::NAN), (4, f32::INFINITY)] {
        // The last row keeps nothing from other columns, so that the pivot is this.
        for column in 0..TILE as usize {
            a[system * elements + 31 * 32 + column] = 0.0;
        }
        a[system * elements + 31 * 32 + 31] = value;
    }
    let mut bench = Bench::new(gpu)?;
    let states = bench.input(&[7_u32; 5]).await?;
    let matrix = bench.input(&a).await?;
    let params = |size, first| kernels::cholesky_panel::Params {
        tasks: 1,
        systems: 5,
        size,
        first,
        state_stride: 5,
        state_offset: 0,
    };
    let buffers = kernels::cholesky_panel::Buffers { states: states.all(), matrix: matrix.all() };
    bench.run(params(TILE, 0), buffers, 5 * 64)?;
    bench.check_integers("states", &states, &[1, 1, 1, 0, 1]).await?;
    // A launch on later columns leaves a mark as it is.
    let good = bench.input(&matrices(5, 2 * TILE)).await?;
    let buffers = kernels::cholesky_panel::Buffers { states: states.all(), matrix: good.all() };
    bench.run(params(2 * TILE, TILE), buffers, 5 * 64)?;
    bench.check_integers("states after more columns", &states, &[1, 1, 1, 0, 1]).await
}

async fn update(gpu: &Gpu) -> Result<(), String> {
    for (systems, tiles) in [(1, 2), (3, 3), (2, 5)] {
        for tile in 0..tiles - 1 {
            let (params, reference) = params!(cholesky_update CholeskyUpdateParams {
                systems: systems,
                size: TILE * tiles,
                first: TILE * tile,
            });
            let size = TILE * tiles;
            let mut bench = Bench::new(gpu)?;
            let matrix = bench.updated(noise(3, (systems * size * size) as usize)).await?;
            let buffers = kernels::cholesky_update::Buffers { matrix: matrix.all() };
            let behind = tiles - tile - 1;
            bench.run(params, buffers, systems * behind * behind * 64)?;
            let mut expected = matrix.initial.clone();
            twin::cholesky_update(&reference, &mut expected);
            let what = format!("{systems} × {size}, tile {tile}");
            bench.check(&what, &matrix, &expected, Tolerance::sum(TILE + 1, 1.0)).await?;
        }
    }
    Ok(())
}

async fn check_solve(gpu: &Gpu, [tasks, systems, sides, size]: [u32; 4]) -> Result<(), String> {
    let (offset, stride) = (5, 5 + systems * sides * size + 3);
    let (params, reference) = params!(cholesky_solve CholeskySolveParams {
        tasks: tasks,
        systems: systems,
        sides: sides,
        size: size,
        stride: stride,
        offset: offset,
    });
    let padded = size.next_multiple_of(TILE);
    let mut l = factors(tasks * systems, padded);
    for (at, value) in l.iter_mut().enumerate() {
        let (row, column) = (at as u32 / padded % padded, at as u32 % padded);
        if row >= size && column <= row {
            *value = if row == column { 1.0 } else { 0.0 };
        }
    }
    let mut bench = Bench::new(gpu)?;
    let factor = bench.input(&l).await?;
    let solution = bench.updated(noise(5, (tasks * stride) as usize)).await?;
    let buffers = kernels::cholesky_solve::Buffers { factor: factor.all(), solution: solution.all() };
    bench.run(params, buffers, tasks * systems * sides.div_ceil(8) * 64)?;
    let mut expected = wide(&solution.initial);
    twin::cholesky_solve(&reference, &wide(&l), &mut expected);
    let what = format!("{tasks} × {systems} × {sides} × {size}");
    bench.check_f64(&what, &solution, &expected, tolerance(size)).await
}

async fn solve(gpu: &Gpu) -> Result<(), String> {
    let shapes = [[1, 1, 1, 1], [2, 3, 5, 7], [1, 2, 8, 32], [2, 1, 9, 33], [1, 2, 17, 64], [1, 1, 3, 131]];
    for shape in shapes {
        check_solve(gpu, shape).await?;
    }
    Ok(())
}

/// The largest systems of the heads: a loop that lavapipe would stop must not go unnoticed.
async fn long_solve(gpu: &Gpu) -> Result<(), String> {
    check_solve(gpu, [1, 1, 2, 2_048]).await
}
