//! Prototypes in closed form on the host: class means, and what each class would say of an image
//! had its mean been taken without it. Embeddings are few and short here, so f64 costs nothing.

use super::support::Support;

/// How an embedding is compared with a class mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Rule {
    /// Logits −‖e − μ‖².
    Euclidean,
    /// Logits s·cos(e, μ).
    Cosine {
        /// s.
        scale: f64,
    },
}

/// The mean of one class.
#[derive(Clone, Debug)]
struct Mean {
    images: usize,
    mean: Vec<f64>,
    /// ‖μ‖².
    squared: f64,
}

/// The class means of a support.
#[derive(Clone, Debug, Default)]
pub(super) struct Means(Vec<Mean>);

/// An embedding's place relative to a class mean.
#[derive(Clone, Copy, Debug)]
struct Products {
    /// ‖e‖².
    own: f64,
    /// e·μ.
    with_mean: f64,
    /// ‖μ‖².
    mean: f64,
}

impl Means {
    pub(super) fn new(support: &Support<'_>) -> Self {
        let mean = |embeddings: &[&[f32]]| {
            let mut mean = vec![0.0; embeddings.first().map_or(0, |embedding| embedding.len())];
            for embedding in embeddings {
                mean.iter_mut().zip(*embedding).for_each(|(sum, value)| *sum += f64::from(*value));
            }
            mean.iter_mut().for_each(|sum| *sum /= embeddings.len().max(1) as f64);
            let squared = mean.iter().map(|value| value * value).sum();
            Mean { images: embeddings.len(), mean, squared }
        };
        Self(support.classes.iter().map(|members| mean(&members.embeddings)).collect())
    }

    /// Images of each class.
    pub(super) fn images(&self) -> impl Iterator<Item = usize> {
        self.0.iter().map(|mean| mean.images)
    }

    /// The logit of each class. The class `left_out` is taken without the embedding, which is one of
    /// its own; it has no logit where nothing of it is left.
    pub(super) fn logits(&self, rule: Rule, embedding: &[f32], left_out: Option<usize>) -> Vec<Option<f64>> {
        let logit = |products: Products| match rule {
            Rule::Euclidean => -products.squared_distance(),
            Rule::Cosine { scale } => scale * products.cosine(),
        };
        self.products(embedding, left_out).into_iter().map(|products| products.map(logit)).collect()
    }

    /// The squared distance to each class, in the geometry of the rule: where only directions count,
    /// that of vectors of length one. `left_out` as for [`Means::logits`].
    pub(super) fn squared_distances(&self, rule: Rule, embedding: &[f32], left_out: Option<usize>) -> Vec<Option<f64>> {
        let products = self.products(embedding, left_out).into_iter();
        products.map(|products| products.map(|products| products.squared(rule))).collect()
    }

    /// The squared distance of an embedding to the mean of the other images of its class, where there
    /// are others.
    pub(super) fn own_squared_distance(&self, rule: Rule, embedding: &[f32], class: usize) -> Option<f64> {
        let mean = self.0.get(class)?;
        mean.products(squared(embedding), embedding).without(mean.images).map(|products| products.squared(rule))
    }

    /// The mean over classes of the squared distance to the nearest other class; none of one class.
    pub(super) fn nearest_neighbours(&self, rule: Rule) -> Option<f64> {
        let mut nearest = vec![f64::INFINITY; self.0.len()];
        for (index, first) in self.0.iter().enumerate() {
            for (other, second) in self.0.iter().enumerate().skip(index + 1) {
                let with_mean = first.mean.iter().zip(&second.mean).map(|(a, b)| a * b).sum();
                let distance = Products { own: first.squared, with_mean, mean: second.squared }.squared(rule);
                for class in [index, other] {
                    if let Some(nearest) = nearest.get_mut(class) {
                        *nearest = nearest.min(distance);
                    }
                }
            }
        }
        let finite = nearest.iter().all(|distance| distance.is_finite()) && nearest.len() > 1;
        finite.then(|| nearest.iter().sum::<f64>() / nearest.len() as f64)
    }

    /// A small fraction of what embeddings measure: the least variance that is told from none.
    pub(super) fn rounding(&self, rule: Rule) -> f64 {
        let largest = match rule {
            Rule::Euclidean => self.0.iter().map(|mean| mean.squared).fold(0.0, f64::max),
            Rule::Cosine { .. } => 1.0,
        };
        1e-6 * largest + 1e-12
    }

    fn products(&self, embedding: &[f32], left_out: Option<usize>) -> Vec<Option<Products>> {
        let own = squared(embedding);
        let of_class = |(class, mean): (usize, &Mean)| {
            let whole = mean.products(own, embedding);
            if left_out == Some(class) { whole.without(mean.images) } else { Some(whole) }
        };
        self.0.iter().enumerate().map(of_class).collect()
    }
}

impl Mean {
    /// `own` is ‖e‖².
    fn products(&self, own: f64, embedding: &[f32]) -> Products {
        let with_mean = embedding.iter().zip(&self.mean).map(|(value, mean)| f64::from(*value) * mean).sum();
        Products { own, with_mean, mean: self.squared }
    }
}

fn squared(embedding: &[f32]) -> f64 {
    embedding.iter().map(|value| f64::from(*value) * f64::from(*value)).sum()
}

impl Products {
    /// The squared distance in the geometry of a rule.
    fn squared(self, rule: Rule) -> f64 {
        match rule {
            Rule::Euclidean => self.squared_distance(),
            Rule::Cosine { .. } => 2.0 * (1.0 - self.cosine()),
        }
    }

    fn squared_distance(self) -> f64 {
        (self.own - 2.0 * self.with_mean + self.mean).max(0.0)
    }

    fn cosine(self) -> f64 {
        let lengths = (self.own * self.mean).sqrt();
        if lengths > 0.0 { (self.with_mean / lengths).clamp(-1.0, 1.0) } else { 0.0 }
    }

    /// Against the mean of the other n − 1 images, μ' = (n μ − e) / (n − 1).
    fn without(self, images: usize) -> Option<Self> {
        if images < 2 {
            return None;
        }
        let (n, rest) = (images as f64, images as f64 - 1.0);
        let with_mean = (n * self.with_mean - self.own) / rest;
        let mean = (n * n * self.mean - 2.0 * n * self.with_mean + self.own) / (rest * rest);
        Some(Self { own: self.own, with_mean, mean: mean.max(0.0) })
    }
}

/// Probabilities of logits; a class without one has none.
pub(super) fn softmax(logits: &[Option<f64>]) -> Vec<f64> {
    let largest = logits.iter().flatten().copied().fold(f64::NEG_INFINITY, f64::max);
    let power = |logit: &Option<f64>| logit.map_or(0.0, |logit| libm::exp(logit - largest));
    let powers: Vec<f64> = logits.iter().map(power).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| if sum > 0.0 { power / sum } else { 0.0 }).collect()
}

#[cfg(test)]
#[path = "prototypes_tests.rs"]
mod tests;
