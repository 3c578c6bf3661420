//! A finite list of quadratic bilevel tasks, drawn from a seed, with everything about them that is
//! known in closed form.

use inkling_data::Numbers;

use super::algebra::{
    Matrix, add, add_vector, dot, orthonormal, outer_products, product, scaled_identity, solve, transposed, zeros,
};
use crate::MetaError;

/// Rounds of the fixed-point iteration for the error floor; it contracts like the outer steps.
const FLOOR_ROUNDS: u32 = 2_000;

/// How a family is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FamilySettings {
    /// Tasks M.
    pub tasks: u32,
    /// Unknowns of the lower variable w.
    pub lower: u32,
    /// Unknowns of the upper variable x.
    pub upper: u32,
    /// The condition of every lower-level Hessian A_i; its eigenvalues are spread evenly from one on.
    pub condition: f64,
    /// μ, the ridge on x.
    pub ridge: f64,
    /// Draws the tasks.
    pub seed: u64,
}

impl Default for FamilySettings {
    fn default() -> Self {
        Self { tasks: 16, lower: 16, upper: 4, condition: 4.0, ridge: 0.5, seed: 0 }
    }
}

/// Tasks i = 1..M with
///
/// lower level `g_i(x, w) = ½ wᵀA_i w − wᵀ(B_i x + c_i)`, upper level `f_i(x, w) = ½‖w‖² + (μ/2)‖x‖²`
///
/// (a target other than zero for w is a shift of c_i). With w* = A_i⁻¹(B_i x + c_i) the hypergradient
/// is ∇F_i = B_iᵀA_i⁻¹w* + μx = P_i x − q_i; F is the mean of all F_i.
#[derive(Clone, Debug)]
pub struct QuadraticFamily {
    settings: FamilySettings,
    matrices: Vec<f32>,
    couplings: Vec<f32>,
    offsets: Vec<f32>,
    tasks: Vec<ClosedForm>,
}

/// P_i and q_i.
#[derive(Clone, Debug)]
struct ClosedForm {
    curvature: Matrix,
    constant: Vec<f64>,
}

impl QuadraticFamily {
    /// Draws a family. What is known in closed form is that of the tasks as rounded to f32.
    ///
    /// # Errors
    /// [`MetaError::Config`] for a family of no tasks or unknowns, a condition below one or a
    /// negative ridge.
    pub fn new(settings: FamilySettings) -> Result<Self, MetaError> {
        let FamilySettings { tasks, lower, upper, condition, ridge, seed } = settings;
        if tasks == 0 || lower == 0 || upper == 0 {
            let sizes = format!("{tasks} tasks of {lower} and {upper}");
            return Err(MetaError::config(
                "family",
                sizes,
                "a family needs tasks and unknowns: use at least one of each",
            ));
        }
        if !(condition >= 1.0 && condition.is_finite()) {
            return Err(MetaError::config("family.condition", condition, "a condition is a finite number from one on"));
        }
        if !(ridge >= 0.0 && ridge.is_finite()) {
            return Err(MetaError::config("family.ridge", ridge, "the ridge is a finite number from zero on"));
        }
        let (n, p) = (lower as usize, upper as usize);
        let mut family = Self { settings, matrices: vec![], couplings: vec![], offsets: vec![], tasks: vec![] };
        // What the couplings of all tasks have in common.
        let common = noise(seed, u64::MAX, n, p);
        for task in 0..u64::from(tasks) {
            let matrix = rotated(orthonormal(noise(seed, 4 * task, n, n)), condition);
            let mut coupling = common.clone();
            add(&mut coupling, 1.0, &noise(seed, 4 * task + 1, n, p));
            coupling.iter_mut().flatten().for_each(|value| *value /= (n as f64).sqrt());
            // The target's shift included: c − A t.
            let drawn = noise(seed, 4 * task + 2, 2, n);
            let mut offset = drawn[0].clone();
            add_vector(&mut offset, -1.0, &product(&matrix, &drawn[1]));
            let (matrix, coupling) = (rounded(matrix), rounded(coupling));
            let offset = rounded(vec![offset]);
            let append = |to: &mut Vec<f32>, rows: &Matrix| to.extend(rows.iter().flatten().map(|&value| value as f32));
            append(&mut family.matrices, &matrix);
            append(&mut family.couplings, &coupling);
            append(&mut family.offsets, &offset);
            family.tasks.push(ClosedForm::new(&matrix, &coupling, &offset, ridge));
        }
        Ok(family)
    }

    /// How it was drawn.
    pub fn settings(&self) -> FamilySettings {
        self.settings
    }

    /// A_i, `[tasks, lower, lower]`.
    pub(super) fn matrices(&self) -> &[f32] {
        &self.matrices
    }

    /// B_i, `[tasks, lower, upper]`.
    pub(super) fn couplings(&self) -> &[f32] {
        &self.couplings
    }

