//! Weights by PyTorch's names and shapes, in and out of safetensors.

use std::collections::{BTreeMap, HashMap};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::NnError;
use crate::layout::Layout;

/// A named tensor on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// PyTorch's shape.
    pub shape: Vec<usize>,
    /// Row-major values.
    pub values: Vec<f32>,
}

/// Named tensors, sorted by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights(BTreeMap<String, Tensor>);

impl Weights {
    /// Adds a tensor, replacing one of the same name.
    pub fn insert(&mut self, name: impl Into<String>, shape: Vec<usize>, values: Vec<f32>) {
        self.0.insert(name.into(), Tensor { shape, values });
    }

    /// The tensor of a name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.0.get(name)
    }

    /// All tensors.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.0.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// Adds the tensors of a flat vector.
    ///
    /// # Errors
    /// [`NnError::Length`] when the vector is not of this layout.
    pub fn insert_flat(&mut self, layout: &Layout, vector: &[f32]) -> Result<(), NnError> {
        for entry in layout.entries() {
            self.insert(&*entry.name, entry.shape.clone(), layout.slice(entry, vector)?.to_vec());
        }
        Ok(())
    }

    /// The flat vectors of several layouts, which together must name every tensor there is,
    /// except those under `ignored` prefixes.
    ///
    /// # Errors
    /// [`NnError::Weights`] with every missing, surplus or misshapen tensor.
    pub fn to_flat<const N: usize>(&self, layouts: [&Layout; N], ignored: &[&str]) -> Result<[Vec<f32>; N], NnError> {
        let mut problems = Vec::new();
        let mut known = Vec::new();
        let vectors = layouts.map(|layout| {
            let mut vector = vec![0.0; layout.elements() as usize];
            for entry in layout.entries() {
                known.push(entry.name.as_str());
                match self.get(&entry.name) {
                    None => problems.push(format!("{} {:?} is missing", entry.name, entry.shape)),
                    Some(tensor) if tensor.shape != entry.shape => problems.push(format!(
                        "{} has shape {:?}, the network needs {:?}",
                        entry.name, tensor.shape, entry.shape
                    )),
                    Some(tensor) => {
                        let slice = vector.iter_mut().skip(entry.offset as usize);
                        slice.zip(&tensor.values).for_each(|(to, &from)| *to = from);
                    }
                }
            }
            vector
        });
        for (name, tensor) in self.iter() {
            // PyTorch's batch norm counts its batches; nothing here needs the count.
            let skipped = name.ends_with("num_batches_tracked") || ignored.iter().any(|prefix| name.starts_with(prefix));
            if !skipped && !known.contains(&name) {
                problems.push(format!("{name} {:?} is not part of the network", tensor.shape));
            }
        }
        if problems.is_empty() { Ok(vectors) } else { Err(NnError::Weights { problems }) }
    }

    /// Reads a safetensors file; f16, bf16 and f64 become f32, integers are refused.
    ///
    /// # Errors
    /// [`NnError::Safetensors`].
    pub fn from_safetensors(bytes: &[u8]) -> Result<(Self, HashMap<String, String>), NnError> {
        let fail = |error: safetensors::SafeTensorError| NnError::Safetensors(error.to_string());
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(fail)?;
        let file = SafeTensors::deserialize(bytes).map_err(fail)?;
        let mut weights = Self::default();
        for (name, view) in file.tensors() {
            let Some(values) = to_f32(&view) else {
                // A counter of batch norm may be an integer; it is of no use here.
                if name.ends_with("num_batches_tracked") {
                    continue;
                }
                return Err(NnError::Safetensors(format!("{name} is of type {:?}, not a float", view.dtype())));
            };
            weights.insert(name, view.shape().to_vec(), values);
        }
        Ok((weights, metadata.metadata().clone().unwrap_or_default()))
    }

    /// Writes a safetensors file of f32 tensors with metadata.
    ///
    /// # Errors
    /// [`NnError::Safetensors`].
    pub fn to_safetensors(&self, metadata: HashMap<String, String>) -> Result<Vec<u8>, NnError> {
        let fail = |error: safetensors::SafeTensorError| NnError::Safetensors(error.to_string());
        let mut views = Vec::with_capacity(self.0.len());
        for (name, tensor) in &self.0 {
            let bytes = bytemuck::cast_slice(&tensor.values);
            views.push((name, TensorView::new(Dtype::F32, tensor.shape.clone(), bytes).map_err(fail)?));
        }
        safetensors::serialize(views, Some(metadata)).map_err(fail)
    }
}

