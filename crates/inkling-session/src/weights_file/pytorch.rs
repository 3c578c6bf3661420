//! Files that `torch.save` wrote. The reader interprets the few calls that rebuild tensors; other
//! Python objects are passed over when they hold no tensor and refused by name when they do.

use std::collections::BTreeMap;
use std::path::Path;

use pytorch_reader::{DType, FileFormat, PickleError, PickleValue, PytorchError, PytorchReader};
use safetensors::tensor::Dtype;

use super::{Data, Stored};

/// The keys that training scripts keep the weights of a checkpoint under, the first one wins.
const WRAPPERS: [&str; 3] = ["state_dict", "model_state_dict", "model"];

/// The most bytes that the tensors of a file may take for each byte of it. Tensors can share
/// values, and a broadcast one can claim any size: what weights share stays far below this.
const MOST_EXPANSION: u64 = 8;

/// The kind of file and its tensors by name.
///
/// # Errors
/// With what is wrong and the remedy; the message does not name the file.
pub(super) fn open(path: &Path) -> Result<(&'static str, BTreeMap<String, Stored>), String> {
    let reader = match wrapper(path).map_err(refusal)? {
        Some(key) => PytorchReader::with_top_level_key(path, key),
        None => PytorchReader::new(path),
    }
    .map_err(refusal)?;
    let format = match reader.metadata().format_type {
        FileFormat::Zip => "PyTorch (zip)",
        FileFormat::Tar => "PyTorch (tar)",
        FileFormat::Legacy => "PyTorch (before 1.6)",
        FileFormat::Pickle => "pickle",
    };
    let tensors = reader.into_tensors();
    let file_bytes = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    let tensor_bytes = tensors.values().fold(0u64, |sum, tensor| sum.saturating_add(tensor.byte_len() as u64));
    if tensor_bytes > file_bytes.saturating_mul(MOST_EXPANSION) {
        return Err(format!(
            "its {file_bytes} bytes claim to hold {tensor_bytes} bytes of tensors; save them with .clone() each"
        ));
    }
    let stored = |(name, tensor): (String, pytorch_reader::Tensor)| {
        let (shape, dtype) = (tensor.shape().to_vec(), dtype(tensor.dtype()));
        (name, Stored { shape, dtype, data: Data::OnDisk(tensor) })
    };
    Ok((format, tensors.into_iter().map(stored).collect()))
}

/// The key under which a checkpoint keeps its weights, where it is one.
fn wrapper(path: &Path) -> Result<Option<&'static str>, PytorchError> {
    let PickleValue::Dict(entries) = PytorchReader::read_pickle_data(path, None)? else {
        return Ok(None);
    };
    Ok(WRAPPERS.into_iter().find(|key| matches!(entries.get(*key), Some(PickleValue::Dict(_)))))
}

fn refusal(error: PytorchError) -> String {
    match error {
        PytorchError::Pickle(PickleError::UnsupportedType(name)) => format!(
            "it holds tensors in {name}, which is unknown and is not run; save plain weights in Python: \
             torch.save(model.state_dict(), \"weights.pth\")"
        ),
        error => {
            format!("it is no whole safetensors or PyTorch file of weights ({error}); fetch or save it again")
        }
    }
}

fn dtype(dtype: DType) -> Dtype {
    match dtype {
        DType::F64 => Dtype::F64,
        DType::F32 => Dtype::F32,
        DType::F16 => Dtype::F16,
        DType::BF16 => Dtype::BF16,
        DType::I64 => Dtype::I64,
        DType::I32 => Dtype::I32,
        DType::I16 => Dtype::I16,
        DType::I8 => Dtype::I8,
        DType::U64 => Dtype::U64,
        DType::U32 => Dtype::U32,
        DType::U16 => Dtype::U16,
        DType::U8 => Dtype::U8,
        DType::Bool => Dtype::BOOL,
    }
}
