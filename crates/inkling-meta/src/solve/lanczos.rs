//! Eigenvalues from the step lengths of conjugate gradient, which are the coefficients of Lanczos'
//! tridiagonal matrix (Golub & Van Loan, section 11.3).

/// Bounds of a matrix's eigenvalues from within: those of its part on the Krylov space.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spectrum {
    /// The smallest Ritz value, at least the smallest eigenvalue.
    pub smallest: f64,
    /// The largest Ritz value, at most the largest eigenvalue.
    pub largest: f64,
}

impl Spectrum {
    /// The estimate of the condition number; infinite where the smallest is not positive.
    pub fn condition(self) -> f64 {
        if self.smallest > 0.0 { self.largest / self.smallest } else { f64::INFINITY }
    }
}

/// The extreme Ritz values of steps `(alpha, beta)`, the first iteration's first; none without a
/// step, or where a coefficient is not usable.
pub fn spectrum(steps: &[(f64, f64)]) -> Option<Spectrum> {
    let usable = steps.iter().all(|&(alpha, beta)| alpha > 0.0 && beta >= 0.0 && (alpha + beta).is_finite());
    if steps.is_empty() || !usable {
        return None;
    }
    // T_kk = 1/α_k + β_{k−1}/α_{k−1},  T_{k,k+1}² = β_k/α_k².
    let mut diagonal = Vec::with_capacity(steps.len());
    let mut squares = Vec::with_capacity(steps.len());
    let mut carried = 0.0;
    for &(alpha, beta) in steps {
        diagonal.push(1.0 / alpha + carried);
        carried = beta / alpha;
        squares.push(carried / alpha);
    }
    // The last β couples to a row that is not there.
    squares.pop();
    let radius = |k: usize| {
        let before = k.checked_sub(1).and_then(|k| squares.get(k)).copied().unwrap_or(0.0);
        before.sqrt() + squares.get(k).copied().unwrap_or(0.0).sqrt()
    };
    let discs = diagonal.iter().enumerate();
    let (low, high) = discs.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), (k, &d)| {
        (low.min(d - radius(k)), high.max(d + radius(k)))
    });
    let search = |rank: usize| bisect(low, high, |x| count_below(&diagonal, &squares, x) >= rank);
    Some(Spectrum { smallest: search(1), largest: search(diagonal.len()) })
}

/// Eigenvalues below `x`: the negative pivots of T − xI (Sturm).
fn count_below(diagonal: &[f64], squares: &[f64], x: f64) -> usize {
    let mut pivot = 1.0;
    let couplings = std::iter::once(0.0).chain(squares.iter().copied());
    let mut count = 0;
    for (&d, square) in diagonal.iter().zip(couplings) {
        pivot = d - x - square / pivot;
        if pivot == 0.0 {
            pivot = f64::MIN_POSITIVE.sqrt();
        }
        count += usize::from(pivot < 0.0);
    }
    count
}

/// The place where a condition begins to hold; sixty halvings leave nothing of an interval in f64.
fn bisect(mut low: f64, mut high: f64, holds: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if holds(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Conjugate gradient in f64 on a diagonal matrix.
    fn steps(diagonal: &[f64], iterations: usize) -> Vec<(f64, f64)> {
        let mut r: Vec<f64> = (0..diagonal.len()).map(|i| 1.0 + 0.1 * i as f64).collect();
        let mut p = r.clone();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let mut steps = Vec::new();
        for _ in 0..iterations {
            let hp: Vec<f64> = p.iter().zip(diagonal).map(|(p, d)| p * d).collect();
            let (rr, alpha) = (dot(&r, &r), dot(&r, &r) / dot(&p, &hp));
            r.iter_mut().zip(&hp).for_each(|(r, hp)| *r -= alpha * hp);
            let beta = dot(&r, &r) / rr;
            p.iter_mut().zip(&r).for_each(|(p, r)| *p = r + beta * *p);
            steps.push((alpha, beta));
        }
        steps
    }

    #[test]
    fn all_steps_give_all_eigenvalues() {
        let diagonal = [0.5, 1.0, 2.0, 7.0, 50.0];
        let found = spectrum(&steps(&diagonal, 5)).unwrap();
        assert!((found.smallest / 0.5 - 1.0).abs() < 1e-9, "{found:?}");
        assert!((found.largest / 50.0 - 1.0).abs() < 1e-9, "{found:?}");
        assert!((found.condition() / 100.0 - 1.0).abs() < 1e-9);
    }

    #[test]
    fn fewer_steps_stay_within() {
        let diagonal: Vec<f64> = (1..=40).map(f64::from).collect();
        let mut last = Spectrum { smallest: f64::INFINITY, largest: 0.0 };
        for count in 1..12 {
            let found = spectrum(&steps(&diagonal, count)).unwrap();
            assert!(found.smallest >= 1.0 - 1e-9 && found.largest <= 40.0 + 1e-9, "{found:?}");
            assert!(found.smallest <= last.smallest + 1e-9 && found.largest >= last.largest - 1e-9);
            last = found;
        }
    }

    #[test]
    fn nothing_comes_of_nothing() {
        assert_eq!(spectrum(&[]), None);
        assert_eq!(spectrum(&[(f64::NAN, 0.0)]), None);
    }
}
