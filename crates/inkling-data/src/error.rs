//! Everything that can go wrong between a data specification and the pixels of an episode.

use crate::Split;

/// An error of this crate; each message says what happened, where, and what to do.
///
/// `name` and `path` fields say where: a file, or `ARCHIVE: ENTRY` for a file inside an archive.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A data specification that is malformed or names nothing known.
    #[error("{0}")]
    Specification(String),

    /// A setting outside its range.
    #[error("{name} = {value} is not possible: {remedy}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// What it was set to.
        value: String,
        /// Which values are possible.
        remedy: String,
    },

    /// A file or folder that is not where the specification says.
    #[error("{path} holds no {wanted}; {remedy}")]
    Missing {
        /// Where it was looked for.
        path: String,
        /// What was looked for.
        wanted: String,
        /// What to do.
        remedy: String,
    },

    /// The operating system could not read or write a file.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// `read`, `list`, `write`, …
        action: &'static str,
        /// The file or folder.
        path: String,
        /// The system's own words.
        source: std::io::Error,
    },

    /// An archive that is truncated, corrupt, encrypted, or no zip at all.
    #[error("{name} is not a readable zip archive ({reason}); fetch or pack it again")]
    Archive {
        /// The archive, and the entry where there is one.
        name: String,
        /// What the reader met.
        reason: String,
    },

    /// A file or archive entry over the size that this crate is willing to hold.
    #[error("{name} has {bytes} bytes or more, over the limit of {limit_bytes}; remove or shrink it")]
    FileTooLarge {
        /// The file.
        name: String,
        /// Its size, as far as it was read or declared.
        bytes: u64,
        /// The limit.
        limit_bytes: u64,
    },

    /// An archive with more entries than this crate is willing to index.
    #[error("{name} has {entries} entries, over the limit of {limit}; split it")]
    TooManyEntries {
        /// The archive or folder.
        name: String,
        /// Its entries, as far as they were counted.
        entries: usize,
        /// The limit.
        limit: usize,
    },

    /// An image that is truncated, corrupt, or of a format that is not supported.
    #[error("{name} is not a readable image ({reason}); replace or remove it")]
    Image {
        /// The image.
        name: String,
        /// What the decoder met.
        reason: String,
    },

    /// An image over the size limits that guard against decompression bombs.
    #[error(
        "{name} is {width}×{height} pixels, over the limit of {max_side} per side and {max_pixels} in all; scale it down"
    )]
    ImageTooLarge {
        /// The image.
        name: String,
        /// Its declared columns.
        width: u32,
        /// Its declared rows.
        height: u32,
        /// The most columns or rows.
        max_side: u32,
        /// The most pixels.
        max_pixels: u64,
    },

    /// A class folder without a single image.
    #[error("the class folder {path} holds no JPEG, PNG, WebP, BMP or GIF image; add images or remove the folder")]
    EmptyClass {
        /// The folder.
        path: String,
    },

    /// A source with a single class, where telling classes apart needs two.
    #[error("{path} has one class only ({class}); add a folder for at least one other class")]
    OneClass {
        /// The folder or archive.
        path: String,
        /// The one class.
        class: String,
    },

    /// A split with fewer classes than an episode has ways.
    #[error(
        "the {split} split of {spec} has {has} class(es), an episode needs {needs}; lower the ways, choose another split or add classes"
    )]
    TooFewClasses {
        /// The data set.
        spec: String,
        /// The split.
        split: Split,
        /// The classes it has.
        has: u32,
        /// The classes that are needed.
        needs: u32,
    },

    /// A class with fewer images than an episode takes from it.
    #[error(
        "class {class} ({split} split of {spec}) has {has} image(s), an episode needs {needs} (support and query together); add images, lower shots or queries, or remove the class"
    )]
    TooFewImages {
        /// The data set.
        spec: String,
        /// The split.
        split: Split,
        /// The class.
        class: String,
        /// The images it has.
        has: u32,
        /// The images that are needed.
        needs: u32,
    },

    /// A class that has too few images left for an episode, without those that cannot be read.
    #[error(
        "class {class} ({split} split of {spec}) has too few readable images for an episode: {unreadable} cannot be read, such as {example}; replace them, add others, or lower shots or queries"
    )]
    TooFewReadable {
        /// The data set.
        spec: String,
        /// The split.
        split: Split,
        /// The class.
        class: String,
        /// How many of its images cannot be read, as far as they were tried.
        unreadable: u32,
        /// What is wrong with one of them.
        example: String,
    },

    /// A class or image number that the data set does not have.
    #[error(
        "{spec} has no image {index} in class {class} of its {split} split; the data may have changed since the episode was planned"
    )]
    NoSuchImage {
        /// The data set.
        spec: String,
        /// The split.
        split: Split,
        /// The class within the split.
        class: u32,
        /// The image within the class.
        index: u32,
    },

    /// A split file that cannot be understood or does not fit its data set.
    #[error("split file {name}: {reason}")]
    SplitFile {
        /// The file.
        name: String,
        /// What is wrong, and what to do.
        reason: String,
    },

    /// A data set's file that is damaged, incomplete, or not of the form that is read.
    #[error("{name} cannot be used: {reason}")]
    Unusable {
        /// The file, and the place in it where there is one.
        name: String,
        /// What is wrong, and what to do.
        reason: String,
    },

    /// An image could not be encoded.
    #[error("cannot encode the picture as PNG: {0}")]
    Encode(String),
}

impl DataError {
    /// Whether a single image is damaged or too large, and the others may be sound.
    pub fn is_of_one_image(&self) -> bool {
        use DataError::{Archive, FileTooLarge, Image, ImageTooLarge};
        matches!(self, Image { .. } | ImageTooLarge { .. } | FileTooLarge { .. } | Archive { .. })
    }

    pub(crate) fn image(name: &str, reason: impl ToString) -> Self {
        DataError::Image { name: name.to_owned(), reason: reason.to_string() }
    }

    pub(crate) fn unusable(name: &str, reason: impl ToString) -> Self {
        DataError::Unusable { name: name.to_owned(), reason: reason.to_string() }
    }

    pub(crate) fn archive(name: &str, reason: impl ToString) -> Self {
        DataError::Archive { name: name.to_owned(), reason: reason.to_string() }
    }
}
