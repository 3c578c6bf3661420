//! Tensors by name in safetensors files, with the model card that makes a file of weights say
//! what network it belongs to, or else with the origin of the weights. Names and shapes are PyTorch's.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use half::{bf16, f16};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, Metadata, SafeTensorError, TensorView};

use crate::atomic::write_atomically;
use crate::config::BackboneKind;
use crate::error::RunError;
use crate::model_card::ModelCard;
use crate::origin::Origin;
use crate::published;

/// The key of `__metadata__` that holds the model card. A file has one key, because the library
/// stores the metadata in no fixed order and the same weights shall give the same bytes.
const CARD_KEY: &str = "inkling";
/// The key that holds the origin of weights without a card.
const ORIGIN_KEY: &str = "inkling-origin";

/// How floats lie in a file; in memory they have 32 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FloatType {
    /// 32 bits, nothing is lost.
    #[default]
    F32,
    /// 16 bits: half the size and three significant digits.
    F16,
}

/// The values of a tensor, row-major.
#[derive(Clone, Debug, PartialEq)]
pub enum TensorValues {
    /// 32-bit floats; those of 16 bits in a file read as these, those of 64 are rounded to these.
    F32(Vec<f32>),
    /// 32-bit integers; 64-bit ones in a file read as these.
    I32(Vec<i32>),
}

/// One tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    shape: Vec<usize>,
    values: TensorValues,
}

impl Tensor {
    /// A tensor of floats; none when the shape does not hold exactly these values.
    pub fn f32(shape: Vec<usize>, values: Vec<f32>) -> Option<Self> {
        (count(&shape) == Some(values.len())).then_some(Self { shape, values: TensorValues::F32(values) })
    }

    /// A tensor of integers; none when the shape does not hold exactly these values.
    pub fn i32(shape: Vec<usize>, values: Vec<i32>) -> Option<Self> {
        (count(&shape) == Some(values.len())).then_some(Self { shape, values: TensorValues::I32(values) })
    }

    /// The shape, outermost dimension first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The values.
    pub fn values(&self) -> &TensorValues {
        &self.values
    }

    /// The values when they are floats.
    pub fn as_f32(&self) -> Option<&[f32]> {
        match &self.values {
            TensorValues::F32(values) => Some(values),
            TensorValues::I32(_) => None,
        }
    }

    /// The values when they are integers.
    pub fn as_i32(&self) -> Option<&[i32]> {
        match &self.values {
            TensorValues::I32(values) => Some(values),
            TensorValues::F32(_) => None,
        }
    }

    fn bytes(&self, float_type: FloatType) -> Result<(Dtype, Vec<u8>), String> {
        Ok(match (&self.values, float_type) {
            (TensorValues::F32(values), FloatType::F32) => {
                (Dtype::F32, values.iter().flat_map(|v| v.to_le_bytes()).collect())
            }
            (TensorValues::F32(values), FloatType::F16) => (Dtype::F16, halves(values)?),
            (TensorValues::I32(values), _) => (Dtype::I32, values.iter().flat_map(|v| v.to_le_bytes()).collect()),
        })
    }

    fn of_view(view: &TensorView<'_>) -> Result<Self, String> {
        let values = match view.dtype() {
            Dtype::I32 => TensorValues::I32(words(view.data()).map(i32::from_le_bytes).collect()),
            Dtype::I64 => TensorValues::I32(
                words(view.data())
                    .map(|word| i32::try_from(i64::from_le_bytes(word)))
                    .collect::<Result<_, _>>()
                    .map_err(|_| "holds integers beyond 32 bits".to_owned())?,
            ),
            other => TensorValues::F32(floats(other, view.data()).ok_or_else(|| {
                format!("is of type {other}; store floats as F32, F16, BF16 or F64 and integers as I32")
            })?),
        };
        Ok(Self { shape: view.shape().to_vec(), values })
    }
}

/// How many values a shape holds; none beyond all measure.
pub(crate) fn count(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |product, size| product.checked_mul(*size))
}

