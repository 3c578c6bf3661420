//! The npz form: which array holds the images, the labels and the names of which split, and the
//! data set that reads them.

use std::collections::BTreeMap;
#[cfg(not(target_arch = "wasm32"))]
use std::path::Path;
use std::sync::Arc;

use super::split_word;
use crate::cache::PixelCache;
use crate::class_index::{ClassIndex, FoundClass};
use crate::folder::{DEFAULT_IMAGE_SIZE, imagenet_statistics};
use crate::npz::{ImageArray, Npz};
use crate::{DataError, Dataset, Framing, ImageShape, Normalization, OpenOptions, Pixels, Split, decode};

/// What packed arrays may take in memory: all of mini-ImageNet at 84×84 needs 1.27 GB.
const MAX_UNPACKED_BYTES: u64 = 2 << 30;
/// The names of arrays that mean the same.
const IMAGES: [&str; 5] = ["images", "image_data", "data", "features", "x"];
const LABELS: [&str; 5] = ["labels", "label", "label_specific", "targets", "y"];
const NAMES: &str = "class_names";

/// Whether a name is that of an npz archive.
pub(super) fn is_npz(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, extension)| extension.eq_ignore_ascii_case("npz"))
}

#[cfg(not(target_arch = "wasm32"))]
pub(super) fn open_file(path: &Path) -> Result<Npz, DataError> {
    let file = || std::fs::File::open(path).map_err(|source| crate::store::io_error("open", path, source));
    let (listing, images) = (std::io::BufReader::new(file()?), file()?);
    Npz::new(path.display().to_string(), Box::new(listing), Box::new(images))
}

pub(super) fn open_bytes(name: &str, bytes: Vec<u8>) -> Result<Npz, DataError> {
    let bytes: Arc<[u8]> = bytes.into();
    Npz::new(name.to_owned(), Box::new(std::io::Cursor::new(bytes.clone())), Box::new(std::io::Cursor::new(bytes)))
}

/// An image of an array set: the array, and its row there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    array: u32,
    row: u32,
}

/// What an array is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    Images,
    Labels,
    Names,
}

/// The split and the role of an array, from its name and its file's.
fn role(file: &str, array: &str) -> Option<(Option<Split>, Role)> {
    let array = array.to_ascii_lowercase();
    let known = |name: &str| match name {
        NAMES => Some(Role::Names),
        _ if IMAGES.contains(&name) => Some(Role::Images),
        _ if LABELS.contains(&name) => Some(Role::Labels),
        _ => None,
    };
    let split_of_file = || {
        let file = file.rsplit(['/', '\\']).next().unwrap_or(file);
        let mut words = file.split(|c: char| !c.is_ascii_alphanumeric()).filter_map(split_word);
        let first = words.next();
        // "train_phase_val" is no validation split.
        if words.any(|word| Some(word) != first) { None } else { Some(first) }
    };
    if let Some(role) = known(&array) {
        return split_of_file().map(|split| (split, role));
    }
    let ends = [array.split_once('_'), array.rsplit_once('_').map(|(name, split)| (split, name))];
    ends.into_iter().flatten().find_map(|(split, name)| Some((Some(split_word(split)?), known(name)?)))
}

