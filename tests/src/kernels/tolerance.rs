//! How far a kernel may be from its twin: roundings counted, never fitted to a result.

const EPSILON: f64 = f32::EPSILON as f64;

/// The largest difference allowed: `absolute + relative · |expected|`.
#[derive(Clone, Copy, Debug)]
pub struct Tolerance {
    absolute: f64,
    relative: f64,
}

impl Tolerance {
    /// Not a bit.
    pub const EXACT: Self = Self { absolute: 0.0, relative: 0.0 };

    /// A result of `roundings` operations without cancellation. WGSL allows a division 2.5 units in
    /// the last place, a product or sum half of one (counted as one), and fusing of both.
    pub fn roundings(roundings: u32) -> Self {
        Self { absolute: 0.0, relative: f64::from(roundings) * EPSILON }
    }

    /// A sum of `terms` numbers of either sign and at most `size`, in any order, on both sides.
    ///
    /// Partial sums of random signs grow like √terms · size and each of `terms` additions rounds
    /// them by at most ε/2 in a random direction: √terms · √terms · size · ε/2 on each side, so
    /// terms · size · ε for both; the terms themselves carry a few roundings, which is what the
    /// four further terms (and a short sum's worst case) are for.
    pub fn sum(terms: u32, size: f64) -> Self {
        Self { absolute: f64::from(terms + 4) * size * EPSILON, relative: 4.0 * EPSILON }
    }

    /// The same for terms of one sign, or for a running mean of numbers up to `size`: the random
    /// roundings of a chain of `chain` additions add up to √chain · ε of the result, tripled against
    /// bad luck.
    pub fn chain(chain: u32, size: f64) -> Self {
        let roundings = 3.0 * f64::from(chain).sqrt() + 4.0;
        Self { absolute: roundings * size * EPSILON, relative: roundings * EPSILON }
    }

    /// `roundings` of numbers up to `size`, which may then cancel.
    pub fn cancelling(roundings: u32, size: f64) -> Self {
        Self { absolute: f64::from(roundings) * size * EPSILON, relative: 4.0 * EPSILON }
    }

    /// The same plus `roundings` of numbers up to `size`.
    pub fn plus_roundings(self, roundings: u32, size: f64) -> Self {
        self.plus(f64::from(roundings) * size * EPSILON)
    }

    /// The same plus an absolute error.
    pub fn plus(self, absolute: f64) -> Self {
        Self { absolute: self.absolute + absolute, ..self }
    }

    /// The largest difference from `expected`.
    pub fn allowed(&self, expected: f64) -> f64 {
        self.absolute + self.relative * expected.abs()
    }
}