/// Floats of any width as 32-bit ones; none when the type is no float.
pub(crate) fn floats(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    Some(match dtype {
        Dtype::F32 => words(bytes).map(f32::from_le_bytes).collect(),
        Dtype::F16 => words(bytes).map(|word| f16::from_le_bytes(word).to_f32()).collect(),
        Dtype::BF16 => words(bytes).map(|word| bf16::from_le_bytes(word).to_f32()).collect(),
        Dtype::F64 => words(bytes).map(|word| f64::from_le_bytes(word) as f32).collect(),
        _ => return None,
    })
}

/// The bytes of floats rounded to 16 bits, as long as they have room there.
fn halves(values: &[f32]) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(2 * values.len());
    for &value in values {
        let half = f16::from_f32(value);
        if value.is_finite() && !half.is_finite() {
            return Err(format!("holds {value}, and 16 bits end at {}; store 32 bits", f16::MAX));
        }
        bytes.extend(half.to_le_bytes());
    }
    Ok(bytes)
}

fn words<const SIZE: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; SIZE]> + '_ {
    bytes.as_chunks::<SIZE>().0.iter().copied()
}

/// The contents of a safetensors file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TensorFile {
    /// The tensors by name.
    pub tensors: BTreeMap<String, Tensor>,
    /// What network the weights belong to; none for files that are no weights of ours.
    pub card: Option<ModelCard>,
    /// Where weights without a card come from; a card takes its place in the file.
    pub origin: Option<Origin>,
}

impl TensorFile {
    /// The card of a learner: the file's own, or, for the weights of a pretrained network that is
    /// known by its tensors, that of the network with prototypes.
    pub fn learner_card(&self) -> Option<ModelCard> {
        self.card.clone().or_else(|| self.published().map(ModelCard::published))
    }

    /// The same where classes are taught: a pretrained network compares by cosine then.
    pub fn teaching_card(&self) -> Option<ModelCard> {
        self.card.clone().or_else(|| self.published().map(ModelCard::published_for_teaching))
    }

    /// Whether the network is one that somebody else published weights of.
    pub(crate) fn is_published(&self) -> bool {
        self.published().is_some()
    }

    /// Whether a tensor belongs to the classifier of a published network.
    pub(crate) fn is_pretraining(&self, tensor: &str) -> bool {
        self.published().is_some_and(|backbone| published::is_classifier(backbone, tensor))
    }

    /// The same without the classifier that a published network was trained with, which no learner
    /// uses.
    pub fn without_classifier(mut self) -> Self {
        if let Some(backbone) = self.published() {
            self.tensors.retain(|name, _| !published::is_classifier(backbone, name));
        }
        self
    }

    fn published(&self) -> Option<BackboneKind> {
        published::recognised(|name| self.tensors.get(name).map(Tensor::shape))
    }

    /// The bytes of the file: the same contents give the same bytes.
    ///
    /// # Errors
    /// With the library's message, which only names or sizes beyond all measure bring about.
    pub fn encode(&self) -> Result<Vec<u8>, String> {
        self.encode_as(FloatType::F32)
    }

