//! Counts the bytes of every live buffer that this crate creates, by category, and their peak.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a buffer is for; the memory plan and the ledger count by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Category {
    /// Trainable and frozen parameters, running statistics.
    Parameters,
    /// The accumulated gradient.
    Gradient,
    /// Optimiser moments.
    Optimizer,
    /// Image bytes and normalised images of a chunk, with their affines.
    Images,
    /// What the backward pass needs of the forward pass, per chunk.
    Activations,
    /// Scratch of one pass: gradients of activations, partial sums.
    Workspace,
    /// Embeddings of a task, their gradient rows, labels and the head's state.
    Embeddings,
    /// Host-visible memory that uploads pass through, and uniform parameters.
    Staging,
    /// Host-visible memory that results come back through.
    Readback,
}

impl Category {
    /// All categories, in the order in which reports list them.
    pub const ALL: [Category; 9] = [
        Category::Parameters,
        Category::Gradient,
        Category::Optimizer,
        Category::Images,
        Category::Activations,
        Category::Workspace,
        Category::Embeddings,
        Category::Staging,
        Category::Readback,
    ];

    /// A lower-case word for reports.
    pub fn name(self) -> &'static str {
        match self {
            Category::Parameters => "parameters",
            Category::Gradient => "gradient",
            Category::Optimizer => "optimizer",
            Category::Images => "images",
            Category::Activations => "activations",
            Category::Workspace => "workspace",
            Category::Embeddings => "embeddings",
            Category::Staging => "staging",
            Category::Readback => "readback",
        }
    }
}

/// Bytes by category.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bytes([u64; Category::ALL.len()]);

impl Bytes {
    /// Adds `bytes` to a category.
    pub fn add(&mut self, category: Category, bytes: u64) {
        self.0[category as usize] += bytes;
    }

    /// Takes `bytes` from a category.
    pub fn subtract(&mut self, category: Category, bytes: u64) {
        let entry = &mut self.0[category as usize];
        *entry = entry.saturating_sub(bytes);
    }

    /// The bytes of one category.
    pub fn of(&self, category: Category) -> u64 {
        self.0[category as usize]
    }

    /// The bytes of all categories.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Every category with its bytes.
    pub fn iter(&self) -> impl Iterator<Item = (Category, u64)> + '_ {
        Category::ALL.into_iter().zip(self.0)
    }
}

/// The exact count of live bytes of a device, and its high-water mark.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<Counts>);

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    live: Bytes,
    peak: Bytes,
}

impl Ledger {
    /// The bytes of all buffers that exist now.
    pub fn live(&self) -> Bytes {
        self.counts().live
    }

    /// The categories at the moment when the total was largest.
    pub fn peak(&self) -> Bytes {
        self.counts().peak
    }

    /// Starts a new high-water mark at the present bytes.
    pub fn reset_peak(&self) {
        let mut counts = self.counts();
        counts.peak = counts.live;
    }

    pub(crate) fn add(&self, category: Category, bytes: u64) {
        let mut counts = self.counts();
        counts.live.add(category, bytes);
        if counts.live.total() > counts.peak.total() {
            counts.peak = counts.live;
        }
    }

    pub(crate) fn subtract(&self, category: Category, bytes: u64) {
        self.counts().live.subtract(category, bytes);
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        // The counts are plain numbers: a panic elsewhere cannot leave them half-written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peak_keeps_the_categories_of_the_largest_total() {
        let ledger = Ledger::default();
        ledger.add(Category::Images, 10);
        ledger.add(Category::Workspace, 5);
        ledger.subtract(Category::Images, 10);
        ledger.add(Category::Gradient, 7);
        assert_eq!(ledger.live().total(), 12);
        assert_eq!(ledger.peak().total(), 15);
        assert_eq!(ledger.peak().of(Category::Images), 10);
        ledger.reset_peak();
        assert_eq!(ledger.peak(), ledger.live());
    }
}
