//! Weights that others trained, from the files they come in: safetensors, and everything that
//! `torch.save` has written. Names stay as the file has them, without the wrappers that training
//! scripts put round them; whether they fit a network is for [`Weights::to_flat`] to say.

mod pytorch;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use inkling_nn::Weights;
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;
use sha2::{Digest, Sha256};

use crate::error::RunError;
use crate::hex;
use crate::model_card::ModelCard;
use crate::origin::Origin;
use crate::tensor_file::{Tensor, TensorFile, about, count, floats};

/// What `DataParallel` puts before every name.
const MODULE_PREFIX: &str = "module.";

/// An open file of weights. Its tensors are listed; their values are read on demand.
#[derive(Debug)]
pub struct WeightsFile {
    path: PathBuf,
    format: &'static str,
    /// All of a safetensors file, nothing of others.
    bytes: Vec<u8>,
    tensors: BTreeMap<String, Stored>,
    card: Option<ModelCard>,
    origin: Option<Origin>,
}

/// A tensor as a file lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name.
    pub name: String,
    /// The shape, outermost dimension first; empty for a single value.
    pub shape: Vec<usize>,
    /// The type of its values: `F32`, `F16`, `I64` and the like.
    pub dtype: String,
    /// The bytes of its values.
    pub bytes: u64,
    /// Whether its values are floats; others are no weights.
    pub is_float: bool,
}

#[derive(Debug)]
struct Stored {
    shape: Vec<usize>,
    dtype: Dtype,
    data: Data,
}

#[derive(Debug)]
enum Data {
    /// A part of the file in memory.
    Slice(Range<usize>),
    /// Still in the file.
    OnDisk(pytorch_reader::Tensor),
}

impl WeightsFile {
    /// Opens a safetensors or PyTorch file, told apart by how it begins.
    ///
    /// The weights of a training checkpoint are those under its key `state_dict`,
    /// `model_state_dict` or `model`; a prefix `module.` of every name is dropped. Python code in
    /// a file is never run.
    ///
    /// # Errors
    /// [`RunError::Io`] when it cannot be read; [`RunError::Corrupt`] when it is of neither kind,
    /// damaged, or holds tensors in an object that is no state dict, which is named.
    pub fn open(path: &Path) -> Result<Self, RunError> {
        let corrupt = |reason: String| RunError::corrupt(path, reason);
        let mut file = if begins_like_safetensors(path).map_err(RunError::io("read", path))? {
            let bytes = fs::read(path).map_err(RunError::io("read", path))?;
            Self::safetensors(path, bytes).map_err(corrupt)?
        } else {
            let (format, tensors) = pytorch::open(path).map_err(corrupt)?;
            let (path, bytes) = (path.to_owned(), Vec::new());
            Self { path, format, bytes, tensors, card: None, origin: None }
        };
        file.tensors = without_module(file.tensors);
        Ok(file)
    }

    fn safetensors(path: &Path, bytes: Vec<u8>) -> Result<Self, String> {
        let (header_length, header) = SafeTensors::read_metadata(&bytes)
            .map_err(|error| format!("it is no whole safetensors file ({error}); write or copy it again"))?;
        // The header's length itself takes eight bytes.
        let begin = header_length + 8;
        let mut tensors = BTreeMap::new();
        for (name, info) in header.tensors() {
            let (from, to) = info.data_offsets;
            let data = Data::Slice(begin + from..begin + to);
            tensors.insert(name, Stored { shape: info.shape.clone(), dtype: info.dtype, data });
        }
        let (card, origin) = about(&header)?;
        Ok(Self { path: path.to_owned(), format: "safetensors", bytes, tensors, card, origin })
    }