    /// The bytes of the file, with its floats stored as this type.
    ///
    /// # Errors
    /// As for [`TensorFile::encode`], and for a value beyond 65,504 that 16 bits have no room for.
    pub fn encode_as(&self, float_type: FloatType) -> Result<Vec<u8>, String> {
        let bytes = |(name, tensor): (&String, &Tensor)| {
            tensor.bytes(float_type).map_err(|reason| format!("tensor \"{name}\" {reason}"))
        };
        let tensors: Vec<(Dtype, Vec<u8>)> = self.tensors.iter().map(bytes).collect::<Result<_, _>>()?;
        let views = self
            .tensors
            .iter()
            .zip(&tensors)
            .map(|((name, tensor), (dtype, data))| {
                TensorView::new(*dtype, tensor.shape.clone(), data).map(|view| (name, view))
            })
            .collect::<Result<Vec<_>, SafeTensorError>>()
            .map_err(|error| error.to_string())?;
        let metadata = match (&self.card, &self.origin) {
            (Some(card), _) => Some(HashMap::from([(CARD_KEY.to_owned(), card.to_json()?)])),
            (None, Some(origin)) => Some(HashMap::from([(ORIGIN_KEY.to_owned(), origin.to_json()?)])),
            (None, None) => None,
        };
        safetensors::serialize(views, metadata).map_err(|error| error.to_string())
    }

    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// With what is wrong: truncated, not safetensors, a type that is not supported, a model card
    /// of another version.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        let no_safetensors =
            |error: SafeTensorError| format!("it is no whole safetensors file ({error}); write or copy it again");
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(no_safetensors)?;
        let (card, origin) = about(&header)?;
        let mut tensors = BTreeMap::new();
        for (name, view) in SafeTensors::deserialize(bytes).map_err(no_safetensors)?.iter() {
            let tensor = Tensor::of_view(&view).map_err(|reason| format!("tensor \"{name}\" {reason}"))?;
            tensors.insert(name.to_owned(), tensor);
        }
        Ok(Self { tensors, card, origin })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, or as for [`TensorFile::decode`].
    pub fn read(path: &Path) -> Result<Self, RunError> {
        let bytes = std::fs::read(path).map_err(RunError::io("read", path))?;
        Self::decode(&bytes).map_err(|reason| RunError::corrupt(path, reason))
    }

    /// Writes a file, whole or not at all.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn write(&self, path: &Path) -> Result<(), RunError> {
        self.write_as(path, FloatType::F32)
    }

    /// Writes a file, whole or not at all, with its floats stored as this type.
    ///
    /// # Errors
    /// When the system refuses, or as for [`TensorFile::encode_as`].
    pub fn write_as(&self, path: &Path, float_type: FloatType) -> Result<(), RunError> {
        let bytes = self.encode_as(float_type).map_err(|reason| RunError::corrupt(path, reason))?;
        write_atomically(path, &bytes)
    }
}

