//! Changes of a list of classes, each with the change that takes it back.

use super::classroom::{Class, ClassImage};

/// Steps that can be taken back.
const MOST_STEPS: usize = 500;

/// A change. Places are positions before it; those of images are class and position within it.
#[derive(Clone, Debug)]
pub(super) enum Edit {
    InsertClass {
        at: usize,
        class: Class,
    },
    RemoveClass {
        at: usize,
    },
    Rename {
        at: usize,
        name: String,
    },
    MoveClass {
        from: usize,
        to: usize,
    },
    /// In rising order of places, each the place that the image has afterwards.
    InsertImages {
        images: Vec<((usize, usize), ClassImage)>,
    },
    /// In rising order.
    RemoveImages {
        places: Vec<(usize, usize)>,
    },
    Replace {
        classes: Vec<Class>,
    },
    /// One after the other.
    All(Vec<Edit>),
}

impl Edit {
    /// Makes the change and gives the one that takes it back; without effect where a place is none.
    fn apply(self, classes: &mut Vec<Class>) -> Edit {
        match self {
            Edit::InsertClass { at, class } => {
                let at = at.min(classes.len());
                classes.insert(at, class);
                Edit::RemoveClass { at }
            }
            Edit::RemoveClass { at } if at < classes.len() => Edit::InsertClass { at, class: classes.remove(at) },
            Edit::RemoveClass { .. } => Edit::All(Vec::new()),
            Edit::Rename { at, name } => match classes.get_mut(at) {
                Some(class) => Edit::Rename { at, name: std::mem::replace(&mut class.name, name) },
                None => Edit::All(Vec::new()),
            },
            Edit::MoveClass { from, to } if from.max(to) < classes.len() => {
                let class = classes.remove(from);
                classes.insert(to, class);
                Edit::MoveClass { from: to, to: from }
            }
            Edit::MoveClass { .. } => Edit::All(Vec::new()),
            Edit::InsertImages { images } => {
                let places = images.iter().map(|(place, _)| *place).collect();
                for ((class, at), image) in images {
                    if let Some(class) = classes.get_mut(class) {
                        class.images.insert(at.min(class.images.len()), image);
                    }
                }
                Edit::RemoveImages { places }
            }
            Edit::RemoveImages { places } => {
                let mut images = Vec::with_capacity(places.len());
                // From behind, so that the places before stay what they are.
                for &(class, at) in places.iter().rev() {
                    let of_class = classes.get_mut(class).map(|class| &mut class.images);
                    if let Some(of_class) = of_class.filter(|images| at < images.len()) {
                        images.push(((class, at), of_class.remove(at)));
                    }
                }
                images.reverse();
                Edit::InsertImages { images }
            }
            Edit::Replace { classes: new } => Edit::Replace { classes: std::mem::replace(classes, new) },
            Edit::All(edits) => {
                let mut back: Vec<Edit> = edits.into_iter().map(|edit| edit.apply(classes)).collect();
                back.reverse();
                Edit::All(back)
            }
        }
    }
}

/// What takes changes back, and what makes them again.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    back: Vec<Edit>,
    again: Vec<Edit>,
    /// Whether the last step may grow.
    grows: bool,
}

impl History {
    pub(super) fn can_undo(&self) -> bool {
        !self.back.is_empty()
    }

    pub(super) fn can_redo(&self) -> bool {
        !self.again.is_empty()
    }

    /// Makes a change, as a step of its own.
    pub(super) fn apply(&mut self, classes: &mut Vec<Class>, edit: Edit) {
        self.grows = matches!(edit, Edit::InsertImages { .. });
        self.back.push(edit.apply(classes));
        self.again.clear();
        if self.back.len() > MOST_STEPS {
            self.back.remove(0);
        }
    }

    /// Adds images within the last step, where that added images to the same class.
    pub(super) fn apply_to_last(&mut self, classes: &mut Vec<Class>, edit: Edit) {
        let class = match &edit {
            Edit::InsertImages { images } => images.first().map(|((class, _), _)| *class),
            _ => None,
        };
        let last = match self.back.last_mut() {
            Some(Edit::RemoveImages { places }) if self.grows => Some(places),
            _ => None,
        };
        match last.filter(|places| places.last().map(|(class, _)| *class) == class) {
            Some(places) => {
                if let Edit::RemoveImages { places: more } = edit.apply(classes) {
                    places.extend(more);
                }
                self.again.clear();
            }
            None => self.apply(classes, edit),
        }
    }

    pub(super) fn undo(&mut self, classes: &mut Vec<Class>) -> bool {
        self.grows = false;
        let Some(edit) = self.back.pop() else { return false };
        self.again.push(edit.apply(classes));
        true
    }

    pub(super) fn redo(&mut self, classes: &mut Vec<Class>) -> bool {
        self.grows = false;
        let Some(edit) = self.again.pop() else { return false };
        self.back.push(edit.apply(classes));
        true
    }
}
