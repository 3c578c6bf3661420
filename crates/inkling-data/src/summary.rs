//! What `data info` says about a data set.

use crate::{DataError, Dataset, ImageId, ImageShape, Normalization, Split};

/// Images whose pixels are measured; they are spread evenly over the classes.
const SAMPLE: u32 = 200;

/// Classes, images and pixel statistics of a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// The specification that the data set was opened with.
    pub spec: String,
    /// The shape of every image.
    pub shape: ImageShape,
    /// Train, validation and test.
    pub splits: [SplitSummary; 3],
    /// How many images `sample` was measured on.
    pub sample_images: u32,
    /// The statistics of a sample of the first split that has classes.
    pub sample: Normalization,
    /// The statistics that training normalises with by default.
    pub normalization: Normalization,
    /// What is wrong with images of the sample that cannot be read.
    pub skipped: Vec<String>,
    /// See [`Dataset::remark`].
    pub remark: Option<String>,
}

/// The size of one split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SplitSummary {
    /// The split.
    pub split: Split,
    /// Its classes.
    pub classes: u32,
    /// Its images.
    pub images: u64,
    /// The images of its smallest class; zero without classes.
    pub smallest_class: u32,
    /// The images of its largest class; zero without classes.
    pub largest_class: u32,
}

/// Counts a data set and measures a sample of its pixels.
///
/// # Errors
/// When an image of the sample cannot be read.
pub fn summary(dataset: &dyn Dataset) -> Result<Summary, DataError> {
    let splits = Split::ALL.map(|split| count(dataset, split));
    let sampled = splits.iter().find(|split| split.images > 0);
    let (sample_images, sample) = match sampled {
        Some(split) => measure(dataset, split)?,
        None => (0, dataset.normalization()),
    };
    Ok(Summary {
        spec: dataset.spec().to_owned(),
        shape: dataset.image_shape(),
        splits,
        sample_images,
        sample,
        normalization: dataset.normalization(),
        skipped: dataset.skipped(0),
        remark: dataset.remark(),
    })
}

fn count(dataset: &dyn Dataset, split: Split) -> SplitSummary {
    let classes = dataset.class_count(split);
    let (mut images, mut smallest_class, mut largest_class) = (0u64, u32::MAX, 0);
    for count in (0..classes).map(|class| dataset.image_count(split, class)) {
        images += u64::from(count);
        smallest_class = smallest_class.min(count);
        largest_class = largest_class.max(count);
    }
    if classes == 0 {
        smallest_class = 0;
    }
    SplitSummary { split, classes, images, smallest_class, largest_class }
}

/// Per-channel statistics of a sample; the sums are exact.
fn measure(dataset: &dyn Dataset, of: &SplitSummary) -> Result<(u32, Normalization), DataError> {
    let shape = dataset.image_shape();
    let plane = shape.height as usize * shape.width as usize;
    let mut sums = vec![(0u64, 0u64); shape.channels as usize];
    let mut images = 0;
    for number in 0..SAMPLE {
        let class = (u64::from(number) * u64::from(of.classes) / u64::from(SAMPLE)) as u32;
        let count = dataset.image_count(of.split, class);
        if count == 0 {
            continue;
        }
        let image = ImageId { split: of.split, class, index: number % count };
        let pixels = match dataset.pixels(image.split, image.class, image.index) {
            Ok(pixels) => pixels,
            Err(error) => {
                dataset.skip(image, error)?;
                continue;
            }
        };
        images += 1;
        for ((sum, squares), channel) in sums.iter_mut().zip(pixels.chunks_exact(plane.max(1))) {
            *sum += channel.iter().map(|&value| u64::from(value)).sum::<u64>();
            *squares += channel.iter().map(|&value| u64::from(value).pow(2)).sum::<u64>();
        }
    }
    let count = f64::from(images).max(1.0) * plane as f64;
    let mean = |&(sum, _): &(u64, u64)| sum as f64 / count;
    let std = |sums: &(u64, u64)| {
        let variance = sums.1 as f64 / count - mean(sums) * mean(sums);
        (libm::sqrt(variance.max(0.0)) / 255.0) as f32
    };
    let normalization = Normalization {
        mean: sums.iter().map(|sums| (mean(sums) / 255.0) as f32).collect(),
        std: sums.iter().map(std).collect(),
    };
    Ok((images, normalization))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::episode::tests::Numbered;

    #[test]
    fn counts_and_statistics() {
        let result = summary(&Numbered(vec![4, 2, 6])).unwrap();
        for split in result.splits {
            assert_eq!((split.classes, split.images), (3, 12));
            assert_eq!((split.smallest_class, split.largest_class), (2, 6));
        }
        assert_eq!(result.sample_images, SAMPLE);
        // The first byte is the split, which is zero; the second the class, evenly 0, 1 and 2.
        assert_eq!((result.sample.mean[0], result.sample.std[0]), (0.0, 0.0));
        assert!((result.sample.mean[1] * 255.0 - 1.0).abs() < 0.02, "{:?}", result.sample);
        assert!((result.sample.std[1] * 255.0 - 0.8165).abs() < 0.01, "{:?}", result.sample);
        assert_eq!(summary(&Numbered(Vec::new())).unwrap().sample_images, 0);
    }
}
