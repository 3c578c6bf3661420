//! Which images are chosen: by click, with Ctrl one more, with Shift all between.

use std::collections::BTreeSet;

/// How a click on an image changes the selection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Extend {
    /// Only this one.
    #[default]
    Alone,
    /// This one too, or no longer.
    Toggle,
    /// All from the last one clicked to this one.
    Range,
}

impl Extend {
    /// What the held keys ask for.
    pub fn of(modifiers: egui::Modifiers) -> Self {
        if modifiers.command {
            Self::Toggle
        } else if modifiers.shift {
            Self::Range
        } else {
            Self::Alone
        }
    }
}

/// The chosen images, all of one class or of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Selection<K> {
    chosen: BTreeSet<K>,
    anchor: Option<K>,
}

impl<K> Default for Selection<K> {
    fn default() -> Self {
        Self { chosen: BTreeSet::new(), anchor: None }
    }
}

impl<K: Copy + Ord> Selection<K> {
    /// Changes the selection by a click on `image`; `order` lists the images of its class as shown.
    pub fn click(&mut self, image: K, extend: Extend, order: &[K]) {
        match extend {
            Extend::Alone => {
                self.chosen.clear();
                self.chosen.insert(image);
                self.anchor = Some(image);
            }
            Extend::Toggle => {
                if !self.chosen.remove(&image) {
                    self.chosen.insert(image);
                }
                self.anchor = Some(image);
            }
            Extend::Range => {
                let place = |key: K| order.iter().position(|other| *other == key);
                match (self.anchor.and_then(place), place(image)) {
                    (Some(from), Some(to)) => {
                        self.chosen.clear();
                        self.chosen.extend(order.iter().skip(from.min(to)).take(from.abs_diff(to) + 1));
                    }
                    _ => self.click(image, Extend::Alone, order),
                }
            }
        }
    }

    /// Chooses exactly these.
    pub fn set(&mut self, images: impl IntoIterator<Item = K>) {
        self.chosen = images.into_iter().collect();
        self.anchor = None;
    }

    /// Chooses nothing.
    pub fn clear(&mut self) {
        self.chosen.clear();
        self.anchor = None;
    }

    /// Forgets what is no longer there.
    pub fn retain(&mut self, exists: impl Fn(K) -> bool) {
        self.chosen.retain(|key| exists(*key));
        self.anchor = self.anchor.filter(|key| exists(*key));
    }

    pub fn contains(&self, image: K) -> bool {
        self.chosen.contains(&image)
    }

    pub fn len(&self) -> usize {
        self.chosen.len()
    }

    pub fn is_empty(&self) -> bool {
        self.chosen.is_empty()
    }

    /// The chosen images in their order of creation.
    pub fn images(&self) -> Vec<K> {
        self.chosen.iter().copied().collect()
    }

    /// What an action on `image` acts on: the whole selection where it is part of it, else itself.
    pub fn or_alone(&self, image: K) -> Vec<K> {
        if self.contains(image) { self.images() } else { vec![image] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clicks_choose_as_file_managers_do() {
        let order = [9, 4, 7, 2, 5];
        let mut selection = Selection::default();
        selection.click(4, Extend::Alone, &order);
        selection.click(2, Extend::Range, &order);
        assert_eq!(selection.images(), [2, 4, 7]);
        selection.click(9, Extend::Range, &order);
        assert_eq!(selection.images(), [4, 9], "the range turns about the image clicked first");
        selection.click(5, Extend::Toggle, &order);
        selection.click(9, Extend::Toggle, &order);
        assert_eq!(selection.images(), [4, 5]);
        assert_eq!(selection.or_alone(4), [4, 5]);
        assert_eq!(selection.or_alone(7), [7]);
        selection.click(7, Extend::Alone, &order);
        assert_eq!(selection.images(), [7]);
    }

    #[test]
    fn a_range_in_another_class_begins_anew() {
        let mut selection = Selection::default();
        selection.click(1, Extend::Alone, &[1, 2]);
        selection.click(8, Extend::Range, &[7, 8]);
        assert_eq!(selection.images(), [8]);
        selection.retain(|key| key != 8);
        assert!(selection.is_empty());
        selection.click(2, Extend::Range, &[1, 2]);
        assert_eq!(selection.images(), [2], "a forgotten anchor is none");
    }
}
