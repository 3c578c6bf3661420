//! Seeded draws: a counter through the SplitMix64 finaliser, so that a stream is a pure function
//! of the path that names it and any image can be drawn without the ones before it.

/// The odd integer nearest to 2^64 divided by the golden ratio (Steele, Lea and Flood 2014).
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// A sequence of random draws named by a path of integers.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    counter: u64,
}

impl Stream {
    /// The stream of a path below a seed; different paths give independent streams.
    pub(crate) fn new(seed: u64, path: &[u64]) -> Self {
        let counter =
            path.iter().fold(mix(seed.wrapping_add(GOLDEN)), |key, &step| mix(key ^ mix(step.wrapping_add(GOLDEN))));
        Self { counter }
    }

    pub(crate) fn bits(&mut self) -> u32 {
        self.counter = self.counter.wrapping_add(GOLDEN);
        (mix(self.counter) >> 32) as u32
    }

    /// Uniform in `0..1`, a multiple of 2^-24.
    pub(crate) fn unit(&mut self) -> f32 {
        (self.bits() >> 8) as f32 * (1.0 / 16_777_216.0)
    }

    /// Uniform in `low..high`.
    pub(crate) fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// Uniform in `0..count`; zero when `count` is zero. The bias is below `count` / 2^32.
    pub(crate) fn below(&mut self, count: u32) -> u32 {
        ((u64::from(self.bits()) * u64::from(count)) >> 32) as u32
    }

    /// Uniform in `low..=high`.
    pub(crate) fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    pub(crate) fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// Mean 0, standard deviation 1, within ±3.5: four uniforms, so that no jitter runs away.
    pub(crate) fn bell(&mut self) -> f32 {
        let sum = self.unit() + self.unit() + self.unit() + self.unit();
        // The variance of the sum is 4/12.
        (sum - 2.0) * 1.732_050_8
    }

    /// An index drawn in proportion to `weights`; zero when all of them are zero.
    pub(crate) fn weighted(&mut self, weights: &[u32]) -> usize {
        let mut left = self.below(weights.iter().sum());
        for (index, &weight) in weights.iter().enumerate() {
            if left < weight {
                return index;
            }
            left -= weight;
        }
        0
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A value of `0..1` for a point of an integer lattice, for noise textures.
pub(crate) fn lattice_value(x: i32, y: i32, salt: u32) -> f32 {
    let mut h =
        (x as u32).wrapping_mul(0x8da6_b343) ^ (y as u32).wrapping_mul(0xd816_3841) ^ salt.wrapping_mul(0xcb1a_b31f);
    h = (h ^ (h >> 16)).wrapping_mul(0x7feb_352d);
    h = (h ^ (h >> 15)).wrapping_mul(0x846c_a68b);
    ((h ^ (h >> 16)) >> 8) as f32 * (1.0 / 16_777_216.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_independent_streams() {
        let first = |seed, path: &[u64]| Stream::new(seed, path).bits();
        assert_eq!(first(1, &[2, 3]), first(1, &[2, 3]));
        for other in [first(1, &[3, 2]), first(1, &[2]), first(2, &[2, 3]), first(1, &[2, 3, 0])] {
            assert_ne!(first(1, &[2, 3]), other);
        }
    }

    #[test]
    fn draws_have_their_moments() {
        let mut draw = Stream::new(4, &[]);
        let n = 40_000;
        let (mut sum, mut squares, mut hits) = (0.0, 0.0, [0_u32; 3]);
        for _ in 0..n {
            let value = f64::from(draw.bell());
            (sum, squares) = (sum + value, squares + value * value);
            hits[draw.weighted(&[1, 0, 3])] += 1;
            assert!((2..=5).contains(&draw.between(2, 5)));
            assert!((0.0..1.0).contains(&draw.unit()));
        }
        // Five standard errors of 40,000 draws.
        assert!((sum / f64::from(n)).abs() < 0.025);
        assert!((squares / f64::from(n) - 1.0).abs() < 0.035);
        assert!(hits[1] == 0 && hits[0].abs_diff(10_000) < 435, "{hits:?}");
        assert_eq!((draw.below(0), draw.weighted(&[])), (0, 0));
    }
}
