//! Omniglot (Lake, Salakhutdinov and Tenenbaum 2015): 1,623 handwritten characters of 50
//! alphabets, 20 drawings each. Background characters train and validate, evaluation characters
//! test; every character stands for four classes, one per quarter turn.

#[cfg(not(target_arch = "wasm32"))]
use std::path::Path;

use crate::random::Numbers;
use crate::store::{Entry, Store};
use crate::{DataError, Dataset, ImageShape, Normalization, OpenOptions, Pixels, Split};
use crate::{area, decode};

/// The side to which drawings are averaged unless another is asked for.
pub const DEFAULT_IMAGE_SIZE: u32 = 28;
/// The drawings have a side of 105; anything much larger is no Omniglot.
const MAX_SOURCE_SIDE: u32 = 1024;
const MAX_FILE_BYTES: u64 = 1 << 20;
/// One background alphabet in this many is for validation: 5 of the official 30.
const ALPHABETS_PER_VALIDATION_ALPHABET: usize = 6;

/// Omniglot in memory: 25 MB of bytes at 28×28.
pub struct Omniglot {
    spec: String,
    image_size: u32,
    rotations: u32,
    normalization: Normalization,
    /// Characters of train, validation and test.
    characters: [Vec<Character>; 3],
    /// All drawings, `[drawings, image_size, image_size]`, white on black.
    drawings: Vec<u8>,
}

struct Character {
    alphabet: String,
    name: String,
    /// The first of its drawings in `Omniglot::drawings`.
    first: usize,
    drawings: u32,
}

impl Omniglot {
    /// Reads the two archives, or the folders unpacked from them, at `path` or one level below.
    ///
    /// # Errors
    /// When either half is missing, damaged, or not laid out as `ALPHABET/CHARACTER/FILE.png`.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn open(path: &Path, options: &OpenOptions) -> Result<Self, DataError> {
        let background = Store::open(&find_half(path, "images_background")?)?;
        let evaluation = Store::open(&find_half(path, "images_evaluation")?)?;
        Self::load(format!("omniglot:{}", path.display()), &background, &evaluation, options)
    }

    /// Reads the two archives from memory, as a browser hands them over.
    ///
    /// # Errors
    /// As [`Omniglot::open`].
    pub fn from_archives(background: &[u8], evaluation: &[u8], options: &OpenOptions) -> Result<Self, DataError> {
        let background = Store::from_bytes("images_background.zip", background.to_vec())?;
        let evaluation = Store::from_bytes("images_evaluation.zip", evaluation.to_vec())?;
        Self::load("omniglot".to_owned(), &background, &evaluation, options)
    }

    fn load(spec: String, background: &Store, evaluation: &Store, options: &OpenOptions) -> Result<Self, DataError> {
        let image_size = decode::check_image_size(options.image_size.unwrap_or(DEFAULT_IMAGE_SIZE))?;
        let mut drawings = Vec::new();
        let characters = read_half(background, image_size, &mut drawings)?;
        let normalization = statistics(&drawings);
        let test = read_half(evaluation, image_size, &mut drawings)?;
        let (train, validation) = split_by_alphabet(characters, options.seed);
        Ok(Omniglot {
            spec,
            image_size,
            rotations: if options.rotations { 4 } else { 1 },
            normalization,
            characters: [train, validation, test],
            drawings,
        })
    }

    fn characters(&self, split: Split) -> &[Character] {
        let [train, validation, test] = &self.characters;
        match split {
            Split::Train => train,
            Split::Validation => validation,
            Split::Test => test,
        }
    }

    /// Classes are all characters upright, then all turned by 90°, and so on, so that a class keeps
    /// its number when rotations are switched on.
    fn character(&self, split: Split, class: u32) -> Option<(&Character, u32)> {
        let characters = self.characters(split);
        let count = characters.len().max(1);
        let quarter_turns = class as usize / count;
        if quarter_turns >= self.rotations as usize {
            return None;
        }
        characters.get(class as usize % count).map(|character| (character, quarter_turns as u32))
    }
}

impl Dataset for Omniglot {
    fn spec(&self) -> &str {
        &self.spec
    }

    fn image_shape(&self) -> ImageShape {
        ImageShape { channels: 1, height: self.image_size, width: self.image_size }
    }

    /// The exact statistics of all background drawings, so they do not depend on the split's seed.
    fn normalization(&self) -> Normalization {
        self.normalization.clone()
    }

    fn class_count(&self, split: Split) -> u32 {
        self.characters(split).len() as u32 * self.rotations
    }

    fn class_name(&self, split: Split, class: u32) -> String {
        match self.character(split, class) {
            Some((character, 0)) => format!("{}/{}", character.alphabet, character.name),
            Some((character, turns)) => {
                format!("{}/{} turned {}°", character.alphabet, character.name, 90 * turns)
            }
            None => String::new(),
        }
    }

    fn image_count(&self, split: Split, class: u32) -> u32 {
        self.character(split, class).map_or(0, |(character, _)| character.drawings)
    }

    fn pixels(&self, split: Split, class: u32, index: u32) -> Result<Pixels, DataError> {
        let drawing = self.character(split, class).and_then(|(character, turns)| {
            let bytes = self.image_shape().bytes();
            let begin = (character.first + index as usize) * bytes;
            let found = self.drawings.get(begin..begin + bytes)?;
            (index < character.drawings).then(|| turn(found, self.image_size as usize, turns))
        });
        drawing.ok_or_else(|| DataError::NoSuchImage { spec: self.spec.clone(), split, class, index })
    }
}

