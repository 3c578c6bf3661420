//! Data sets from files that a person picked or dropped: nothing is read from a disk, so that it
//! works in a browser too.

use std::sync::Arc;

use crate::store::Store;
use crate::{Cifar, CifarSplit, DataError, Dataset, Folder, ImagenetSubset, Omniglot, OpenOptions};

/// Opens the data set called `name` from the bytes of its files, each with its name or its path
/// within what was picked:
///
/// - `folder`: one zip archive of class folders, or the images themselves as `CLASS/IMAGE`;
/// - `omniglot`: `images_background.zip` and `images_evaluation.zip`;
/// - `cifar-fs` and `fc100`: `cifar-100-binary.tar.gz`;
/// - `mini-imagenet` and `tiered-imagenet`: one zip archive of images, or npz.
///
/// A split file of the options is not read.
///
/// # Errors
/// When a file is missing, or what was picked cannot be used; each says what to pick instead.
pub fn open_picked(
    name: &str,
    files: Vec<(String, Vec<u8>)>,
    options: &OpenOptions,
) -> Result<Arc<dyn Dataset>, DataError> {
    match name {
        "folder" => open_folder(files, options),
        "omniglot" => {
            let background = find(&files, name, "images_background.zip")?;
            let evaluation = find(&files, name, "images_evaluation.zip")?;
            Ok(Arc::new(Omniglot::from_archives(background, evaluation, options)?))
        }
        "cifar-fs" => open_cifar(CifarSplit::CifarFs, &files, options),
        "fc100" => open_cifar(CifarSplit::Fc100, &files, options),
        "mini-imagenet" => open_imagenet(ImagenetSubset::Mini, files, options),
        "tiered-imagenet" => open_imagenet(ImagenetSubset::Tiered, files, options),
        _ => Err(DataError::Specification(format!(
            "no data set called {name:?} opens from picked files; folder, omniglot, cifar-fs, fc100, mini-imagenet \
             and tiered-imagenet do"
        ))),
    }
}

fn open_folder(mut files: Vec<(String, Vec<u8>)>, options: &OpenOptions) -> Result<Arc<dyn Dataset>, DataError> {
    let is_zip = |(name, _): &(String, Vec<u8>)| ends_with(name, ".zip");
    if files.len() == 1 && files.iter().all(is_zip) {
        let Some((name, bytes)) = files.pop() else { return Err(nothing("folder", "a zip archive")) };
        return Ok(Arc::new(Folder::from_zip(file_name(&name), bytes, options, None)?));
    }
    if files.is_empty() {
        return Err(nothing("folder", "a folder of class folders, or a zip archive of one"));
    }
    Ok(Arc::new(Folder::from_store("folder", Store::from_files("the picked files", files)?, options)?))
}

fn open_cifar(
    split: CifarSplit,
    files: &[(String, Vec<u8>)],
    options: &OpenOptions,
) -> Result<Arc<dyn Dataset>, DataError> {
    // Browsers rename what is downloaded twice: the form counts, not the whole name.
    let wanted = "cifar-100-binary.tar.gz";
    let found = files.iter().find(|(name, _)| ends_with(name, ".tar.gz") || ends_with(name, ".tgz"));
    let (name, bytes) = found.ok_or_else(|| nothing(split.name(), wanted))?;
    Ok(Arc::new(Cifar::from_archive(split, file_name(name), bytes, options, None)?))
}

fn open_imagenet(
    subset: ImagenetSubset,
    files: Vec<(String, Vec<u8>)>,
    options: &OpenOptions,
) -> Result<Arc<dyn Dataset>, DataError> {
    match files.into_iter().next() {
        Some((name, bytes)) => subset.open_bytes(file_name(&name), bytes, options, None),
        None => Err(nothing(subset.name(), "one zip archive of images, or npz")),
    }
}

/// The bytes of the file of this name, in whichever folder it was picked; a copy's number does not
/// matter (`images_background (1).zip`).
fn find<'f>(files: &'f [(String, Vec<u8>)], set: &str, wanted: &str) -> Result<&'f [u8], DataError> {
    let (stem, extension) = wanted.split_once('.').unwrap_or((wanted, ""));
    let fits = |name: &str| file_name(name).starts_with(stem) && ends_with(name, extension);
    let found = files.iter().find(|(name, _)| fits(name));
    found.map(|(_, bytes)| bytes.as_slice()).ok_or_else(|| nothing(set, wanted))
}

fn nothing(set: &str, wanted: &str) -> DataError {
    DataError::Missing {
        path: "what was picked".to_owned(),
        wanted: wanted.to_owned(),
        remedy: format!("pick {wanted} to open {set}"),
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

fn ends_with(name: &str, end: &str) -> bool {
    name.to_ascii_lowercase().ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::zip_of;
    use crate::{Split, png_bytes};

    /// Four classes of two images each.
    fn images() -> Vec<(String, Vec<u8>)> {
        let image = |class: u8, number: u8| {
            let picture = image::RgbImage::from_pixel(8, 8, image::Rgb([class * 40, number * 90, 7]));
            (format!("photos/class-{class}/{number}.png"), png_bytes(&picture).unwrap())
        };
        (0..4).flat_map(|class| (0..2).map(move |number| image(class, number))).collect()
    }

    fn options() -> OpenOptions {
        OpenOptions { image_size: Some(16), ..OpenOptions::default() }
    }

    #[test]
    fn loose_images_are_the_data_set_of_their_zip() {
        let loose = open_picked("folder", images(), &options()).unwrap();
        let zip = open_picked("folder", vec![("a/b.ZIP".to_owned(), zip_of(&images()))], &options()).unwrap();
        assert_eq!((loose.spec(), zip.spec()), ("folder:folder", "folder:b.ZIP"));
        let mut seen = 0;
        for split in Split::ALL {
            assert_eq!(loose.class_count(split), zip.class_count(split));
            for class in 0..loose.class_count(split) {
                assert_eq!(loose.class_name(split, class), zip.class_name(split, class));
                for index in 0..2 {
                    assert_eq!(loose.pixels(split, class, index).unwrap(), zip.pixels(split, class, index).unwrap());
                    seen += 1;
                }
            }
        }
        assert_eq!(seen, 8);
    }

    #[test]
    fn what_is_missing_is_named_with_the_remedy() {
        let message = |name, files| open_picked(name, files, &options()).err().unwrap().to_string();
        let other = vec![("notes.txt".to_owned(), vec![1])];
        assert!(message("omniglot", other.clone()).contains("pick images_background.zip"));
        assert!(message("cifar-fs", other.clone()).contains("pick cifar-100-binary.tar.gz"));
        assert!(message("folder", Vec::new()).contains("class folders"));
        assert!(message("glyphs", Vec::new()).contains("omniglot"));
        assert!(!message("folder", other).is_empty());
        let damaged =
            vec![("images_background (1).zip".to_owned(), vec![1]), ("images_evaluation.zip".to_owned(), vec![])];
        assert!(message("omniglot", damaged).contains("images_background.zip"));
        let truncated = vec![("cifar-100-binary.tar.gz".to_owned(), vec![0x1f, 0x8b, 8])];
        assert!(message("fc100", truncated).contains("cifar-100-binary.tar.gz"));
    }
}