    /// c_i, `[tasks, lower]`.
    pub(super) fn offsets(&self) -> &[f32] {
        &self.offsets
    }

    /// The inner learning rate of the fastest gradient descent: 2 / (smallest + largest eigenvalue).
    pub fn inner_rate(&self) -> f32 {
        (2.0 / (1.0 + self.settings.condition)) as f32
    }

    /// Mean of ∇F_i at x over these tasks, which may repeat; unknown numbers are left out.
    pub fn batch_hypergradient(&self, tasks: &[u32], x: &[f64]) -> Vec<f64> {
        let mut sum = vec![0.0; self.settings.upper as usize];
        for task in tasks.iter().filter_map(|&task| self.tasks.get(task as usize)) {
            add_vector(&mut sum, 1.0 / tasks.len() as f64, &task.hypergradient(x));
        }
        sum
    }

    /// ∇F at x.
    pub fn hypergradient(&self, x: &[f64]) -> Vec<f64> {
        let all: Vec<u32> = (0..self.settings.tasks).collect();
        self.batch_hypergradient(&all, x)
    }

    /// ‖∇F‖² at x.
    pub fn squared_norm(&self, x: &[f64]) -> f64 {
        let hypergradient = self.hypergradient(x);
        dot(&hypergradient, &hypergradient)
    }

    /// The x at which ∇F = 0.
    pub fn stationary_point(&self) -> Vec<f64> {
        let constant: Matrix = self.mean(|task| vec![task.constant.clone()]);
        transposed(&solve(&self.mean(|task| task.curvature.clone()), &transposed(&constant))).concat()
    }

    /// E‖∇F‖² of stochastic gradient descent with a constant outer rate β and exact hypergradients,
    /// averaged over `batch` tasks drawn with replacement, after infinitely many steps.
    ///
    /// C = E(x − x*)(x − x*)ᵀ is the fixed point of
    /// C ↦ (I − βP) C (I − βP) + β²/|B| · mean_i [(P_i − P) C (P_i − P) + z_i z_iᵀ], z_i = ∇F_i(x*),
    /// and E‖∇F‖² = tr(P C P).
    pub fn predicted_floor(&self, outer_rate: f64, batch: u32) -> f64 {
        let (p, count) = (self.settings.upper as usize, f64::from(self.settings.tasks));
        let noise = outer_rate * outer_rate / f64::from(batch.max(1)) / count;
        let curvature = self.mean(|task| task.curvature.clone());
        let stationary = self.stationary_point();
        let mut contraction = scaled_identity(p, 1.0);
        add(&mut contraction, -outer_rate, &curvature);
        let mut source = zeros(p, p);
        let mut deviations = Vec::new();
        for task in &self.tasks {
            let column: Matrix = task.hypergradient(&stationary).iter().map(|&value| vec![value]).collect();
            add(&mut source, noise, &outer_products(&column, &column));
            let mut deviation = task.curvature.clone();
            add(&mut deviation, -1.0, &curvature);
            deviations.push(deviation);
        }
        // All matrices are symmetric, so that D C D = D (D C)ᵀ.
        let both = |d: &Matrix, c: &Matrix| outer_products(d, &outer_products(d, c));
        let mut covariance = zeros(p, p);
        for _ in 0..FLOOR_ROUNDS {
            let mut next = both(&contraction, &covariance);
            add(&mut next, 1.0, &source);
            for deviation in &deviations {
                add(&mut next, noise, &both(deviation, &covariance));
            }
            let is_fixed = next == covariance;
            covariance = next;
            if is_fixed {
                break;
            }
        }
        both(&curvature, &covariance).iter().enumerate().filter_map(|(place, row)| row.get(place)).sum()
    }

    fn mean(&self, of: impl Fn(&ClosedForm) -> Matrix) -> Matrix {
        let mut terms = self.tasks.iter().map(of);
        let mut sum = terms.next().unwrap_or_default();
        terms.for_each(|term| add(&mut sum, 1.0, &term));
        sum.iter_mut().flatten().for_each(|value| *value /= f64::from(self.settings.tasks));
        sum
    }
}

impl ClosedForm {
    fn new(matrix: &[Vec<f64>], coupling: &[Vec<f64>], offset: &[Vec<f64>], ridge: f64) -> Self {
        // w* = slope · x + start
        let slope = transposed(&solve(matrix, coupling));
        let start = transposed(&solve(matrix, &transposed(offset))).concat();
        let mut curvature = outer_products(&slope, &slope);
        add(&mut curvature, ridge, &scaled_identity(slope.len(), 1.0));
        let constant = product(&slope, &start).iter().map(|value| -value).collect();
        Self { curvature, constant }
    }

    fn hypergradient(&self, x: &[f64]) -> Vec<f64> {
        product(&self.curvature, x).iter().zip(&self.constant).map(|(px, q)| px - q).collect()
    }
}

