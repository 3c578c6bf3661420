//! Which buffer holds which value of a network: values that are not needed at the same time share
//! one.

/// Buffers by number, with the elements of each for one image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Places {
    /// The buffer of each value; none where it has no buffer here.
    pub of_value: Vec<Option<usize>>,
    /// Elements of each buffer for one image.
    pub elements: Vec<u64>,
    /// Values that are in the buffer now.
    users: Vec<u32>,
}

impl Places {
    pub(crate) fn new(values: usize) -> Self {
        Self { of_value: vec![None; values], ..Self::default() }
    }

    /// The buffer of a value.
    pub(crate) fn of(&self, value: usize) -> Option<usize> {
        self.of_value.get(value).copied().flatten()
    }

    /// Gives a value a buffer that no other value uses at present: the one that fits best.
    pub(crate) fn take(&mut self, value: usize, elements: u64) {
        let free = || self.users.iter().zip(&self.elements).enumerate().filter(|(_, (users, _))| **users == 0);
        let fitting = free().filter(|(_, (_, size))| **size >= elements).min_by_key(|(_, (_, size))| **size);
        let best = fitting.or_else(|| free().max_by_key(|(_, (_, size))| **size)).map(|(place, _)| place);
        let place = best.unwrap_or_else(|| {
            self.elements.push(0);
            self.users.push(0);
            self.elements.len() - 1
        });
        if let Some(size) = self.elements.get_mut(place) {
            *size = (*size).max(elements);
        }
        self.put(value, place);
    }

    /// Gives a value a buffer of its own, for good.
    pub(crate) fn keep(&mut self, value: usize, elements: u64) {
        self.elements.push(elements);
        self.users.push(0);
        self.put(value, self.elements.len() - 1);
    }

    /// Gives a value the buffer of another.
    pub(crate) fn share(&mut self, value: usize, with: usize) {
        if let Some(place) = self.of(with) {
            self.put(value, place);
        }
    }

    /// The value is not needed any more.
    pub(crate) fn release(&mut self, value: usize) {
        if let Some(place) = self.of(value)
            && let Some(users) = self.users.get_mut(place)
        {
            *users = users.saturating_sub(1);
        }
    }

    fn put(&mut self, value: usize, place: usize) {
        if let (Some(of_value), Some(users)) = (self.of_value.get_mut(value), self.users.get_mut(place)) {
            *of_value = Some(place);
            *users += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_alternates_between_two_buffers() {
        let mut places = Places::new(4);
        places.take(0, 10);
        places.take(1, 4);
        places.release(0);
        places.take(2, 12);
        places.release(1);
        places.take(3, 3);
        assert_eq!(places.of_value, [Some(0), Some(1), Some(0), Some(1)]);
        assert_eq!(places.elements, [12, 4]);
    }

    #[test]
    fn a_shared_buffer_is_free_when_its_last_value_is_done() {
        let mut places = Places::new(4);
        places.take(0, 8);
        places.share(1, 0);
        places.release(0);
        places.take(2, 8);
        assert_eq!(places.of(2), Some(1));
        places.release(1);
        places.take(3, 8);
        assert_eq!(places.of(3), Some(0));
    }

    #[test]
    fn what_is_kept_is_shared_with_nobody() {
        let mut places = Places::new(3);
        places.keep(0, 5);
        places.take(1, 5);
        places.release(1);
        places.take(2, 5);
        assert_eq!(places.of_value, [Some(0), Some(1), Some(1)]);
    }
}
