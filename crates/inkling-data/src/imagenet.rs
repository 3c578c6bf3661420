//! mini-ImageNet (Vinyals et al. 2016, in the split of Ravi and Larochelle 2017) and tiered-ImageNet
//! (Ren et al. 2018), in the forms in which people have them: images in folders, images with split
//! CSVs, or npz arrays. Pickles can run code and are never opened.

#[cfg(not(target_arch = "wasm32"))]
use std::path::{Path, PathBuf};
use std::sync::Arc;

mod arrays;
mod classes;
mod layout;
mod pickles;

use crate::class_index::{self, FoundClass};
use crate::class_split::ClassLists;
use crate::store::{Entry, Store};
use crate::{DataError, Dataset, Folder, OpenOptions, Split};
use arrays::ArraySet;

/// The two subsets of ImageNet that are used for learning from few images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImagenetSubset {
    /// 100 classes of 600 images: 64 train, 16 validate, 20 test.
    Mini,
    /// 608 classes of about 1,280 images in 34 groups: 351 train, 97 validate, 160 test.
    Tiered,
}

impl ImagenetSubset {
    /// The name in a data specification.
    pub fn name(self) -> &'static str {
        match self {
            ImagenetSubset::Mini => "mini-imagenet",
            ImagenetSubset::Tiered => "tiered-imagenet",
        }
    }

    /// Opens the data set at `path`, in whichever form it lies there:
    ///
    /// - a folder, or a zip archive of one, with image files and `train.csv`, `val.csv`, `test.csv`
    ///   (columns `filename` and `label`);
    /// - the same with folders `train`, `val`, `test` of class folders;
    /// - the same with class folders alone, when a split file says which is which, or for
    ///   mini-ImageNet when the folders have their WordNet names (`n01532829`);
    /// - an npz file, or a folder of npz files. An array `images` (or `image_data`, `data`,
    ///   `features`, `x`) is `uint8` `[images, height, width, 3]`, one `labels` (or `label`,
    ///   `label_specific`, `targets`, `y`) has a whole number for each image, and `class_names`
    ///   may name what they count. The split is a word of the file's name (`train_images.npz`,
    ///   `few-shot-val.npz`) or of the array's (`test_labels`).
    ///
    /// A split file of the options takes the place of the split that is found.
    ///
    /// # Errors
    /// When nothing is there, the form is none of these, or files contradict each other.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn open(self, path: &Path, options: &OpenOptions) -> Result<Arc<dyn Dataset>, DataError> {
        let lists = ClassLists::of(options)?;
        let lists = lists.as_ref().map(|(lists, file)| (lists, file.as_str()));
        let spec = format!("{}:{}", self.name(), path.display());
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).filter(|_| path.is_file());
        if let Some(name) = name {
            pickles::refuse(&name, &path.display().to_string())?;
            if arrays::is_npz(&name) {
                return self.open_arrays(spec, &[path.to_owned()], options, lists);
            }
        }
        let store = Store::open(path)?;
        let listing = store.list()?;
        if listing.files.iter().any(|entry| crate::decode::has_image_extension(entry.file_name())) {
            return self.image_set(spec, store, options, lists);
        }
        let arrays = listing.files.iter().filter(|entry| arrays::is_npz(entry.file_name()));
        let arrays: Vec<PathBuf> = arrays.filter_map(|entry| store.entry_path(entry)).collect();
        let refuse_pickle = |which: &dyn Fn(&Entry) -> bool| {
            let mut pickles = listing.files.iter().filter(|entry| which(entry));
            pickles.try_for_each(|entry| pickles::refuse(entry.file_name(), &store.entry_name(entry)))
        };
        if arrays.is_empty() {
            refuse_pickle(&|_| true)?;
            return Err(DataError::Missing {
                path: path.display().to_string(),
                wanted: "images and no npz arrays".to_owned(),
                remedy: format!("`inkling data list` names the forms in which {} is read", self.name()),
            });
        }
        let opened = self.open_arrays(spec, &arrays, options, lists);
        if opened.is_err() {
            // The images may be arrays and the labels still a pickle.
            refuse_pickle(&|entry| pickles::is_unconverted_labels(entry.file_name(), &listing.files))?;
        }
        opened
    }

    /// Opens a zip archive of image files, or an npz archive, in memory, as a browser hands it over.
    ///
    /// `name` stands for it in messages and, for npz, may say the split. The split file of the
    /// options is not read; `lists` takes its place.
    ///
    /// # Errors
    /// As `ImagenetSubset::open`.
    pub fn open_bytes(
        self,
        name: &str,
        bytes: Vec<u8>,
        options: &OpenOptions,
        lists: Option<&ClassLists>,
    ) -> Result<Arc<dyn Dataset>, DataError> {
        pickles::refuse(name, name)?;
        let lists = lists.map(|lists| (lists, "given with the archive"));
        let spec = format!("{}:{name}", self.name());
        if arrays::is_npz(name) {
            let npz = arrays::open_bytes(name, bytes)?;
            return self.array_set(spec, vec![npz], options, lists);
        }
        self.image_set(spec, Store::from_bytes(name, bytes)?, options, lists)
    }

    fn image_set(
        self,
        spec: String,
        store: Store,
        options: &OpenOptions,
        lists: Option<(&ClassLists, &str)>,
    ) -> Result<Arc<dyn Dataset>, DataError> {
        let found: Vec<FoundClass<Entry>> = layout::classes(&store)?;
        let found = self.split(found, store.name(), lists)?;
        Ok(Arc::new(Folder::assemble(spec, store, found, options)?))
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn open_arrays(
        self,
        spec: String,
        paths: &[PathBuf],
        options: &OpenOptions,
        lists: Option<(&ClassLists, &str)>,
    ) -> Result<Arc<dyn Dataset>, DataError> {
        let archives = paths.iter().map(|path| arrays::open_file(path)).collect::<Result<_, _>>()?;
        self.array_set(spec, archives, options, lists)
    }

    fn array_set(
        self,
        spec: String,
        archives: Vec<crate::npz::Npz>,
        options: &OpenOptions,
        lists: Option<(&ClassLists, &str)>,
    ) -> Result<Arc<dyn Dataset>, DataError> {
        let source = archives.first().map_or_else(String::new, |npz| npz.name().to_owned());
        let (images, found) = arrays::classes(archives)?;
        let found = self.split(found, &source, lists)?;
        Ok(Arc::new(ArraySet::new(spec, images, found, options)?))
    }

    /// Gives every class its split: by the lists, as it was found, or as published.
    fn split<I>(
        self,
        mut found: Vec<FoundClass<I>>,
        source: &str,
        lists: Option<(&ClassLists, &str)>,
    ) -> Result<Vec<FoundClass<I>>, DataError> {
        class_index::check_distinct(&found, source)?;
        if let Some((lists, file)) = lists {
            class_index::assign(&mut found, lists, file)?;
        } else if found.iter().any(|class| class.split.is_none()) {
            let published = |name: &str| classes::mini_split(name).filter(|_| self == ImagenetSubset::Mini);
            let splits: Option<Vec<Split>> = found.iter().map(|class| published(&class.name)).collect();
            let Some(splits) = splits else {
                return Err(DataError::Missing {
                    path: source.to_owned(),
                    wanted: "split".to_owned(),
                    remedy: "put train.csv, val.csv and test.csv beside the images, sort the class folders into \
                             folders train, val and test, or give a split file (data.split_file)"
                        .to_owned(),
                });
            };
            found.iter_mut().zip(splits).for_each(|(class, split)| class.split = Some(split));
        }
        Ok(found)
    }
}

/// The split that a word names, in any case.
fn split_word(word: &str) -> Option<Split> {
    match word.to_ascii_lowercase().as_str() {
        "train" => Some(Split::Train),
        "val" | "valid" | "validation" => Some(Split::Validation),
        "test" => Some(Split::Test),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