/// The image arrays and the classes that their labels make, sorted by split and label.
pub(super) fn classes(mut archives: Vec<Npz>) -> Result<(Vec<ImageArray>, Vec<FoundClass<Row>>), DataError> {
    let mut places: BTreeMap<(Option<Split>, Role), (usize, String)> = BTreeMap::new();
    for (number, npz) in archives.iter().enumerate() {
        for array in npz.arrays() {
            let Some(key) = role(npz.name(), &array) else { continue };
            if let Some((other, taken)) = places.insert(key, (number, array.clone())) {
                let other = archives.get(other).map_or("", Npz::name);
                let split = key.0.map_or("", Split::name);
                let reason = format!("{other}: {taken} is for the same {split} images too; remove one of them");
                return Err(DataError::unusable(&format!("{}: {array}", npz.name()), reason));
            }
        }
    }
    let (mut arrays, mut found, mut unpacked) = (Vec::new(), Vec::new(), 0);
    for split in [Some(Split::Train), Some(Split::Validation), Some(Split::Test), None] {
        let Some(place) = places.get(&(split, Role::Images)) else { continue };
        let Some(npz) = archives.get_mut(place.0) else { continue };
        let images = npz.images(&place.1, MAX_UNPACKED_BYTES - unpacked)?;
        unpacked += images.memory_bytes();
        let name = images.name().to_owned();
        let Some(labels_at) = places.get(&(split, Role::Labels)) else {
            let reason = "there is no array of labels for it; save one called labels beside it";
            return Err(DataError::unusable(&name, reason));
        };
        let labels = archives.get_mut(labels_at.0).map_or_else(|| Ok(Vec::new()), |npz| npz.integers(&labels_at.1))?;
        if labels.len() != images.count as usize {
            let reason = format!("it has {} images, but there are {} labels for it", images.count, labels.len());
            return Err(DataError::unusable(&name, reason));
        }
        let names_at = places.get(&(split, Role::Names)).or_else(|| places.get(&(None, Role::Names)));
        let names = names_at.and_then(|at| archives.get_mut(at.0).map(|npz| npz.texts(&at.1))).transpose()?;
        found.extend(by_label(&labels, names.as_deref(), split, arrays.len() as u32, &name)?);
        arrays.push(images);
    }
    if arrays.is_empty() {
        let source = archives.first().map_or("", Npz::name);
        let held = archives.iter().flat_map(Npz::arrays).take(8).collect::<Vec<_>>().join(", ");
        let reason = format!(
            "it holds no array of images (it has: {held}); call the images `images` and their labels `labels`, and \
             the files train.npz, val.npz and test.npz"
        );
        return Err(DataError::unusable(source, reason));
    }
    Ok((arrays, found))
}

/// One class for every label that occurs.
fn by_label(
    labels: &[i64],
    names: Option<&[String]>,
    split: Option<Split>,
    array: u32,
    images: &str,
) -> Result<Vec<FoundClass<Row>>, DataError> {
    let mut rows: BTreeMap<i64, Vec<Row>> = BTreeMap::new();
    for (&label, row) in labels.iter().zip(0..) {
        rows.entry(label).or_default().push(Row { array, row });
    }
    let name = |label: i64| match names {
        Some(names) => usize::try_from(label).ok().and_then(|label| names.get(label)).cloned().ok_or_else(|| {
            let reason = format!("its label {label} has no name: class_names has {} names", names.len());
            DataError::unusable(images, reason)
        }),
        // Labels may begin anew in every split.
        None => Ok(split.map_or_else(|| label.to_string(), |split| format!("{split} {label}"))),
    };
    rows.into_iter().map(|(label, images)| Ok(FoundClass { name: name(label)?, images, split })).collect()
}

/// A data set of images in arrays.
pub(super) struct ArraySet {
    index: ClassIndex<Row>,
    arrays: Vec<ImageArray>,
    framing: Framing,
    cache: PixelCache,
}

impl ArraySet {
    pub(super) fn new(
        spec: String,
        arrays: Vec<ImageArray>,
        found: Vec<FoundClass<Row>>,
        options: &OpenOptions,
    ) -> Result<Self, DataError> {
        let size = decode::check_image_size(options.image_size.unwrap_or(DEFAULT_IMAGE_SIZE))?;
        Ok(ArraySet {
            index: ClassIndex::new(spec, found),
            arrays,
            framing: Framing::new(ImageShape { channels: 3, height: size, width: size }, options.center_crop)?,
            cache: PixelCache::new(options.cache_bytes),
        })
    }
}

impl Dataset for ArraySet {
    fn spec(&self) -> &str {
        self.index.spec()
    }

    fn image_shape(&self) -> ImageShape {
        self.framing.shape()
    }

    fn normalization(&self) -> Normalization {
        imagenet_statistics()
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
        let (number, &Row { array, row }) = self.index.image(split, class, index)?;
        let images = self.arrays.get(array as usize).ok_or_else(|| DataError::NoSuchImage {
            spec: self.index.spec().to_owned(),
            split,
            class,
            index,
        })?;
        self.cache.get_or_decode(number, || images.pixels(row, self.framing))
    }
}