/// What the header of a file says about its weights.
pub(crate) fn about(header: &Metadata) -> Result<(Option<ModelCard>, Option<Origin>), String> {
    let text = |key: &str| header.metadata().as_ref().and_then(|metadata| metadata.get(key));
    let card = text(CARD_KEY).map(|text| ModelCard::of_json(text)).transpose()?;
    let origin = text(ORIGIN_KEY).map(|text| Origin::of_json(text)).transpose()?;
    Ok((card, origin))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn example() -> TensorFile {
        TensorFile {
            tensors: BTreeMap::from([
                ("b.weight".to_owned(), Tensor::f32(vec![2, 3], vec![0.0, -1.5, 2.0, f32::MIN, 1e-40, 7.0]).unwrap()),
                ("a.bias".to_owned(), Tensor::f32(vec![1], vec![0.25]).unwrap()),
                ("labels".to_owned(), Tensor::i32(vec![2], vec![-1, 4]).unwrap()),
                ("none".to_owned(), Tensor::f32(vec![0, 4], vec![]).unwrap()),
            ]),
            card: Some(ModelCard::example()),
            origin: None,
        }
    }

    #[test]
    fn files_read_back_with_their_card() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        example().write(&path).unwrap();
        assert_eq!(TensorFile::read(&path).unwrap(), example());
        assert_eq!(example().encode().unwrap(), std::fs::read(&path).unwrap());
    }

    #[test]
    fn origins_read_back() {
        let file = TensorFile { card: None, origin: Some(Origin::example()), ..example() };
        assert_eq!(TensorFile::decode(&file.encode().unwrap()).unwrap(), file);
    }

    #[test]
    fn halves_read_back_rounded_and_have_an_end() {
        let mut file = TensorFile::default();
        // The first six are exact in 16 bits; the last lies below half of the smallest number.
        let exact = [0.0, -1.5, 0.25, 65_504.0, 6.103_515_6e-5, f32::INFINITY];
        let values = [&exact[..], &[0.1, 1e-9]].concat();
        file.tensors.insert("w".to_owned(), Tensor::f32(vec![2, 4], values).unwrap());
        file.tensors.insert("labels".to_owned(), Tensor::i32(vec![1], vec![70_000]).unwrap());
        let bytes = file.encode_as(FloatType::F16).unwrap();
        assert_eq!(file.encode().unwrap().len(), bytes.len() + 16);
        let read = TensorFile::decode(&bytes).unwrap();
        let halves = read.tensors["w"].as_f32().unwrap();
        assert_eq!(halves[..6], exact);
        // Ten bits of mantissa are kept, so rounding moves a value by at most 2^-11 of it.
        assert!((halves[6] - 0.1).abs() <= 0.1 / 2048.0, "{}", halves[6]);
        assert_eq!(halves[7], 0.0);
        assert_eq!(read.tensors["labels"], file.tensors["labels"]);
        assert_eq!(read.encode_as(FloatType::F16).unwrap(), bytes);

        file.tensors.insert("v".to_owned(), Tensor::f32(vec![1], vec![65_520.0]).unwrap());
        let error = file.encode_as(FloatType::F16).unwrap_err();
        assert!(error.contains("tensor \"v\" holds 65520, and 16 bits end at 65504"), "{error}");
    }

    #[test]
    fn shapes_must_hold_their_values() {
        assert!(Tensor::f32(vec![2, 2], vec![0.0; 3]).is_none());
        assert!(Tensor::i32(vec![usize::MAX, 2], vec![]).is_none());
    }

    #[test]
    fn other_types_are_read_or_refused_with_the_name() {
        let labels: Vec<u8> = [3i64, -2].iter().flat_map(|v| v.to_le_bytes()).collect();
        let view = TensorView::new(Dtype::I64, vec![2], &labels).unwrap();
        let bytes = safetensors::serialize([("y", view)], None).unwrap();
        assert_eq!(TensorFile::decode(&bytes).unwrap().tensors["y"].as_i32(), Some(&[3, -2][..]));

        let brains: Vec<u8> = [0x3f80u16, 0xc040].iter().flat_map(|v| v.to_le_bytes()).collect();
        let view = TensorView::new(Dtype::BF16, vec![2], &brains).unwrap();
        let bytes = safetensors::serialize([("w", view)], None).unwrap();
        assert_eq!(TensorFile::decode(&bytes).unwrap().tensors["w"].as_f32(), Some(&[1.0, -3.0][..]));

        let view = TensorView::new(Dtype::U8, vec![16], &labels).unwrap();
        let bytes = safetensors::serialize([("w", view)], None).unwrap();
        let error = TensorFile::decode(&bytes).unwrap_err();
        assert!(error.contains("tensor \"w\" is of type U8"), "{error}");
    }

    #[test]
    fn every_truncation_is_refused() {
        let bytes = example().encode().unwrap();
        for length in 0..bytes.len() {
            assert!(TensorFile::decode(&bytes[..length]).is_err(), "{length} bytes");
        }
    }

    proptest! {
        #[test]
        fn damaged_files_never_panic(at in 0usize..2000, byte: u8, tail in proptest::collection::vec(any::<u8>(), 0..20)) {
            let mut bytes = example().encode().unwrap();
            let length = bytes.len();
            bytes[at % length] = byte;
            bytes.extend(tail);
            let _ = TensorFile::decode(&bytes);
        }

        #[test]
        fn headers_never_panic(header in "\\{(\"__metadata__\":\\{\"inkling\":\"\\PC{0,30}\"\\})?,?(\"w\":\\{\"dtype\":\"(F32|I64|X)\",\"shape\":\\[[0-9,]{0,12}\\],\"data_offsets\":\\[[0-9]{1,20},[0-9]{1,20}\\]\\})?\\}", data in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
            bytes.extend(header.as_bytes());
            bytes.extend(data);
            let _ = TensorFile::decode(&bytes);
        }

        #[test]
        fn cards_never_panic(text in "\\PC{0,60}") {
            let _ = ModelCard::of_json(&text);
        }
    }
}