/// Turns a square image anticlockwise by quarter turns.
fn turn(pixels: &[u8], side: usize, quarter_turns: u32) -> Pixels {
    let last = side - 1;
    let source = |row: usize, column: usize| match quarter_turns % 4 {
        0 => row * side + column,
        1 => column * side + last - row,
        2 => (last - row) * side + last - column,
        _ => (last - column) * side + row,
    };
    (0..side * side).map(|at| pixels.get(source(at / side, at % side)).copied().unwrap_or(0)).collect()
}

/// `NAME.zip` or `NAME/` in the folder or in one of its folders.
#[cfg(not(target_arch = "wasm32"))]
fn find_half(path: &Path, name: &str) -> Result<std::path::PathBuf, DataError> {
    let mut folders = vec![path.to_owned()];
    let entries = std::fs::read_dir(path).map_err(|source| crate::store::io_error("list", path, source))?;
    folders.extend(entries.filter_map(|entry| entry.ok().map(|entry| entry.path())));
    folders[1..].sort_unstable();
    for folder in folders {
        let (archive, unpacked) = (folder.join(format!("{name}.zip")), folder.join(name));
        // The archive comes first: a folder may be what an interrupted unpacking left behind.
        if archive.is_file() {
            return Ok(archive);
        }
        if unpacked.is_dir() {
            return Ok(unpacked);
        }
    }
    Err(DataError::Missing {
        path: path.display().to_string(),
        wanted: format!("{name}.zip and no folder {name}"),
        remedy: "fetch Omniglot there or give the folder that holds it".to_owned(),
    })
}

/// Reads the drawings of one half; returns its characters sorted by alphabet and name.
fn read_half(store: &Store, image_size: u32, drawings: &mut Vec<u8>) -> Result<Vec<Character>, DataError> {
    let shape_bytes = image_size as usize * image_size as usize;
    let mut characters: Vec<Character> = Vec::new();
    for (alphabet, name, entry) in sorted_drawings(store)? {
        let first = drawings.len() / shape_bytes;
        drawings.extend(read_drawing(store, &entry, image_size)?);
        match characters.last_mut() {
            Some(last) if last.alphabet == alphabet && last.name == name => last.drawings += 1,
            _ => characters.push(Character { alphabet, name, first, drawings: 1 }),
        }
    }
    if characters.is_empty() {
        return Err(DataError::Missing {
            path: store.name().to_owned(),
            wanted: "drawings laid out as ALPHABET/CHARACTER/FILE.png".to_owned(),
            remedy: "fetch Omniglot again".to_owned(),
        });
    }
    Ok(characters)
}

/// The drawings with their alphabet and character, sorted by all three names.
fn sorted_drawings(store: &Store) -> Result<Vec<(String, String, Entry)>, DataError> {
    let mut drawings: Vec<_> = store
        .list()?
        .files
        .into_iter()
        .filter_map(|entry| match entry.parts.as_slice() {
            [.., alphabet, character, file] if file.to_ascii_lowercase().ends_with(".png") => {
                Some((alphabet.clone(), character.clone(), entry))
            }
            _ => None,
        })
        .collect();
    drawings.sort_unstable();
    Ok(drawings)
}

/// One drawing, white on black, averaged to the image size.
fn read_drawing(store: &Store, entry: &Entry, image_size: u32) -> Result<Vec<u8>, DataError> {
    let name = store.entry_name(entry);
    let bytes = store.read(entry, MAX_FILE_BYTES)?;
    let grey = decode::decode_upright(&bytes, &name)?.into_luma8();
    let (width, height) = grey.dimensions();
    if width != height || width > MAX_SOURCE_SIDE {
        let reason = format!("{width}×{height} pixels, where Omniglot's drawings are 105×105");
        return Err(DataError::image(&name, reason));
    }
    let mut pixels = grey.into_raw();
    pixels.iter_mut().for_each(|value| *value = 255 - *value);
    Ok(area::average(&pixels, width, image_size))
}

/// Splits off the validation alphabets, chosen by seed; characters stay sorted.
fn split_by_alphabet(characters: Vec<Character>, seed: u64) -> (Vec<Character>, Vec<Character>) {
    let mut alphabets: Vec<&str> = characters.iter().map(|one| one.alphabet.as_str()).collect();
    alphabets.dedup();
    let count = alphabets.len();
    let share = (count + ALPHABETS_PER_VALIDATION_ALPHABET / 2) / ALPHABETS_PER_VALIDATION_ALPHABET;
    let held_out = if count < 2 { 0 } else { share.max(1) };
    Numbers::new(b"alphabet", seed, 0, 0).shuffle(&mut alphabets);
    let held_out: Vec<String> = alphabets.iter().take(held_out).map(|&one| one.to_owned()).collect();
    characters.into_iter().partition(|one| !held_out.contains(&one.alphabet))
}

/// Mean and standard deviation of all bytes, scaled to `0..=1`; sums are exact integers.
fn statistics(drawings: &[u8]) -> Normalization {
    let count = drawings.len().max(1) as f64;
    let sum: u64 = drawings.iter().map(|&value| u64::from(value)).sum();
    let squares: u64 = drawings.iter().map(|&value| u64::from(value) * u64::from(value)).sum();
    let mean = sum as f64 / count;
    let variance = (squares as f64 / count - mean * mean).max(0.0);
    // A blank data set has no spread to divide by; one leaves it as it is.
    let std = if variance > 0.0 { libm::sqrt(variance) / 255.0 } else { 1.0 };
    Normalization { mean: vec![(mean / 255.0) as f32], std: vec![std as f32] }
}
