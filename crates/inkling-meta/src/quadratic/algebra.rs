//! Dense algebra in f64 for a handful of unknowns. Matrices are lists of rows.

/// A matrix as the list of its rows.
pub(super) type Matrix = Vec<Vec<f64>>;

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

pub(super) fn product(matrix: &[Vec<f64>], vector: &[f64]) -> Vec<f64> {
    matrix.iter().map(|row| dot(row, vector)).collect()
}

pub(super) fn transposed(matrix: &[Vec<f64>]) -> Matrix {
    let columns = matrix.first().map_or(0, Vec::len);
    (0..columns).map(|column| matrix.iter().filter_map(|row| row.get(column).copied()).collect()).collect()
}

/// `a · bᵀ`.
pub(super) fn outer_products(a: &[Vec<f64>], b: &[Vec<f64>]) -> Matrix {
    a.iter().map(|row| product(b, row)).collect()
}

/// `sum += factor · matrix`.
pub(super) fn add(sum: &mut [Vec<f64>], factor: f64, matrix: &[Vec<f64>]) {
    for (sum, row) in sum.iter_mut().zip(matrix) {
        add_vector(sum, factor, row);
    }
}

/// `sum += factor · vector`.
pub(super) fn add_vector(sum: &mut [f64], factor: f64, vector: &[f64]) {
    for (sum, value) in sum.iter_mut().zip(vector) {
        *sum += factor * value;
    }
}

pub(super) fn zeros(rows: usize, columns: usize) -> Matrix {
    vec![vec![0.0; columns]; rows]
}

/// `value` times the identity.
pub(super) fn scaled_identity(size: usize, value: f64) -> Matrix {
    (0..size).map(|row| (0..size).map(|column| if row == column { value } else { 0.0 }).collect()).collect()
}

/// The solution X of A X = B for a symmetric positive definite A; B and X by rows. Elimination
/// without pivoting is stable for such matrices.
pub(super) fn solve(matrix: &[Vec<f64>], right_hand_sides: &[Vec<f64>]) -> Matrix {
    let size = matrix.len();
    let mut left = matrix.to_vec();
    let mut right = right_hand_sides.to_vec();
    for pivot in 0..size {
        let (pivot_left, pivot_right) = (left[pivot].clone(), right[pivot].clone());
        for row in 0..size {
            if row == pivot {
                continue;
            }
            let factor = -left[row][pivot] / pivot_left[pivot];
            add_vector(&mut left[row], factor, &pivot_left);
            add_vector(&mut right[row], factor, &pivot_right);
        }
    }
    for (row, (left, right)) in left.iter().zip(&mut right).enumerate() {
        right.iter_mut().for_each(|value| *value /= left[row]);
    }
    right
}

/// Orthonormal rows from rows in general position: Gram–Schmidt, twice against its rounding.
pub(super) fn orthonormal(mut rows: Matrix) -> Matrix {
    for row in 0..rows.len() {
        let (done, rest) = rows.split_at_mut(row);
        let Some(current) = rest.first_mut() else { continue };
        for _ in 0..2 {
            for other in &*done {
                let along = dot(current, other);
                add_vector(current, -along, other);
            }
        }
        let norm = dot(current, current).sqrt();
        current.iter_mut().for_each(|value| *value /= norm);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_solution_solves() {
        let a = vec![vec![4.0, 1.0, -2.0], vec![1.0, 3.0, 0.5], vec![-2.0, 0.5, 5.0]];
        let x = vec![vec![1.0, -1.0], vec![2.0, 0.25], vec![-3.0, 4.0]];
        let b = outer_products(&a, &transposed(&x));
        for (found, row) in solve(&a, &b).iter().flatten().zip(x.iter().flatten()) {
            assert!((found - row).abs() < 1e-13, "{found} for {row}");
        }
    }

    #[test]
    fn rows_become_orthonormal() {
        let rows = orthonormal(vec![vec![1.0, 2.0, 3.0], vec![1.0, 2.0, 3.1], vec![-1.0, 0.0, 2.0]]);
        for (i, a) in rows.iter().enumerate() {
            for (j, b) in rows.iter().enumerate() {
                assert!((dot(a, b) - f64::from(u8::from(i == j))).abs() < 1e-13);
            }
        }
    }
}
