//! Twins of the Cholesky factorisation A = L Lᵀ by tiles, and of the solve with the factor.

use crate::{CholeskyPanelParams, CholeskySolveParams, CholeskyUpdateParams, Real};

/// Rows and columns of a tile.
const TILE: usize = 32;

/// The size of a system up to whole tiles.
pub(crate) fn whole_tiles(size: u32) -> u32 {
    size.next_multiple_of(TILE as u32)
}

/// A tile of finished columns, `[tasks, systems, size, size]`, in place of the lower triangle.
pub fn cholesky_panel<F: Real>(params: &CholeskyPanelParams, states: &mut [u32], matrix: &mut [F]) {
    let [systems, size, first] = [params.systems, params.size, params.first].map(|value| value as usize);
    for slot in 0..params.tasks as usize * systems {
        let a = &mut matrix[slot * size * size..(slot + 1) * size * size];
        let state = slot / systems * params.state_stride as usize + params.state_offset as usize + slot % systems;
        if first == 0 {
            states[state] = 0;
        }
        for k in first..first + TILE {
            for row in k..size {
                for m in first..k {
                    let product = a[row * size + m] * a[k * size + m];
                    a[row * size + k] -= product;
                }
            }
            let pivot = a[k * size + k];
            let positive = pivot > F::ZERO && pivot.as_f64().is_finite();
            if !positive {
                states[state] = 1;
            }
            let root = if positive { pivot.sqrt() } else { F::ONE };
            a[k * size + k] = root;
            (k + 1..size).for_each(|row| a[row * size + k] = a[row * size + k] / root);
        }
    }
}

/// Subtracts the products of a tile of finished columns from the tiles behind it.
pub fn cholesky_update<F: Real>(params: &CholeskyUpdateParams, matrix: &mut [F]) {
    let [size, first] = [params.size, params.first].map(|value| value as usize);
    for slot in 0..params.systems as usize {
        let a = &mut matrix[slot * size * size..(slot + 1) * size * size];
        for row in first + TILE..size {
            for column in first + TILE..(row / TILE + 1) * TILE {
                let products = (first..first + TILE).map(|k| a[row * size + k] * a[column * size + k]);
                let sum = products.fold(F::ZERO, |sum, product| sum + product);
                a[row * size + column] -= sum;
            }
        }
    }
}

/// Solves L Lᵀ x = b in place for `sides` right-hand sides of each system.
pub fn cholesky_solve<F: Real>(params: &CholeskySolveParams, factor: &[F], solution: &mut [F]) {
    let (systems, sides, size) = (params.systems as usize, params.sides as usize, params.size as usize);
    let padded = whole_tiles(params.size) as usize;
    for slot in 0..params.tasks as usize * systems {
        let l = |row: usize, column: usize| factor[(slot * padded + row) * padded + column];
        let first = slot / systems * params.stride as usize + params.offset as usize;
        for side in 0..sides {
            let at = first + (slot % systems * sides + side) * size;
            let x = &mut solution[at..at + size];
            for j in 0..size {
                let sum = (0..j).fold(x[j], |sum, k| sum - l(j, k) * x[k]);
                x[j] = sum / l(j, j);
            }
            for j in (0..size).rev() {
                let sum = (j + 1..size).fold(x[j], |sum, k| sum - l(k, j) * x[k]);
                x[j] = sum / l(j, j);
            }
        }
    }
}
