//! Gradients by name in f64, and how far one is from another.

use std::collections::BTreeMap;

use inkling_nn::Weights;

/// How far a gradient may be from another.
#[derive(Clone, Copy, Debug)]
pub struct Closeness {
    /// The largest error of a parameter's gradient as a share of the expected norm.
    pub relative: f64,
    /// Below this share of the network's whole gradient, a bias is measured against the weight
    /// beside it where that is larger: both are summed from the same rows, which may cancel in the
    /// bias. Before a norm that takes the mean away nothing else is left of them.
    pub cancelling_share: f64,
    /// The least that an error in `head.scale`, or in a bias that all ways share, is measured against.
    pub head_floor: f64,
}

/// Against float64. float32 on a CPU stays a decade below this on the golden cases, which leaves a
/// GPU room for another order of summation, and a wrong formula none.
pub const ORACLE: Closeness = Closeness { relative: 1e-4, cancelling_share: 1e-7, head_floor: 0.0 };

/// The same sums in another order. A weight's gradient adds thousands of products, whose rounding
/// errors of 6e-8 each grow like the root of their number, to 2e-6 of terms that cancel in part.
/// Biases cancel more: embeddings that all move together change no distance, so that the rows of
/// support and queries add up to zero but for what the ReLU cuts off. The derivative by the head's
/// scale is a mean of differences of cosines: its rounding is that of numbers near one, however
/// small the mean.
pub const ROUNDING: Closeness = Closeness { relative: 1e-5, cancelling_share: f64::INFINITY, head_floor: 0.1 };

/// One value list for each parameter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gradient(BTreeMap<String, Vec<f64>>);

impl Gradient {
    /// Adds a parameter.
    pub fn insert(&mut self, name: &str, values: impl Iterator<Item = f64>) {
        self.0.insert(name.to_owned(), values.collect());
    }

    /// The values of a parameter.
    pub fn get(&self, name: &str) -> Option<&[f64]> {
        self.0.get(name).map(Vec::as_slice)
    }

    /// The parameters whose names begin so.
    pub fn of(&self, prefix: &str) -> Self {
        let ours = |(name, _): &(&String, &Vec<f64>)| name.starts_with(prefix);
        Self(self.0.iter().filter(ours).map(|(name, values)| (name.clone(), values.clone())).collect())
    }

    /// The parameters that another has as well.
    pub fn only_those_of(&self, other: &Self) -> Self {
        let ours = self.0.iter().filter(|(name, _)| other.0.contains_key(*name));
        Self(ours.map(|(name, values)| (name.clone(), values.clone())).collect())
    }

    /// The mean of several of the same names.
    pub fn mean(all: &[Self]) -> Self {
        let mut mean = all.first().cloned().unwrap_or_default();
        for (name, values) in &mut mean.0 {
            for (at, value) in values.iter_mut().enumerate() {
                *value = all.iter().map(|one| one.0[name][at]).sum::<f64>() / all.len() as f64;
            }
        }
        mean
    }

    /// The difference of two of the same names.
    pub fn minus(&self, other: &Self) -> Self {
        let mut difference = self.clone();
        for (name, values) in &mut difference.0 {
            values.iter_mut().zip(&other.0[name]).for_each(|(value, other)| *value -= other);
        }
        difference
    }

    /// All values times `factor`.
    pub fn scaled(mut self, factor: f64) -> Self {
        self.0.values_mut().flatten().for_each(|value| *value *= factor);
        self
    }

    /// The sum of products over all parameters.
    pub fn dot(&self, other: &Self) -> f64 {
        let products = |(name, values): (&String, &Vec<f64>)| -> f64 {
            values.iter().zip(&other.0[name]).map(|(value, other)| value * other).sum()
        };
        self.0.iter().map(products).sum()
    }

    /// The Euclidean norm.
    pub fn norm(&self) -> f64 {
        self.dot(self).sqrt()
    }

    /// Fails where a parameter is missing, surplus, or too far from `expected`.
    pub fn check(&self, what: &str, expected: &Self, closeness: Closeness) -> Result<(), String> {
        let names = |gradient: &Self| gradient.0.keys().cloned().collect::<Vec<_>>();
        if names(self) != names(expected) {
            return Err(format!("{what}: parameters {:?}, expected {:?}", names(self), names(expected)));
        }
        for (name, values) in &self.0 {
            let wanted = &expected.0[name];
            if values.len() != wanted.len() {
                return Err(format!("{what}: {name} has {} values, expected {}", values.len(), wanted.len()));
            }
            let difference = norm(values.iter().zip(wanted).map(|(value, wanted)| value - wanted));
            let (error, allowed) = (difference / expected.measure(name, closeness), closeness.relative);
            // Written so that a NaN fails.
            let close = error <= allowed;
            if !close {
                return Err(format!("{what}: {name} is off by {error:.2e} of its norm, allowed {allowed:.0e}"));
            }
        }
        Ok(())
    }

    /// What an error in a parameter is measured against.
    fn measure(&self, name: &str, closeness: Closeness) -> f64 {
        let of = |name: &str| norm(self.0.get(name).into_iter().flatten().copied());
        let network = self.0.iter().filter(|(name, _)| name.starts_with("blocks."));
        let whole = norm(network.flat_map(|(_, values)| values.iter().copied()));
        let single = self.0.get(name).is_some_and(|values| values.len() == 1);
        match name.strip_suffix(".bias") {
            // One bias for all ways changes no probability: what is left of its gradient is rounding.
            Some("head") if single => of("head.scale").max(closeness.head_floor),
            Some(stem) if of(name) < closeness.cancelling_share * whole => of(name).max(of(&format!("{stem}.weight"))),
            _ if name == "head.scale" => of(name).max(closeness.head_floor),
            _ => of(name),
        }
    }
}

impl From<&Weights> for Gradient {
    fn from(weights: &Weights) -> Self {
        let mut gradient = Self::default();
        for (name, tensor) in weights.iter() {
            gradient.insert(name, tensor.values.iter().map(|&value| value.into()));
        }
        gradient
    }
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|value| value * value).sum::<f64>().sqrt()
}
