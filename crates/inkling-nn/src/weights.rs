//! Weights by PyTorch's names and shapes, in and out of flat vectors.

use std::collections::BTreeMap;

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
            let skipped =
                name.ends_with("num_batches_tracked") || ignored.iter().any(|prefix| name.starts_with(prefix));
            if !skipped && !known.contains(&name) {
                problems.push(format!("{name} {:?} is not part of the network", tensor.shape));
            }
        }
        if problems.is_empty() { Ok(vectors) } else { Err(NnError::Weights { problems }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flat_vectors_come_back() {
        let mut layout = Layout::default();
        layout.push("a.weight", &[2, 3]);
        layout.push("a.bias", &[2]);
        let mut vector = vec![0.0; layout.elements() as usize];
        vector[..6].copy_from_slice(&[1.0, -2.0, 3.5, 0.0, f32::MIN_POSITIVE, 6.0]);
        vector[64] = 7.0;
        let mut weights = Weights::default();
        weights.insert_flat(&layout, &vector).unwrap();
        assert_eq!(weights.to_flat([&layout], &[]).unwrap(), [vector]);
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
}
