//! Gradients by name in f64, and how far one is from another.

use std::collections::BTreeMap;

use inkling_nn::Weights;

/// Below this share of the network's whole gradient an expected gradient counts as zero: a
/// convolution's bias before a norm that takes the mean away, for one.
const ZERO_SHARE: f64 = 1e-7;

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

    /// Fails where a parameter is missing, surplus, or further from `expected` than `tolerance`,
    /// as a share of the expected norm.
    ///
    /// A bias whose gradient counts as zero is measured against the weight beside it, whose
    /// gradient is summed from the same rows.
    pub fn check(&self, what: &str, expected: &Self, tolerance: f64) -> Result<(), String> {
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
            let error = difference / expected.scale(name);
            // Written so that a NaN fails.
            let close = error <= tolerance;
            if !close {
                return Err(format!("{what}: {name} is off by {error:.2e} of its norm, allowed {tolerance:.0e}"));
            }
        }
        Ok(())
    }

    /// What an error in a parameter is measured against.
    fn scale(&self, name: &str) -> f64 {
        let of = |name: &str| norm(self.0.get(name).into_iter().flatten().copied());
        let network = self.0.iter().filter(|(name, _)| name.starts_with("blocks."));
        let whole = norm(network.flat_map(|(_, values)| values.iter().copied()));
        match name.strip_suffix(".bias") {
            Some(stem) if of(name) < ZERO_SHARE * whole => of(&format!("{stem}.weight")),
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
