//! Where the image files of a class and its split are found: split CSVs, split folders, or class
//! folders alone.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

use super::split_word;
use crate::class_index::FoundClass;
use crate::folder;
use crate::store::{Entry, Listing, Store};
use crate::{DataError, Split, decode};

const MAX_CSV_BYTES: u64 = 256 << 20;

/// The classes of a store of image files, sorted by split and name.
pub(super) fn classes(store: &Store) -> Result<Vec<FoundClass<Entry>>, DataError> {
    let listing = store.list()?;
    let csvs: Vec<(Split, &Entry)> = listing
        .files
        .iter()
        .filter_map(|entry| {
            let (stem, extension) = entry.file_name().rsplit_once('.')?;
            split_word(stem).filter(|_| extension.eq_ignore_ascii_case("csv")).map(|split| (split, entry))
        })
        .collect();
    if !csvs.is_empty() {
        return from_csvs(store, &csvs, &listing.files);
    }
    match from_split_folders(&listing) {
        Some(found) => Ok(found),
        None => Ok(folder::class_folders_of(store.name(), listing)?
            .into_iter()
            .map(|(name, images)| FoundClass { name, images, split: None })
            .collect()),
    }
}

/// Classes by split and name, collected image by image.
type Collected = BTreeMap<(Split, String), Vec<Entry>>;

fn found(collected: Collected) -> Vec<FoundClass<Entry>> {
    let class = |((split, name), images)| FoundClass { name, images, split: Some(split) };
    collected.into_iter().map(class).collect()
}

/// `SPLIT/CLASS/…/FILE`, below any folders that all images share; none when it is not laid out so.
fn from_split_folders(listing: &Listing) -> Option<Vec<FoundClass<Entry>>> {
    let images: Vec<Entry> =
        listing.files.iter().filter(|entry| decode::has_image_extension(entry.file_name())).cloned().collect();
    let depth = folder::wrapping_folders(&images);
    let mut collected = Collected::new();
    for entry in images {
        let [split, class, _, ..] = entry.parts.get(depth..)? else { return None };
        collected.entry((split_word(split)?, class.clone())).or_default().push(entry);
    }
    (!collected.is_empty()).then(|| found(collected))
}

/// A line of a split CSV; further columns are left alone.
#[derive(Deserialize)]
struct Row {
    filename: String,
    label: String,
}

fn from_csvs(store: &Store, csvs: &[(Split, &Entry)], files: &[Entry]) -> Result<Vec<FoundClass<Entry>>, DataError> {
    let mut by_name: HashMap<&str, Vec<&Entry>> = HashMap::new();
    for entry in files.iter().filter(|entry| decode::has_image_extension(entry.file_name())) {
        by_name.entry(entry.file_name()).or_default().push(entry);
    }
    let mut collected = Collected::new();
    let mut seen: [Option<&Entry>; 3] = [None; 3];
    for &(split, csv) in csvs {
        let name = store.entry_name(csv);
        if let Some(other) = seen[split as usize].replace(csv) {
            let reason = format!("{} lists the {split} split too; keep one of them", store.entry_name(other));
            return Err(DataError::unusable(&name, reason));
        }
        let bytes = store.read(csv, MAX_CSV_BYTES)?;
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(bytes.as_slice());
        for row in reader.deserialize() {
            let Row { filename, label } = row.map_err(|error| {
                let reason = format!("{error}; it should have the columns filename and label");
                DataError::unusable(&name, reason)
            })?;
            let image = locate(&by_name, &filename, &label).map_err(|reason| DataError::unusable(&name, reason))?;
            collected.entry((split, label)).or_default().push(image.clone());
        }
    }
    Ok(found(collected))
}

/// The image that a line names: alone of its name, or in the folder that the line or its label says.
fn locate<'a>(by_name: &HashMap<&str, Vec<&'a Entry>>, filename: &str, label: &str) -> Result<&'a Entry, String> {
    let parts: Vec<&str> = filename.split(['/', '\\']).filter(|part| !part.is_empty() && *part != ".").collect();
    let candidates = parts.last().and_then(|name| by_name.get(name)).map_or(&[][..], Vec::as_slice);
    let ends_with = |entry: &Entry, parts: &[&str]| {
        entry.parts.len() >= parts.len() && entry.parts.iter().rev().zip(parts.iter().rev()).all(|(a, b)| a == b)
    };
    let as_written: Vec<&Entry> = candidates.iter().copied().filter(|entry| ends_with(entry, &parts)).collect();
    let in_class: Vec<&str> = std::iter::once(label).chain(parts).collect();
    let of_class = as_written.iter().copied().filter(|entry| ends_with(entry, &in_class)).collect::<Vec<_>>();
    match (as_written.as_slice(), of_class.as_slice()) {
        (&[image], _) | (_, &[image]) => Ok(image),
        ([], _) => Err(format!("it lists {filename}, which is not among the images; add it or remove the line")),
        (several, _) => Err(format!(
            "it lists {filename}, and there are {} images of this name; put each into a folder of its label",
            several.len()
        )),
    }
}
