//! Photographs in one folder per class, on disk or inside a zip archive. Images are decoded and
//! resized when asked for, and kept in a cache with a byte budget, so a background thread that
//! loads the next episode takes decoding off the critical path.

use std::collections::BTreeMap;
#[cfg(not(target_arch = "wasm32"))]
use std::path::Path;

use crate::cache::PixelCache;
use crate::class_index::{self, ClassIndex, FoundClass};
use crate::class_split::{self, ClassLists};
use crate::photos::{Photos, Unreadable};
use crate::store::{Entry, Listing, Store};
use crate::{DataError, Dataset, Framing, ImageId, ImageShape, Normalization, OpenOptions, Pixels, Split, decode};

/// The side to which photographs are scaled unless another is asked for.
pub const DEFAULT_IMAGE_SIZE: u32 = 84;

/// A data set of one folder per class.
pub struct Folder {
    index: ClassIndex<Entry>,
    photos: Photos,
    unreadable: Unreadable,
    cache: PixelCache,
}

impl Folder {
    /// Opens a folder, or a zip archive of one.
    ///
    /// A single folder around the class folders is looked through. Images may lie in folders below
    /// their class folder.
    ///
    /// # Errors
    /// When nothing is there, a class folder holds no image, there is one class only, or the split
    /// file does not fit.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn open(path: &Path, options: &OpenOptions) -> Result<Self, DataError> {
        let lists = ClassLists::of(options)?;
        let spec = format!("folder:{}", path.display());
        let lists = lists.as_ref().map(|(lists, name)| (lists, name.as_str()));
        Self::load(spec, Store::open(path)?, options, lists)
    }

    /// Opens a zip archive in memory, as a browser hands it over; `name` stands for it in messages.
    ///
    /// The split file of the options is not read; `lists` takes its place.
    ///
    /// # Errors
    /// As [`Folder::open`].
    pub fn from_zip(
        name: &str,
        bytes: Vec<u8>,
        options: &OpenOptions,
        lists: Option<&ClassLists>,
    ) -> Result<Self, DataError> {
        let lists = lists.map(|lists| (lists, "given with the archive"));
        Self::load(format!("folder:{name}"), Store::from_bytes(name, bytes)?, options, lists)
    }

    /// Opens the class folders of a store; `name` stands for it in messages.
    pub(crate) fn from_store(name: &str, store: Store, options: &OpenOptions) -> Result<Self, DataError> {
        Self::load(format!("folder:{name}"), store, options, None)
    }

    fn load(
        spec: String,
        store: Store,
        options: &OpenOptions,
        lists: Option<(&ClassLists, &str)>,
    ) -> Result<Self, DataError> {
        let found = class_folders(&store)?;
        if let [(class, _)] = found.as_slice() {
            return Err(DataError::OneClass { path: store.name().to_owned(), class: class.clone() });
        }
        let splits = class_split::draw(found.len(), options.split_counts, options.seed)?;
        let mut found: Vec<_> =
            found.into_iter().zip(splits).map(|((name, images), split)| FoundClass { name, images, split }).collect();
        if let Some((lists, file)) = lists {
            class_index::assign(&mut found, lists, file)?;
        }
        Self::assemble(spec, store, found, options)
    }

    /// A data set of classes whose images a store holds, wherever they lie in it.
    pub(crate) fn assemble(
        spec: String,
        store: Store,
        found: Vec<FoundClass<Entry>>,
        options: &OpenOptions,
    ) -> Result<Self, DataError> {
        let size = decode::check_image_size(options.image_size.unwrap_or(DEFAULT_IMAGE_SIZE))?;
        let framing = Framing::new(ImageShape { channels: 3, height: size, width: size }, options.center_crop)?;
        Ok(Folder {
            index: ClassIndex::new(spec, found),
            photos: Photos::new(store, framing),
            unreadable: Unreadable::new(options.strict),
            cache: PixelCache::new(options.cache_bytes),
        })
    }
}

impl Dataset for Folder {
    fn spec(&self) -> &str {
        self.index.spec()
    }

    fn image_shape(&self) -> ImageShape {
        self.photos.framing().shape()
    }

