//! Where each named tensor lies in a flat vector.

use crate::NnError;

/// Slices begin at multiples of this many 32-bit values (256 bytes).
const ALIGNMENT: u32 = 64;

/// A named tensor's place in a flat vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// PyTorch's name, such as `blocks.0.conv.weight`.
    pub name: String,
    /// PyTorch's shape.
    pub shape: Vec<usize>,
    /// The first element.
    pub offset: u32,
    /// The number of elements.
    pub length: u32,
}

/// The named, 256-byte-aligned slices of a flat vector. Padding between them is zero in every
/// flat vector.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    entries: Vec<Entry>,
    elements: u32,
}

impl Layout {
    /// Appends a tensor and gives its offset in elements.
    pub fn push(&mut self, name: impl Into<String>, shape: &[usize]) -> u32 {
        let offset = self.elements;
        let length = shape.iter().product::<usize>() as u32;
        self.entries.push(Entry { name: name.into(), shape: shape.to_vec(), offset, length });
        self.elements = (offset + length).next_multiple_of(ALIGNMENT);
        offset
    }

    /// The tensors in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Elements of the flat vector, padding included.
    pub fn elements(&self) -> u32 {
        self.elements
    }

    /// Elements of the tensors themselves.
    pub fn parameters(&self) -> u64 {
        self.entries.iter().map(|entry| u64::from(entry.length)).sum()
    }

    /// The part of a flat vector that belongs to an entry.
    ///
    /// # Errors
    /// [`NnError::Length`] when the vector is not of this layout.
    pub fn slice<'v>(&self, entry: &Entry, vector: &'v [f32]) -> Result<&'v [f32], NnError> {
        let (from, to) = (entry.offset as usize, (entry.offset + entry.length) as usize);
        vector.get(from..to).ok_or(NnError::Length { expected: self.elements as usize, found: vector.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_aligned_and_disjoint() {
        let mut layout = Layout::default();
        assert_eq!(layout.push("a", &[3, 5]), 0);
        assert_eq!(layout.push("b", &[64]), 64);
        assert_eq!(layout.push("c", &[1]), 128);
        assert_eq!(layout.elements(), 192);
        assert_eq!(layout.parameters(), 80);
    }
}
