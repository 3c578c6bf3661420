//! "None of these": how far from every class an image must lie to belong to no class.

use super::prototypes::{Means, Rule};
use super::support::Support;

/// Weight, in images, of what all classes have in common against what one class shows.
const SHARED_IMAGES: f64 = 4.0;
/// Weight, in images, of the distance between classes against what their images show.
const BETWEEN_IMAGES: f64 = 1.0;
/// The spread of a member's ratio before any is seen, and its weight in images.
const SPREAD: f64 = 0.5;
const SPREAD_IMAGES: f64 = 4.0;
/// The spread that is assumed where no class has two images.
const SPREAD_UNSEEN: f64 = 0.25;
/// A class is at least this part of the squared distance between classes wide: frames of one short
/// recording hardly differ, and the next frame still belongs to them.
const LEAST_SHARE: f64 = 0.1;

/// The rule for images that belong to no class, calibrated from the classes themselves.
///
/// An image of a class of n images with variance σ² lies σ²(1 + 1/n) from the mean of the class in
/// squared distance, on average. Its ratio t is the squared distance over that, for the class where it
/// is smallest. Images that were taught show what ratios are usual: each against the mean of the
/// *other* n − 1 images of its class (leave-one-out), which lies σ²(1 + 1/(n − 1)) away on average.
///
/// * σ² of a class is the mean of these squared distances, times (n − 1)/n, drawn towards that of all
///   classes as if by four further images; a class of one image takes that of all. That of all counts a
///   quarter of D² as one image, where D² is the squared distance from class to nearest class, on
///   average. No class is narrower than a tenth of D².
/// * s, the usual spread of t about one, comes from the same distances; before there are any it is ½,
///   with the weight of four images.
/// * P(none) = 1 / (1 + exp(−(t − 1 − 2 s)/(s/2))): one half at two spreads beyond what is usual.
///
/// While every class has one image, members are unknown: σ² = D²/4 and s = ¼, so that P(none) is one
/// half where the squared distance to the nearest class is ¾ of D². A single
/// class of one image has no scale at all, and nothing is none of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Strangers {
    /// σ²(1 + 1/n) of each class; empty without a scale.
    expected: Vec<f64>,
    /// s.
    spread: f64,
}

impl Strangers {
    pub(super) fn new(rule: Rule, support: &Support<'_>, means: &Means) -> Self {
        let images: Vec<f64> = means.images().map(|images| images as f64).collect();
        let own = own_distances(rule, support, means);
        let between = means.nearest_neighbours(rule);
        let seen: f64 = own.iter().map(|own| own.len() as f64).sum();
        if seen == 0.0 && between.is_none() {
            return Self { expected: Vec::new(), spread: SPREAD_UNSEEN };
        }
        // Σ over images of their part of σ²: the leave-one-out distance times (n − 1)/n.
        let sums: Vec<f64> = own.iter().zip(&images).map(|(own, n)| own.iter().sum::<f64>() * (n - 1.0) / n).collect();
        let prior = if between.is_some() { BETWEEN_IMAGES } else { 0.0 };
        let shared = (sums.iter().sum::<f64>() + prior * between.unwrap_or(0.0) / 4.0) / (seen + prior);
        let least = (LEAST_SHARE * between.unwrap_or(0.0)).max(means.rounding(rule));
        let variance = |(sum, own): (&f64, &Vec<f64>)| {
            ((sum + SHARED_IMAGES * shared) / (own.len() as f64 + SHARED_IMAGES)).max(least)
        };
        let variances: Vec<f64> = sums.iter().zip(&own).map(variance).collect();
        let expected = variances.iter().zip(&images).map(|(variance, n)| variance * (1.0 + 1.0 / n)).collect();
        let of_class = |((own, variance), n): ((&Vec<f64>, &f64), &f64)| {
            let expected = variance * (1.0 + 1.0 / (n - 1.0).max(1.0));
            own.iter().map(|distance| (distance / expected - 1.0).powi(2)).sum::<f64>()
        };
        let squares: f64 = own.iter().zip(&variances).zip(&images).map(of_class).sum();
        let spread = if seen == 0.0 {
            SPREAD_UNSEEN
        } else {
            ((squares + SPREAD_IMAGES * SPREAD * SPREAD) / (seen + SPREAD_IMAGES)).sqrt()
        };
        Self { expected, spread }
    }

    /// P(none) from the squared distance to each class.
    pub(super) fn probability(&self, squared_distances: &[Option<f64>]) -> f64 {
        let ratios = squared_distances
            .iter()
            .zip(&self.expected)
            .filter_map(|(distance, expected)| Some((*distance)? / expected));
        let ratio = ratios.fold(f64::INFINITY, f64::min);
        if ratio.is_infinite() {
            return 0.0;
        }
        1.0 / (1.0 + libm::exp(-(ratio - 1.0 - 2.0 * self.spread) / (0.5 * self.spread)))
    }
}

/// The squared distance of each image of a class of two or more to the mean of the others.
fn own_distances(rule: Rule, support: &Support<'_>, means: &Means) -> Vec<Vec<f64>> {
    let of_class = |(class, members): (usize, &super::support::Members<'_>)| {
        let distance = |embedding: &&[f32]| means.own_squared_distance(rule, embedding, class);
        members.embeddings.iter().filter_map(distance).collect()
    };
    support.classes.iter().enumerate().map(of_class).collect()
}

#[cfg(test)]
#[path = "strangers_tests.rs"]
mod tests;
