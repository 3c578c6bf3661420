//! A linear system of a matrix that is diagonal plus low rank, solved on the device and, by the same
//! algorithm, in f64 on the host: how well conjugate gradient does in f32.

use inkling_data::Numbers;
use inkling_gpu::{Allocate, Category, Gpu, GpuError};

use super::{CgSettings, CgStart, ConjugateGradient, DiagonalLowRank, SolveReport, System, VectorShape};

/// H = D + VᵀV and b, with the numbers that the device gets.
#[derive(Clone, Debug)]
pub struct LowRankSystem {
    rank: u32,
    diagonal: Vec<f32>,
    factors: Vec<f32>,
    right_hand_side: Vec<f32>,
}

impl LowRankSystem {
    /// Draws a system of about this condition: the eigenvalues of D are spread evenly on a
    /// logarithmic scale from one to `condition` / 2; the `rank` rows of V have a squared norm of
    /// `condition` / 2 and random directions.
    pub fn new(seed: u64, length: u32, rank: u32, condition: f64) -> Self {
        let mut numbers = Numbers::new(b"lowrank_", seed, 0, 0);
        let mut noise = |count: u64, size: f64| -> Vec<f32> {
            (0..count).map(|_| (size * (2.0 * numbers.unit() - 1.0)) as f32).collect()
        };
        let last = f64::from(length.max(2) - 1);
        let diagonal = (0..length).map(|place| libm::pow(0.5 * condition, f64::from(place) / last) as f32).collect();
        // Uniform numbers have a variance of a third.
        let size = (1.5 * condition / f64::from(length.max(1))).sqrt();
        let factors = noise(u64::from(rank) * u64::from(length), size);
        Self { rank, diagonal, factors, right_hand_side: noise(length.into(), 1.0) }
    }

    /// Steps of conjugate gradient in f64 until the recursive residual is at most `tolerance`, or
    /// `max_iterations`.
    pub fn iterations_in_f64(&self, tolerance: f64, max_iterations: u32) -> u32 {
        let mut residual: Vec<f64> = self.right_hand_side.iter().map(|&b| b.into()).collect();
        let mut direction = residual.clone();
        let mut squares = dot(&residual, &residual);
        let enough = tolerance * tolerance * squares;
        for iteration in 0..max_iterations {
            if squares <= enough {
                return iteration;
            }
            let product = self.product(&direction);
            let alpha = squares / dot(&direction, &product);
            residual.iter_mut().zip(&product).for_each(|(residual, product)| *residual -= alpha * product);
            let next = dot(&residual, &residual);
            let beta = next / squares;
            direction.iter_mut().zip(&residual).for_each(|(p, residual)| *p = residual + beta * *p);
            squares = next;
        }
        max_iterations
    }

    /// Solves on the device, from zero and without a preconditioner; gives what became of it and the
    /// true residual ‖b − Hx‖ / ‖b‖ in f64.
    ///
    /// # Errors
    /// Device errors.
    pub async fn solve(&self, gpu: &Gpu, settings: CgSettings) -> Result<(SolveReport, f64), GpuError> {
        let length = self.diagonal.len() as u32;
        let shape = VectorShape { tasks: 1, length, stride: length };
        let mut gpu = gpu.clone();
        let operator = DiagonalLowRank::allocate(&mut gpu, shape, self.rank)?;
        let solver = ConjugateGradient::allocate(&mut gpu, Category::Workspace, "low_rank.cg", settings, shape)?;
        let right_hand_side = gpu.values(Category::Workspace, "low_rank.b", shape.elements())?;
        let solution = gpu.values(Category::Workspace, "low_rank.x", shape.elements())?;
        let mut recorder = gpu.recorder()?;
        recorder.upload_values(operator.diagonal.all(), &self.diagonal).await?;
        recorder.upload_values(operator.factors.all(), &self.factors).await?;
        recorder.upload_values(right_hand_side.all(), &self.right_hand_side).await?;
        let system = System { operator: &operator, shape, right_hand_side: &right_hand_side, diagonal: None };
        solver.solve(&mut recorder, system, CgStart::Zero, &solution).await?;
        let report = solver.reports(&mut recorder, 1).await?.into_iter().next();
        let report = report.ok_or_else(|| GpuError::Validation("a solve of one task has no report".to_owned()))?;
        let x: Vec<f32> = recorder.read(solution.slice(0, 4 * u64::from(length))?).await?;
        Ok((report, self.true_residual(&x)))
    }

    /// H p.
    fn product(&self, p: &[f64]) -> Vec<f64> {
        let mut product: Vec<f64> = p.iter().zip(&self.diagonal).map(|(p, &d)| p * f64::from(d)).collect();
        for factor in self.factors.chunks_exact(self.diagonal.len().max(1)) {
            let along: f64 = factor.iter().zip(p).map(|(&v, p)| f64::from(v) * p).sum();
            product.iter_mut().zip(factor).for_each(|(product, &v)| *product += along * f64::from(v));
        }
        product
    }

    fn true_residual(&self, x: &[f32]) -> f64 {
        let x: Vec<f64> = x.iter().map(|&x| x.into()).collect();
        let b: Vec<f64> = self.right_hand_side.iter().map(|&b| b.into()).collect();
        let left: Vec<f64> = b.iter().zip(self.product(&x)).map(|(b, product)| b - product).collect();
        (dot(&left, &left) / dot(&b, &b)).sqrt()
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