    /// The statistics of ImageNet, usual for photographs, so that opening decodes no image.
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
        let (number, entry) = self.index.image(split, class, index)?;
        self.cache.get_or_decode(number, || self.photos.read(entry))
    }

    fn skip(&self, image: ImageId, error: DataError) -> Result<(), DataError> {
        let (number, _) = self.index.image(image.split, image.class, image.index)?;
        self.unreadable.skip(number, error)
    }

    fn skipped(&self, from: usize) -> Vec<String> {
        self.unreadable.messages(from)
    }
}

/// The mean and standard deviation of ImageNet's training images, usual for photographs.
pub(crate) fn imagenet_statistics() -> Normalization {
    Normalization { mean: vec![0.485, 0.456, 0.406], std: vec![0.229, 0.224, 0.225] }
}

/// The classes of a store with their images, sorted by name; every class has an image.
pub(crate) fn class_folders(store: &Store) -> Result<Vec<(String, Vec<Entry>)>, DataError> {
    class_folders_of(store.name(), store.list()?)
}

/// [`class_folders`] of a store that has been listed.
pub(crate) fn class_folders_of(store: &str, listing: Listing) -> Result<Vec<(String, Vec<Entry>)>, DataError> {
    let Listing { mut files, folders } = listing;
    files.retain(|entry| entry.parts.last().is_some_and(|name| decode::has_image_extension(name)));
    if files.is_empty() {
        return Err(DataError::Missing {
            path: store.to_owned(),
            wanted: "JPEG, PNG, WebP, BMP or GIF images".to_owned(),
            remedy: "it should hold one folder of images per class".to_owned(),
        });
    }
    let depth = wrapping_folders(&files);
    let mut classes: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
    for folder in folders.into_iter().filter(|folder| folder.len() == depth + 1) {
        classes.extend(folder.into_iter().next_back().map(|name| (name, Vec::new())));
    }
    for entry in files {
        // An image beside the class folders has no class.
        if entry.parts.len() > depth + 1
            && let Some(images) = classes.get_mut(&entry.parts[depth])
        {
            images.push(entry);
        }
    }
    if classes.is_empty() {
        return Err(DataError::Missing {
            path: store.to_owned(),
            wanted: "class folders".to_owned(),
            remedy: "put the images of each class into a folder of its own".to_owned(),
        });
    }
    match classes.iter().find(|(_, images)| images.is_empty()) {
        Some((name, _)) => Err(DataError::EmptyClass { path: format!("{store}: {name}") }),
        None => Ok(classes.into_iter().collect()),
    }
}