    /// The kind of file, for people: `safetensors`, `PyTorch (zip)` and the like.
    pub fn format(&self) -> &'static str {
        self.format
    }

    /// The self-description of a learner of ours.
    pub fn card(&self) -> Option<&ModelCard> {
        self.card.as_ref()
    }

    /// Where the weights come from, when the file says it.
    pub fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// All tensors by name.
    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        self.tensors.iter().map(|(name, stored)| Entry {
            name: name.clone(),
            shape: stored.shape.clone(),
            dtype: stored.dtype.to_string(),
            bytes: stored.bytes(),
            is_float: stored.is_float(),
        })
    }

    /// The tensors of floats, as 32-bit ones. Others, such as PyTorch's counts of batches, are
    /// left out.
    ///
    /// # Errors
    /// [`RunError::Corrupt`] when the values of a tensor are not all there, or there is no tensor
    /// of floats at all.
    pub fn weights(&self) -> Result<Weights, RunError> {
        let corrupt = |reason: String| RunError::corrupt(&self.path, reason);
        let mut weights = Weights::default();
        for (name, stored) in self.tensors.iter().filter(|(_, stored)| stored.is_float()) {
            let values = stored.values(&self.bytes).map_err(|reason| {
                corrupt(format!("the values of tensor \"{name}\" cannot be read ({reason}); fetch or save it again"))
            })?;
            weights.insert(&**name, stored.shape.clone(), values);
        }
        if weights.iter().next().is_none() {
            return Err(corrupt("it holds no tensors of floats; give a file of weights, a state dict".to_owned()));
        }
        Ok(weights)
    }

    /// The weights as a safetensors file to write, with `origin` unless it has a card or an origin
    /// of its own.
    ///
    /// # Errors
    /// As for [`WeightsFile::weights`].
    pub fn to_tensor_file(&self, origin: Origin) -> Result<TensorFile, RunError> {
        let mut file = TensorFile { card: self.card.clone(), ..TensorFile::default() };
        file.origin = file.card.is_none().then(|| self.origin.clone().unwrap_or(origin));
        for (name, tensor) in self.weights()?.iter() {
            let stored = Tensor::f32(tensor.shape.clone(), tensor.values.clone()).ok_or_else(|| {
                RunError::corrupt(&self.path, format!("tensor \"{name}\" does not hold what its shape says"))
            })?;
            file.tensors.insert(name.to_owned(), stored);
        }
        Ok(file)
    }
}

impl Stored {
    fn is_float(&self) -> bool {
        matches!(self.dtype, Dtype::F64 | Dtype::F32 | Dtype::F16 | Dtype::BF16)
    }

    fn bytes(&self) -> u64 {
        match &self.data {
            Data::Slice(range) => range.len() as u64,
            Data::OnDisk(tensor) => tensor.byte_len() as u64,
        }
    }

    fn values(&self, file: &[u8]) -> Result<Vec<f32>, String> {
        let values = match &self.data {
            Data::Slice(range) => file.get(range.clone()).and_then(|bytes| floats(self.dtype, bytes)),
            Data::OnDisk(tensor) => floats(self.dtype, &tensor.read().map_err(|error| error.to_string())?),
        };
        values
            .filter(|values| count(&self.shape) == Some(values.len()))
            .ok_or_else(|| "they are not as many as the shape says".to_owned())
    }
}

/// The SHA-256 of a file as hexadecimal digits.
///
/// # Errors
/// When it cannot be read.
pub fn sha256(path: &Path) -> Result<String, RunError> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    let mut file = File::open(path).map_err(RunError::io("read", path))?;
    loop {
        match file.read(&mut buffer).map_err(RunError::io("read", path))? {
            0 => return Ok(hex::encode(&hasher.finalize())),
            count => hasher.update(buffer.get(..count).unwrap_or_default()),
        }
    }
}

/// A length of eight bytes, then JSON: no other format begins so.
fn begins_like_safetensors(path: &Path) -> std::io::Result<bool> {
    let mut head = Vec::new();
    File::open(path)?.take(9).read_to_end(&mut head)?;
    Ok(head.get(8) == Some(&b'{'))
}

fn without_module(tensors: BTreeMap<String, Stored>) -> BTreeMap<String, Stored> {
    if !tensors.keys().all(|name| name.starts_with(MODULE_PREFIX)) {
        return tensors;
    }
    let stripped = |name: String| name.strip_prefix(MODULE_PREFIX).map(str::to_owned).unwrap_or(name);
    tensors.into_iter().map(|(name, stored)| (stripped(name), stored)).collect()
}

#[cfg(test)]
mod tests;
