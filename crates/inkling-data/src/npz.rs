//! NumPy's `.npz` archives: arrays in a zip. What `numpy.savez` stores is read image by image from
//! where it lies; what `numpy.savez_compressed` packs has to be unpacked into memory.

use std::io::{Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

use zip::read::ZipFile;
use zip::{CompressionMethod, ZipArchive};

use crate::npy::{self, Element, Header};
use crate::store::ReadSeek;
use crate::{DataError, Framing, Pixels, decode};

/// Arrays of one archive: a handful, not one per image.
const MAX_ARRAYS: usize = 10_000;
/// Labels and names: eight bytes for each of a hundred million images.
const MAX_SMALL_BYTES: u64 = 1 << 30;

/// An archive, open for listing and reading its arrays.
pub(crate) struct Npz {
    name: String,
    archive: ZipArchive<Box<dyn ReadSeek>>,
    /// The same bytes once more, for reading single images.
    images: Arc<Mutex<Box<dyn ReadSeek>>>,
}

impl Npz {
    /// Opens an archive; `reader` and `images` are two readers of the same bytes.
    pub(crate) fn new(name: String, reader: Box<dyn ReadSeek>, images: Box<dyn ReadSeek>) -> Result<Self, DataError> {
        let refuse = |reason: String| DataError::unusable(&name, reason);
        let archive = ZipArchive::new(reader)
            .map_err(|error| refuse(format!("it is no readable npz archive ({error}); copy or save it again")))?;
        if archive.len() > MAX_ARRAYS {
            return Err(refuse(format!("it has {} arrays; save all images as one array", archive.len())));
        }
        Ok(Npz { name, archive, images: Arc::new(Mutex::new(images)) })
    }

    /// The archive, as it appears in errors.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The names of the arrays, without `.npy`.
    pub(crate) fn arrays(&self) -> Vec<String> {
        let names = self.archive.file_names();
        names.filter_map(|name| name.ok()?.strip_suffix(".npy").map(str::to_owned)).collect()
    }

    /// All elements of an array of whole numbers in one dimension.
    pub(crate) fn integers(&mut self, array: &str) -> Result<Vec<i64>, DataError> {
        self.small(array, npy::integers)
    }

    /// All elements of an array of text in one dimension.
    pub(crate) fn texts(&mut self, array: &str) -> Result<Vec<String>, DataError> {
        self.small(array, npy::texts)
    }

    fn small<T>(
        &mut self,
        array: &str,
        parse: impl Fn(Element, &[u8]) -> Result<Vec<T>, String>,
    ) -> Result<Vec<T>, DataError> {
        let name = self.array_name(array);
        let refuse = |reason: String| DataError::unusable(&name, reason);
        let mut file = self.file(array)?;
        let header = npy::read_header(&mut file).map_err(refuse)?;
        if header.shape.len() != 1 {
            return Err(refuse(format!("it has the shape {:?}; it must have one dimension", header.shape)));
        }
        let bytes = header.data_bytes().filter(|&bytes| bytes <= MAX_SMALL_BYTES);
        let bytes = bytes.ok_or_else(|| refuse(format!("it claims {:?} elements", header.shape)))?;
        parse(header.element, &read_exactly(file, bytes).map_err(refuse)?).map_err(refuse)
    }

    /// An array of images `[images, height, width, 3]` of `uint8`.
    ///
    /// One that is packed is unpacked into memory, if it is within `limit_bytes`.
    pub(crate) fn images(&mut self, array: &str, limit_bytes: u64) -> Result<ImageArray, DataError> {
        let name = self.array_name(array);
        let refuse = |reason: String| DataError::unusable(&name, reason);
        let images = Arc::clone(&self.images);
        let mut file = self.file(array)?;
        let (stored, size, start) =
            (file.compression() == CompressionMethod::Stored && !file.encrypted(), file.size(), file.data_start());
        let header = npy::read_header(&mut file).map_err(refuse)?;
        let (count, height, width, bytes) = image_shape(&header).map_err(refuse)?;
        let place = match start {
            Some(start) if stored => {
                if header.data_offset.checked_add(bytes) != Some(size) {
                    return Err(refuse(format!("it has {size} bytes where its shape needs {bytes}; save it again")));
                }
                Place::Stored { reader: images, first_byte: start + header.data_offset }
            }
            _ if bytes > limit_bytes => {
                return Err(refuse(format!(
                    "unpacked it needs {bytes} bytes of memory, over the limit of {limit_bytes}; save it with \
                     numpy.savez instead of numpy.savez_compressed, then images are read one by one"
                )));
            }
            _ => Place::Memory(read_exactly(file, bytes).map_err(refuse)?),
        };
        Ok(ImageArray { name, count, height, width, place })
    }

    fn array_name(&self, array: &str) -> String {
        format!("{}: {array}", self.name)
    }

    fn file(&mut self, array: &str) -> Result<ZipFile<'_, Box<dyn ReadSeek>>, DataError> {
        let name = self.array_name(array);
        self.archive
            .by_name(&format!("{array}.npy"))
            .map_err(|error| DataError::unusable(&name, format!("it cannot be read ({error}); copy or save it again")))
    }
}