/// How many folders stand around the class folders: those that all images share, as long as a class
/// folder remains below.
pub(crate) fn wrapping_folders(files: &[Entry]) -> usize {
    let Some(first) = files.first() else { return 0 };
    let shared = |depth: usize| {
        files.iter().all(|entry| entry.parts.len() > depth + 2 && entry.parts.get(depth) == first.parts.get(depth))
    };
    (0..).take_while(|&depth| shared(depth)).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::zip_of;
    use image::{ImageFormat, Rgb, RgbImage};
    use proptest::prelude::*;
    use std::io::Cursor;

    fn png(value: u8) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        RgbImage::from_pixel(6, 5, Rgb([value, 0, 0])).write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    /// `classes` folders of three images each; the red of image `i` of class `c` is `10 c + i`.
    fn files(prefix: &str, classes: u8) -> Vec<(String, Vec<u8>)> {
        let each = |class: u8| (0..3).map(move |image| (class, image));
        (0..classes)
            .flat_map(each)
            .map(|(class, image)| (format!("{prefix}class{class:02}/{image}.png"), png(class * 10 + image)))
            .collect()
    }

    fn options() -> OpenOptions {
        OpenOptions { image_size: Some(4), ..OpenOptions::default() }
    }

    fn open(files: &[(String, Vec<u8>)]) -> Result<Folder, DataError> {
        Folder::from_zip("x.zip", zip_of(files), &options(), None)
    }

    #[test]
    fn classes_and_images_are_sorted_and_read() {
        for prefix in ["", "wrapped/", "twice/wrapped/"] {
            let folder = open(&files(prefix, 10)).unwrap();
            let counts = Split::ALL.map(|split| folder.class_count(split));
            assert_eq!(counts, [6, 2, 2], "{prefix}");
            for split in Split::ALL {
                let names: Vec<_> =
                    (0..folder.class_count(split)).map(|class| folder.class_name(split, class)).collect();
                assert!(names.is_sorted());
                for (class, name) in names.iter().enumerate() {
                    let number: u8 = name.trim_start_matches("class").parse().unwrap();
                    assert_eq!(folder.image_count(split, class as u32), 3);
                    for index in 0..3 {
                        let pixels = folder.pixels(split, class as u32, index).unwrap();
                        assert_eq!(pixels.len(), 48);
                        assert!(pixels[..16].iter().all(|&red| red == number * 10 + index as u8));
                    }
                }
            }
        }
    }

    #[test]
    fn mistakes_are_named() {
        let message = |files: &[(String, Vec<u8>)]| open(files).err().unwrap().to_string();
        assert!(message(&files("", 1)).contains("one class only (class00)"));
        assert!(message(&[]).contains("holds no JPEG"));
        assert!(message(&[("a.png".to_owned(), png(0))]).contains("holds no class folders"));
        let mut with_empty = files("", 3);
        with_empty.push(("class77/".to_owned(), Vec::new()));
        assert!(message(&with_empty).contains("class77 holds no JPEG"));
        let mut corrupt = files("", 3);
        corrupt.iter_mut().for_each(|(_, bytes)| bytes.truncate(40));
        let error = open(&corrupt).unwrap().pixels(Split::Test, 0, 1).unwrap_err();
        assert!(error.to_string().contains("x.zip: class0"), "{error}");
        assert!(error.to_string().contains("/1.png"), "{error}");
        let folder = open(&files("", 3)).unwrap();
        assert!(matches!(folder.pixels(Split::Test, 0, 3), Err(DataError::NoSuchImage { .. })));
        assert!(matches!(folder.pixels(Split::Test, 1, 0), Err(DataError::NoSuchImage { .. })));
    }

    #[test]
    fn a_split_file_decides() {
        let lists = ClassLists::parse("train = [\"class02\"]\ntest = [\"class00\"]", "x").unwrap();
        let folder = Folder::from_zip("x.zip", zip_of(&files("", 4)), &options(), Some(&lists)).unwrap();
        assert_eq!(Split::ALL.map(|split| folder.class_count(split)), [1, 0, 1]);
        assert_eq!(folder.class_name(Split::Train, 0), "class02");
        assert_eq!(folder.pixels(Split::Train, 0, 1).unwrap()[0], 21);
    }

    /// Everything one can ask of a damaged archive; any result will do but a panic.
    fn exercise(bytes: Vec<u8>) {
        let Ok(folder) = Folder::from_zip("x.zip", bytes, &options(), None) else { return };
        for split in Split::ALL {
            for class in 0..folder.class_count(split) {
                for index in 0..folder.image_count(split, class) {
                    let _ = folder.pixels(split, class, index);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn random_bytes_are_no_archive(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(Folder::from_zip("x.zip", bytes, &options(), None).is_err());
        }

        #[test]
        fn damaged_archives_do_not_panic(
            flips in proptest::collection::vec((any::<prop::sample::Index>(), 0u8..8), 1..6),
            keep in prop::option::of(any::<prop::sample::Index>()),
        ) {
            let mut bytes = zip_of(&files("", 3));
            for (at, bit) in flips {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << bit;
            }
            if let Some(keep) = keep {
                bytes.truncate(keep.index(bytes.len()));
            }
            exercise(bytes);
        }

        #[test]
        fn damaged_images_do_not_panic(
            format in prop::sample::select(vec![
                ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP, ImageFormat::Bmp, ImageFormat::Gif,
            ]),
            flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
            keep in any::<prop::sample::Index>(),
            truncate in any::<bool>(),
        ) {
            let mut bytes = Cursor::new(Vec::new());
            RgbImage::from_fn(20, 20, |x, y| Rgb([x as u8 * 9, y as u8 * 9, (x * y) as u8]))
                .write_to(&mut bytes, format).unwrap();
            let mut bytes = bytes.into_inner();
            for (at, value) in flips {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            if truncate {
                bytes.truncate(keep.index(bytes.len()));
            }
            let shape = ImageShape { channels: 3, height: 8, width: 8 };
            let result = decode::decode(&bytes, "x", shape);
            prop_assert!(result.is_err() || result.is_ok_and(|pixels| pixels.len() == shape.bytes()));
        }
    }
}
