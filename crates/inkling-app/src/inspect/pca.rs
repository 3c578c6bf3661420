//! Principal components of a few hundred embeddings, by power iteration on the host: on the matrix
//! of inner products, which is as large as the episode and not as the embedding.

/// Points in the plane of the two directions of largest variance.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Projection {
    /// One point for each row.
    pub(crate) points: Vec<[f64; 2]>,
    /// The share of the variance along each of the two directions, `0..=1`.
    pub(crate) shares: [f64; 2],
}

const MOST_ITERATIONS: usize = 500;
/// Directions that turn by less than this between two iterations have settled.
const SETTLED: f64 = 1e-10;

/// Projects rows of equal length; what is not finite counts as zero, and no rows give no points.
pub(crate) fn project(rows: &[&[f32]]) -> Projection {
    let products = centered_products(rows);
    let count = rows.len();
    let total: f64 = (0..count).map(|index| at(&products, count, index, index)).sum();
    let mut points = vec![[0.0; 2]; count];
    let mut shares = [0.0; 2];
    let mut found: Vec<Vec<f64>> = Vec::new();
    for (axis, share) in shares.iter_mut().enumerate() {
        let (value, vector) = largest(&products, count, &found);
        if total <= 0.0 || value <= total * 1e-12 {
            break;
        }
        *share = (value / total).min(1.0);
        for (point, component) in points.iter_mut().zip(&vector) {
            if let Some(place) = point.get_mut(axis) {
                *place = component * value.sqrt();
            }
        }
        found.push(vector);
    }
    Projection { points, shares }
}

/// Inner products of the rows about their mean, `[rows, rows]`.
fn centered_products(rows: &[&[f32]]) -> Vec<f64> {
    let width = rows.iter().map(|row| row.len()).min().unwrap_or(0);
    let value =
        |row: &[f32], column: usize| row.get(column).copied().filter(|value| value.is_finite()).map_or(0.0, f64::from);
    let mean: Vec<f64> = (0..width)
        .map(|column| rows.iter().map(|row| value(row, column)).sum::<f64>() / rows.len().max(1) as f64)
        .collect();
    let centered: Vec<Vec<f64>> = rows
        .iter()
        .map(|row| mean.iter().enumerate().map(|(column, mean)| value(row, column) - mean).collect())
        .collect();
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum();
    centered.iter().flat_map(|a| centered.iter().map(move |b| product(a, b))).collect()
}

fn at(matrix: &[f64], count: usize, row: usize, column: usize) -> f64 {
    matrix.get(row * count + column).copied().unwrap_or(0.0)
}

/// The largest eigenvalue and its vector of unit length, at right angles to those that were found.
fn largest(matrix: &[f64], count: usize, found: &[Vec<f64>]) -> (f64, Vec<f64>) {
    // Any start does that has a part in every direction; this one is the same in every run.
    let mut vector: Vec<f64> = (0..count).map(|index| 1.0 + ((index * 7919 + 13) % 101) as f64 / 101.0).collect();
    let mut value = 0.0;
    straighten(&mut vector, found);
    for _ in 0..MOST_ITERATIONS {
        let mut next: Vec<f64> =
            matrix.chunks_exact(count.max(1)).map(|row| row.iter().zip(&vector).map(|(a, b)| a * b).sum()).collect();
        value = straighten(&mut next, found);
        if value == 0.0 {
            break;
        }
        let turned: f64 = next.iter().zip(&vector).map(|(a, b)| (a - b).powi(2)).sum();
        vector = next;
        if turned < SETTLED * SETTLED {
            break;
        }
    }
    (value, vector)
}

/// Takes away the parts along `found` and scales to unit length. Returns the length before.
fn straighten(vector: &mut [f64], found: &[Vec<f64>]) -> f64 {
    for other in found {
        let along: f64 = vector.iter().zip(other).map(|(a, b)| a * b).sum();
        vector.iter_mut().zip(other).for_each(|(a, b)| *a -= along * b);
    }
    let length = vector.iter().map(|value| value * value).sum::<f64>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|value| *value /= length);
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_of_a_plane_keep_their_distances() {
        // A plane in five dimensions, off the origin: its two axes are at right angles.
        let row = |a: f32, b: f32| [3.0 + a, 1.0, a, 2.0 * b, -b];
        let flat: Vec<(f32, f32)> = (0..12).map(|i| ((i * 5 % 12) as f32 - 4.0, (i % 3) as f32)).collect();
        let rows: Vec<[f32; 5]> = flat.iter().map(|&(a, b)| row(a, b)).collect();
        let rows: Vec<&[f32]> = rows.iter().map(|row| &row[..]).collect();
        let projection = project(&rows);
        for i in 0..rows.len() {
            for j in 0..i {
                let truth: f64 = rows[i].iter().zip(rows[j]).map(|(a, b)| f64::from(a - b).powi(2)).sum();
                let [a, b] = [projection.points[i], projection.points[j]];
                let seen = (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2);
                // Exact up to where the iteration stops.
                assert!((truth - seen).abs() < 1e-6 * truth.max(1.0), "{i} {j}: {truth} {seen}");
            }
        }
        assert!((projection.shares[0] + projection.shares[1] - 1.0).abs() < 1e-9);
        assert!(projection.shares[0] >= projection.shares[1]);
    }

    #[test]
    fn nothing_and_equal_rows_have_no_directions() {
        assert_eq!(project(&[]), Projection::default());
        let rows: [&[f32]; 3] = [&[1.0, 2.0], &[1.0, 2.0], &[1.0, 2.0]];
        assert_eq!(project(&rows), Projection { points: vec![[0.0; 2]; 3], shares: [0.0; 2] });
        let odd: [&[f32]; 2] = [&[f32::NAN, 1.0, 5.0], &[0.0, 2.0]];
        let projection = project(&odd);
        assert!(projection.points.iter().flatten().all(|value| value.is_finite()));
        assert!((projection.shares[0] - 1.0).abs() < 1e-9);
    }
}