/// Images of one array.
pub(crate) struct ImageArray {
    name: String,
    pub(crate) count: u32,
    height: u32,
    width: u32,
    place: Place,
}

enum Place {
    Stored { reader: Arc<Mutex<Box<dyn ReadSeek>>>, first_byte: u64 },
    Memory(Vec<u8>),
}

impl ImageArray {
    /// The array, as it appears in errors.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Bytes that the array takes in memory: none when its images are read one by one.
    pub(crate) fn memory_bytes(&self) -> u64 {
        match &self.place {
            Place::Memory(bytes) => bytes.len() as u64,
            Place::Stored { .. } => 0,
        }
    }

    /// One image brought to a framing.
    ///
    /// # Errors
    /// As [`ImageArray::image`].
    pub(crate) fn pixels(&self, number: u32, framing: Framing) -> Result<Pixels, DataError> {
        decode::fit_rgb(self.width, self.height, self.image(number)?, &self.name, framing)
    }

    /// The bytes of one image, `[height, width, 3]`.
    ///
    /// # Errors
    /// `DataError::Unusable` when the archive cannot be read there any more.
    fn image(&self, number: u32) -> Result<Vec<u8>, DataError> {
        let bytes = self.height as usize * self.width as usize * 3;
        let begin = u64::from(number) * bytes as u64;
        let read = || match &self.place {
            Place::Memory(all) => {
                let begin = usize::try_from(begin).ok()?;
                all.get(begin..begin.checked_add(bytes)?).map(<[u8]>::to_vec)
            }
            Place::Stored { reader, first_byte } => {
                // The position is set before every read, so a poisoned lock is usable.
                let mut reader = reader.lock().unwrap_or_else(PoisonError::into_inner);
                let mut image = vec![0; bytes];
                reader.seek(SeekFrom::Start(first_byte.checked_add(begin)?)).ok()?;
                reader.read_exact(&mut image).ok()?;
                Some(image)
            }
        };
        read().ok_or_else(|| {
            let reason = format!("image {number} cannot be read; the file may be truncated, copy or save it again");
            DataError::unusable(&self.name, reason)
        })
    }
}

/// Images, height, width and bytes of an array that can hold images.
fn image_shape(header: &Header) -> Result<(u32, u32, u32, u64), String> {
    let wrong =
        || format!("it has the shape {:?}; images must be uint8 of the shape [images, height, width, 3]", header.shape);
    if header.element != (Element::Integer { bytes: 1, signed: false, big_endian: false }) {
        return Err("its elements are not uint8; save the images as values from 0 to 255".to_owned());
    }
    let &[count, height, width, 3] = header.shape.as_slice() else { return Err(wrong()) };
    let side = |extent: u64| u32::try_from(extent).ok().filter(|side| (1..=4096).contains(side));
    let (Ok(count), Some(height), Some(width)) = (u32::try_from(count), side(height), side(width)) else {
        return Err(wrong());
    };
    header.data_bytes().map(|bytes| (count, height, width, bytes)).ok_or_else(wrong)
}

/// Reads that many bytes, which must be all there are, and checks the checksum behind them.
///
/// Memory is set aside for no more than the packed bytes can unpack to, whatever is claimed.
fn read_exactly(file: ZipFile<'_, Box<dyn ReadSeek>>, bytes: u64) -> Result<Vec<u8>, String> {
    // Deflate packs at most 1032 to 1.
    let possible = bytes.min(file.compressed_size().saturating_mul(1032));
    let mut data = Vec::new();
    let reserved = usize::try_from(possible).ok().and_then(|possible| data.try_reserve_exact(possible).ok());
    reserved.ok_or_else(|| format!("there is no memory for its {bytes} bytes"))?;
    // One byte more would show that there is more, and reaching the end compares the checksum.
    match file.take(bytes.saturating_add(1)).read_to_end(&mut data) {
        Ok(read) if read as u64 == bytes => Ok(data),
        Ok(_) => Err(format!("it has not the {bytes} bytes that its shape needs; copy or save it again")),
        Err(error) => Err(format!("it cannot be read ({error}); copy or save it again")),
    }
}
