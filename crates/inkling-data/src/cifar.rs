//! CIFAR-100 (Krizhevsky 2009) split for learning from few images: CIFAR-FS and FC100. The hundred
//! classes are cut out of `train.bin` and `test.bin` together, 600 images each in the official
//! archive, and held in memory (184 MB) as they are read.

#[cfg(not(target_arch = "wasm32"))]
use std::path::Path;

mod classes;
mod records;

pub use classes::CifarSplit;

use crate::cache::PixelCache;
use crate::class_index::{self, ClassIndex, FoundClass};
use crate::class_split::ClassLists;
use crate::{DataError, Dataset, Framing, ImageShape, Normalization, OpenOptions, Pixels, Split, decode};
use records::Images;

/// Images of each class in the official archive.
const OFFICIAL_IMAGES: usize = 600;

/// CIFAR-100 in memory, under one of its published splits or any other.
pub struct Cifar {
    /// The images are `[3, 32, 32]`.
    index: ClassIndex<Pixels>,
    framing: Framing,
    normalization: Normalization,
    remark: Option<String>,
    /// Images of another size than 32.
    resized: PixelCache,
}

impl Cifar {
    /// Reads `cifar-100-binary.tar.gz`: the file, a folder that holds it, or the folder unpacked
    /// from it.
    ///
    /// A split file of the options takes the place of the published split; it may name classes and
    /// superclasses.
    ///
    /// # Errors
    /// When nothing is there, the archive is damaged or of another form, or the split file does not
    /// fit.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn open(split: CifarSplit, path: &Path, options: &OpenOptions) -> Result<Self, DataError> {
        let lists = ClassLists::of(options)?;
        let lists = lists.as_ref().map(|(lists, file)| (lists, file.as_str()));
        let images = records::open(path, &classes::all())?;
        Self::load(split, &path.display().to_string(), images, options, lists)
    }

    /// Reads the bytes of `cifar-100-binary.tar.gz`, as a browser hands them over; `name` stands
    /// for the archive in messages.
    ///
    /// The split file of the options is not read; `lists` takes its place.
    ///
    /// # Errors
    /// As [`Cifar::open`].
    pub fn from_archive(
        split: CifarSplit,
        name: &str,
        bytes: &[u8],
        options: &OpenOptions,
        lists: Option<&ClassLists>,
    ) -> Result<Self, DataError> {
        let lists = lists.map(|lists| (lists, "given with the archive"));
        Self::load(split, name, records::read_archive(bytes, name, &classes::all())?, options, lists)
    }

    fn load(
        split: CifarSplit,
        path: &str,
        Images(images): Images,
        options: &OpenOptions,
        lists: Option<(&ClassLists, &str)>,
    ) -> Result<Self, DataError> {
        let size = decode::check_image_size(options.image_size.unwrap_or(records::SIDE))?;
        let name = |fine: &classes::Fine| fine.name.to_owned();
        let mut found: Vec<_> = classes::all()
            .iter()
            .zip(images)
            .map(|(fine, images)| FoundClass { name: name(fine), images, split: Some(split.of(fine)) })
            .collect();
        if let Some((lists, file)) = lists {
            let lists = classes::expanded(lists);
            lists.check_distinct(file)?;
            class_index::assign(&mut found, &lists, file)?;
        }
        found.retain(|class| class.split.is_some());
        if let Some(empty) = found.iter().find(|class| class.images.is_empty()) {
            let reason = format!(
                "it holds no image of the class {}; fetch the whole archive with `inkling data fetch cifar-100`",
                empty.name
            );
            return Err(DataError::unusable(path, reason));
        }
        let remark = remark(&found);
        let index = ClassIndex::new(format!("{}:{path}", split.name()), found);
        Ok(Cifar {
            normalization: statistics(&index),
            index,
            framing: Framing::new(ImageShape { channels: 3, height: size, width: size }, options.center_crop)?,
            remark,
            resized: PixelCache::new(options.cache_bytes),
        })
    }
}

impl Dataset for Cifar {
    fn spec(&self) -> &str {
        self.index.spec()
    }

    fn image_shape(&self) -> ImageShape {
        self.framing.shape()
    }

    /// The exact statistics of all images of the training classes.
    fn normalization(&self) -> Normalization {
        self.normalization.clone()
    }

    fn class_count(&self, split: Split) -> u32 {
        self.index.class_count(split)
    }

    fn class_name(&self, split: Split, class: u32) -> String {
        self.index.class_name(split, class)
    }

    fn image_count(&self, split: Split, class: u32) -> u32 {
        self.index.image_count(split, class)
    }

    fn pixels(&self, split: Split, class: u32, index: u32) -> Result<Pixels, DataError> {
        let (number, pixels) = self.index.image(split, class, index)?;
        if self.framing.is_identity(records::SIDE, records::SIDE) {
            return Ok(pixels.clone());
        }
        self.resized.get_or_decode(number, || {
            let name = format!("image {index} of class {}", self.index.class_name(split, class));
            let plane = (records::SIDE * records::SIDE) as usize;
            let interleaved = (0..3 * plane).filter_map(|at| pixels.get(at % 3 * plane + at / 3).copied()).collect();
            decode::fit_rgb(records::SIDE, records::SIDE, interleaved, &name, self.framing)
        })
    }

    fn remark(&self) -> Option<String> {
        self.remark.clone()
    }
}

/// What a reader of results must know when classes are not whole.
fn remark(found: &[FoundClass<Pixels>]) -> Option<String> {
    let counts = || found.iter().map(|class| class.images.len());
    let (least, most) = (counts().min()?, counts().max()?);
    if (least, most) == (OFFICIAL_IMAGES, OFFICIAL_IMAGES) {
        return None;
    }
    let has = if least == most { least.to_string() } else { format!("{least} to {most}") };
    Some(format!(
        "{has} images per class, where the official CIFAR-100 has {OFFICIAL_IMAGES}: a result from this archive does \
         not compare with published ones"
    ))
}

/// Mean and standard deviation of each channel over the training classes (over all classes when
/// none trains), scaled to `0..=1`; sums are exact integers.
fn statistics(index: &ClassIndex<Pixels>) -> Normalization {
    let splits = if index.class_count(Split::Train) > 0 { &Split::ALL[..1] } else { &Split::ALL[..] };
    let plane = (records::SIDE * records::SIDE) as usize;
    let mut sums = [(0u64, 0u64); 3];
    let mut images = 0u64;
    for pixels in splits.iter().flat_map(|&split| index.images(split)) {
        images += 1;
        for ((sum, squares), channel) in sums.iter_mut().zip(pixels.chunks_exact(plane)) {
            // 1024 bytes and their squares fit 32 bits.
            *sum += u64::from(channel.iter().map(|&value| u32::from(value)).sum::<u32>());
            *squares += u64::from(channel.iter().map(|&value| u32::from(value) * u32::from(value)).sum::<u32>());
        }
    }
    let count = (images * plane as u64).max(1) as f64;
    let mean = sums.map(|(sum, _)| sum as f64 / count);
    let std = |(mean, (_, squares)): (f64, (u64, u64))| {
        let variance = squares as f64 / count - mean * mean;
        // Blank images have no spread to divide by; one leaves them as they are.
        if variance > 0.0 { (libm::sqrt(variance) / 255.0) as f32 } else { 1.0 }
    };
    Normalization {
        mean: mean.iter().map(|mean| (mean / 255.0) as f32).collect(),
        std: mean.into_iter().zip(sums).map(std).collect(),
    }
}

#[cfg(test)]
mod tests;
