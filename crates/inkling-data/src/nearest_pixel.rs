//! What matching raw pixels achieves: the floor that a learner's accuracy is to be read against.

use crate::{DataError, Dataset, Episode, EpisodePlan, EpisodeSpec, Split};

/// A mean over episodes with its 95 % confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeanAccuracy {
    /// The mean accuracy, `0..=1`.
    pub mean: f64,
    /// 1.96·s/√n, with s the standard deviation over episodes (n − 1); zero for one episode.
    pub ci95: f64,
    /// How many episodes it is the mean of.
    pub episodes: u32,
}

/// The accuracies of two classifiers that learn nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PixelAccuracy {
    /// The class of the support image with the smallest squared distance.
    pub nearest_neighbour: MeanAccuracy,
    /// The class whose mean support image has the smallest squared distance.
    pub nearest_mean: MeanAccuracy,
}

/// Classifies the queries of episodes `0..episodes` by their raw pixels.
///
/// # Errors
/// When an episode cannot be drawn or loaded, or `episodes` is zero.
pub fn nearest_pixel_accuracy(
    dataset: &dyn Dataset,
    split: Split,
    spec: &EpisodeSpec,
    seed: u64,
    episodes: u32,
) -> Result<PixelAccuracy, DataError> {
    if episodes == 0 {
        return Err(DataError::Setting {
            name: "episodes",
            value: "0".to_owned(),
            remedy: "it must be at least 1".to_owned(),
        });
    }
    let (mut neighbours, mut means) = (Vec::new(), Vec::new());
    for index in 0..episodes {
        let episode = EpisodePlan::draw(dataset, split, spec, seed, u64::from(index))?.load(dataset)?;
        neighbours.push(accuracy(&episode, |query| nearest_neighbour(&episode, query)));
        let prototypes = class_means(&episode);
        means.push(accuracy(&episode, |query| nearest_mean(&prototypes, query)));
    }
    Ok(PixelAccuracy { nearest_neighbour: summarise(&neighbours), nearest_mean: summarise(&means) })
}

/// The share of queries whose predicted label is right.
fn accuracy(episode: &Episode, predict: impl Fn(&[u8]) -> Option<u32>) -> f64 {
    let queries = episode.query().iter().zip(episode.query_labels());
    let correct = queries.filter(|(query, label)| predict(query) == Some(**label)).count();
    correct as f64 / episode.query().len().max(1) as f64
}

fn nearest_neighbour(episode: &Episode, query: &[u8]) -> Option<u32> {
    let distance = |image: &[u8]| -> u64 {
        let differences = image.iter().zip(query).map(|(&a, &b)| u64::from(a.abs_diff(b)));
        differences.map(|difference| difference * difference).sum()
    };
    let support = episode.support().iter().zip(episode.support_labels());
    support.min_by_key(|(image, _)| distance(image)).map(|(_, &label)| label)
}

/// `[ways, bytes]`
fn class_means(episode: &Episode) -> Vec<Vec<f64>> {
    let mut sums = vec![vec![0.0; episode.image_shape().bytes()]; episode.ways() as usize];
    let mut counts = vec![0.0; episode.ways() as usize];
    for (image, &label) in episode.support().iter().zip(episode.support_labels()) {
        counts[label as usize] += 1.0;
        let sum = sums[label as usize].iter_mut();
        sum.zip(image.iter()).for_each(|(sum, &value)| *sum += f64::from(value));
    }
    for (sum, count) in sums.iter_mut().zip(counts) {
        sum.iter_mut().for_each(|value| *value /= count);
    }
    sums
}

fn nearest_mean(means: &[Vec<f64>], query: &[u8]) -> Option<u32> {
    let distance = |mean: &Vec<f64>| -> f64 {
        mean.iter().zip(query).map(|(a, &b)| (a - f64::from(b)) * (a - f64::from(b))).sum()
    };
    let distances = means.iter().map(distance).enumerate();
    distances.min_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(label, _)| label as u32)
}

fn summarise(values: &[f64]) -> MeanAccuracy {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    let variance = if values.len() > 1 { squares / (count - 1.0) } else { 0.0 };
    MeanAccuracy { mean, ci95: 1.96 * libm::sqrt(variance / count), episodes: values.len() as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::episode::tests::Numbered;

    #[test]
    fn a_set_whose_pixels_tell_the_class_is_solved() {
        // The second byte of an image is its class and the third its index: with at most three
        // images per class and classes that lie far apart, both classifiers are always right.
        let set = Numbered(vec![3; 2]);
        let spec = EpisodeSpec::Fixed { ways: 2, shots: 2, queries: 1 };
        let result = nearest_pixel_accuracy(&set, Split::Train, &spec, 1, 50).unwrap();
        assert!(result.nearest_neighbour.mean < 1.0, "index outweighs class here: {result:?}");
        assert!(result.nearest_neighbour.ci95 > 0.0);
        let set = Numbered(vec![2; 3]);
        let spec = EpisodeSpec::Fixed { ways: 2, shots: 1, queries: 1 };
        let result = nearest_pixel_accuracy(&set, Split::Train, &spec, 1, 50).unwrap();
        assert_eq!(result.nearest_neighbour, result.nearest_mean, "one shot: they are the same");
        assert!(nearest_pixel_accuracy(&set, Split::Train, &spec, 1, 0).is_err());
    }

    #[test]
    fn the_interval_is_that_of_the_sample() {
        let summary = summarise(&[0.5, 1.0, 0.0, 0.5]);
        // s² = (0 + ¼ + ¼ + 0)/3 = 1/6; 1.96·√(1/24) = 0.400083…
        assert_eq!(summary.mean, 0.5);
        assert!((summary.ci95 - 0.400_083_3).abs() < 1e-6, "{}", summary.ci95);
        assert_eq!(summarise(&[0.5]).ci95, 0.0);
    }
}