fn to_f32(view: &TensorView<'_>) -> Option<Vec<f32>> {
    let bytes = view.data();
    let words = |value: &[u8]| value.try_into().ok().map(u16::from_le_bytes);
    match view.dtype() {
        Dtype::F32 => bytes.chunks_exact(4).map(|v| v.try_into().ok().map(f32::from_le_bytes)).collect(),
        Dtype::F64 => bytes.chunks_exact(8).map(|v| v.try_into().ok().map(|v| f64::from_le_bytes(v) as f32)).collect(),
        Dtype::BF16 => {
            bytes.chunks_exact(2).map(|v| words(v).map(|v| f32::from_bits(u32::from(v) << 16))).collect()
        }
        Dtype::F16 => bytes.chunks_exact(2).map(|v| words(v).map(half_to_f32)).collect(),
        _ => None,
    }
}

/// IEEE 754 binary16 to binary32.
fn half_to_f32(half: u16) -> f32 {
    let sign = if half & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, mantissa) = (i32::from(half >> 10 & 0x1f), f32::from(half & 0x3ff));
    match exponent {
        0 => sign * mantissa * 2_f32.powi(-24),
        0x1f if mantissa == 0.0 => sign * f32::INFINITY,
        0x1f => f32::NAN,
        _ => sign * (1.0 + mantissa / 1024.0) * 2_f32.powi(exponent - 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_survive_the_file() {
        let mut layout = Layout::default();
        layout.push("a.weight", &[2, 3]);
        layout.push("a.bias", &[2]);
        let mut vector = vec![0.0; layout.elements() as usize];
        vector[..6].copy_from_slice(&[1.0, -2.0, 3.5, 0.0, f32::MIN_POSITIVE, 6.0]);
        vector[64] = 7.0;
        let mut weights = Weights::default();
        weights.insert_flat(&layout, &vector).unwrap();
        let metadata = HashMap::from([("k".to_owned(), "v".to_owned())]);
        let bytes = weights.to_safetensors(metadata.clone()).unwrap();
        let (read, read_metadata) = Weights::from_safetensors(&bytes).unwrap();
        assert_eq!(read, weights);
        assert_eq!(read_metadata, metadata);
        assert_eq!(read.to_flat([&layout], &[]).unwrap(), [vector]);
    }

    #[test]
    fn every_misfit_is_listed() {
        let mut layout = Layout::default();
        layout.push("a.weight", &[2, 3]);
        layout.push("b.weight", &[1]);
        let mut weights = Weights::default();
        weights.insert("a.weight", vec![3, 2], vec![0.0; 6]);
        weights.insert("c.weight", vec![1], vec![0.0]);
        weights.insert("head.scale", vec![1], vec![0.0]);
        let error = weights.to_flat([&layout], &["head."]).unwrap_err().to_string();
        assert!(error.contains("a.weight has shape [3, 2]"), "{error}");
        assert!(error.contains("b.weight [1] is missing"), "{error}");
        assert!(error.contains("c.weight [1] is not part"), "{error}");
        assert!(!error.contains("head.scale"), "{error}");
    }

    #[test]
    fn halves_become_floats() {
        for (half, float) in [(0x3c00, 1.0), (0xc000, -2.0), (0x0001, 5.960_464_5e-8), (0x7bff, 65504.0)] {
            assert_eq!(half_to_f32(half), float);
        }
        assert!(half_to_f32(0x7e00).is_nan());
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            let _ = Weights::from_safetensors(&bytes);
        }

        #[test]
        fn damaged_files_are_read_or_refused(at in 0_usize..200, value in proptest::num::u8::ANY, cut in 0_usize..200) {
            let mut weights = Weights::default();
            weights.insert("a", vec![2, 2], vec![1.0; 4]);
            let mut bytes = weights.to_safetensors(HashMap::new()).unwrap();
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
            bytes.truncate(bytes.len().saturating_sub(cut));
            let _ = Weights::from_safetensors(&bytes);
        }
    }
}