/// Uniform numbers of variance one.
fn noise(seed: u64, stream: u64, rows: usize, columns: usize) -> Matrix {
    let mut numbers = Numbers::new(b"quadrati", seed, 0, stream);
    let mut draw = |_| (2.0 * numbers.unit() - 1.0) * 3.0_f64.sqrt();
    (0..rows).map(|_| (0..columns).map(&mut draw).collect()).collect()
}

/// Qᵀ Λ Q with eigenvalues evenly spread from one to `condition`; exactly symmetric.
fn rotated(basis: Matrix, condition: f64) -> Matrix {
    let (columns, steps) = (transposed(&basis), (basis.len().max(2) - 1) as f64);
    let eigenvalues = (0..basis.len()).map(|place| 1.0 + (condition - 1.0) * place as f64 / steps);
    let scaled: Matrix =
        eigenvalues.zip(&basis).map(|(eigenvalue, row)| row.iter().map(|value| eigenvalue * value).collect()).collect();
    let matrix = outer_products(&columns, &transposed(&scaled));
    let of_pair = |row: usize, column: usize| matrix[row.min(column)][row.max(column)];
    (0..matrix.len()).map(|row| (0..matrix.len()).map(|column| of_pair(row, column)).collect()).collect()
}

/// The nearest numbers of f32.
fn rounded(matrix: Matrix) -> Matrix {
    matrix.into_iter().map(|row| row.into_iter().map(|value| f64::from(value as f32)).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn family() -> QuadraticFamily {
        QuadraticFamily::new(FamilySettings { tasks: 5, lower: 6, upper: 3, seed: 7, ..FamilySettings::default() })
            .unwrap()
    }

    /// F from its definition: the lower level by many steps of gradient descent on the f32 arrays.
    fn objective(family: &QuadraticFamily, x: &[f64]) -> f64 {
        let FamilySettings { lower, upper, condition, ridge, .. } = family.settings();
        let (n, p) = (lower as usize, upper as usize);
        let wide = |row: &[f32]| row.iter().map(|&value| f64::from(value)).collect::<Vec<_>>();
        let tasks =
            family.matrices().chunks(n * n).zip(family.couplings().chunks(n * p)).zip(family.offsets().chunks(n));
        let values = tasks.map(|((a, b), c)| {
            let a: Matrix = a.chunks(n).map(wide).collect();
            let b: Matrix = b.chunks(p).map(wide).collect();
            let mut right = wide(c);
            add_vector(&mut right, 1.0, &product(&b, x));
            let mut w = vec![0.0; n];
            for _ in 0..400 {
                let mut gradient = product(&a, &w);
                add_vector(&mut gradient, -1.0, &right);
                add_vector(&mut w, -2.0 / (1.0 + condition), &gradient);
            }
            0.5 * dot(&w, &w) + 0.5 * ridge * dot(x, x)
        });
        values.sum::<f64>() / f64::from(family.settings().tasks)
    }

    #[test]
    fn the_closed_form_is_the_derivative_of_the_objective() {
        let (family, x, h) = (family(), [0.7, -1.3, 0.4], 1e-4);
        for (place, expected) in family.hypergradient(&x).into_iter().enumerate() {
            let at = |step: f64| {
                let mut x = x;
                x[place] += step;
                objective(&family, &x)
            };
            // A quadratic: central differences are exact but for rounding, some 1e-15 / h.
            let found = (at(h) - at(-h)) / (2.0 * h);
            assert!((found - expected).abs() < 1e-9 * (1.0 + expected.abs()), "{found} for {expected}");
        }
        let stationary = family.stationary_point();
        assert!(family.squared_norm(&stationary) < 1e-26);
    }

    #[test]
    fn the_predicted_floor_is_what_descent_in_f64_shows() {
        let (family, rate) = (family(), 0.2);
        let mut numbers = Numbers::new(b"floortst", 1, 0, 0);
        let (mut x, mut sum) = (vec![0.0; 3], 0.0);
        let steps = 40_000;
        for step in 0..steps {
            let batch = [numbers.below(5), numbers.below(5)];
            let h = family.batch_hypergradient(&batch, &x);
            add_vector(&mut x, -rate, &h);
            sum += if step >= steps / 10 { family.squared_norm(&x) } else { 0.0 };
        }
        let ratio = sum / (0.9 * f64::from(steps)) / family.predicted_floor(rate, 2);
        // Some 36,000 steps, of which 1 / (2 · 0.2) or so are independent of each other.
        assert!((ratio - 1.0).abs() < 0.05, "ratio {ratio}");
    }

    #[test]
    fn what_is_no_family_is_an_error() {
        let settings = FamilySettings::default();
        for wrong in [
            FamilySettings { tasks: 0, ..settings },
            FamilySettings { upper: 0, ..settings },
            FamilySettings { condition: 0.5, ..settings },
            FamilySettings { condition: f64::NAN, ..settings },
            FamilySettings { ridge: -1.0, ..settings },
        ] {
            assert!(QuadraticFamily::new(wrong).is_err(), "{wrong:?}");
        }
    }
}
