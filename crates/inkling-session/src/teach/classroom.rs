//! Classes and their images, without a device: what a person edits, with undo and redo. Bytes are
//! shared with every lesson that is taught from it; nothing here copies or decodes them.

use std::sync::Arc;

use super::edit::{Edit, History};
use super::image::ImageData;

/// A class of a classroom. Numbers are never given twice, whatever is undone or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClassId(u64);

impl ClassId {
    /// The number behind it, for keys of widgets.
    pub fn number(self) -> u64 {
        self.0
    }
}

/// An image of a classroom. Numbers are never given twice, whatever is undone or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImageId(u64);

impl ImageId {
    /// The number behind it, for keys of widgets.
    pub fn number(self) -> u64 {
        self.0
    }
}

/// An image with its name.
#[derive(Clone, Debug, PartialEq)]
pub struct NewImage {
    /// What users know it by: a file's name, or how it came.
    pub name: String,
    /// Its bytes.
    pub data: ImageData,
}

impl NewImage {
    /// An image of this name.
    pub fn new(name: impl Into<String>, data: impl Into<ImageData>) -> Self {
        Self { name: name.into(), data: data.into() }
    }
}

/// An image of a class.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassImage {
    /// Which it is.
    pub id: ImageId,
    /// Name and bytes.
    pub image: Arc<NewImage>,
}

/// A class.
#[derive(Clone, Debug, PartialEq)]
pub struct Class {
    /// Which it is.
    pub id: ClassId,
    /// Its name; two classes may have the same.
    pub name: String,
    /// Its images.
    pub images: Vec<ClassImage>,
}

/// What a learner is taught: the classes at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lesson {
    /// The classes, in order.
    pub classes: Vec<Class>,
}

impl Lesson {
    /// Images of all classes.
    pub fn image_count(&self) -> usize {
        self.classes.iter().map(|class| class.images.len()).sum()
    }
}

/// Classes and images with the history of their changes.
///
/// Every method that changes something gives whether it did (or the new class); a class or image
/// that there is not, or no longer, changes nothing.
#[derive(Clone, Debug, Default)]
pub struct Classroom {
    classes: Vec<Class>,
    history: History,
    /// The last number given to a class or image.
    numbers: u64,
    /// Counts changes.
    revision: u64,
}

impl Classroom {
    /// A classroom of these classes, with nothing to undo: a project that comes back.
    pub fn with(classes: impl IntoIterator<Item = (String, Vec<NewImage>)>) -> Self {
        let mut room = Self::default();
        room.classes = room.numbered(classes);
        room.revision = 1;
        room
    }

    /// The classes, in order.
    pub fn classes(&self) -> &[Class] {
        &self.classes
    }

    /// A class.
    pub fn class(&self, id: ClassId) -> Option<&Class> {
        self.classes.iter().find(|class| class.id == id)
    }

    /// An image with its class.
    pub fn image(&self, id: ImageId) -> Option<(&Class, &ClassImage)> {
        self.classes.iter().find_map(|class| Some((class, class.images.iter().find(|image| image.id == id)?)))
    }

    /// Images of all classes.
    pub fn image_count(&self) -> usize {
        self.classes.iter().map(|class| class.images.len()).sum()
    }

    /// Bytes of all images.
    pub fn bytes(&self) -> usize {
        self.classes.iter().flat_map(|class| &class.images).map(|image| image.image.data.bytes()).sum()
    }

    /// A number that every change raises: what follows from the classes is stale when it differs.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The classes as they are now, to be taught or saved.
    pub fn lesson(&self) -> Lesson {
        Lesson { classes: self.classes.clone() }
    }

    /// Adds an empty class behind the others.
    pub fn add_class(&mut self, name: impl Into<String>) -> ClassId {
        let class = Class { id: ClassId(self.number()), name: name.into(), images: Vec::new() };
        let id = class.id;
        self.change(Edit::InsertClass { at: self.classes.len(), class });
        id
    }

    /// Removes a class with its images.
    pub fn delete_class(&mut self, id: ClassId) -> bool {
        self.position(id).is_some_and(|at| self.change(Edit::RemoveClass { at }))
    }

    /// Renames a class.
    pub fn rename_class(&mut self, id: ClassId, name: impl Into<String>) -> bool {
        let name = name.into();
        let same = self.class(id).is_none_or(|class| class.name == name);
        !same && self.position(id).is_some_and(|at| self.change(Edit::Rename { at, name }))
    }

    /// Moves a class so that it is number `to` among the classes, counted from zero.
    pub fn move_class(&mut self, id: ClassId, to: usize) -> bool {
        let to = to.min(self.classes.len().saturating_sub(1));
        self.position(id).is_some_and(|from| from != to && self.change(Edit::MoveClass { from, to }))
    }

    /// Adds images to a class, as one step of the history; gives their numbers.
    pub fn add_images(&mut self, class: ClassId, images: impl IntoIterator<Item = NewImage>) -> Vec<ImageId> {
        self.insert(class, images, false)
    }

    /// Adds an image as a camera does while a button is held: undone together with those that were
    /// added to the class this way just before. `first` begins a new recording.
    pub fn record(&mut self, class: ClassId, image: NewImage, first: bool) -> Option<ImageId> {
        self.insert(class, [image], !first).first().copied()
    }

    /// Removes images, wherever they are, as one step of the history.
    pub fn delete_images(&mut self, ids: &[ImageId]) -> bool {
        let places = self.places(ids);
        !places.is_empty() && self.change(Edit::RemoveImages { places })
    }

    /// Moves images to the end of a class, as one step of the history; those that are there already
    /// stay where they are.
    pub fn move_images(&mut self, ids: &[ImageId], to: ClassId) -> bool {
        let Some(target) = self.position(to) else { return false };
        let mut places = self.places(ids);
        places.retain(|(class, _)| *class != target);
        if places.is_empty() {
            return false;
        }
        let image = |&(class, at): &(usize, usize)| self.classes.get(class)?.images.get(at).cloned();
        let moved: Vec<ClassImage> = places.iter().filter_map(image).collect();
        let end = self.classes.get(target).map_or(0, |class| class.images.len());
        let images = moved.into_iter().enumerate().map(|(index, image)| ((target, end + index), image)).collect();
        self.change(Edit::All(vec![Edit::RemoveImages { places }, Edit::InsertImages { images }]))
    }

    /// Puts these classes in place of all, as one step of the history: a project that was opened, or
    /// no class at all. Their images get new numbers.
    pub fn replace(&mut self, classes: impl IntoIterator<Item = (String, Vec<NewImage>)>) {
        let classes = self.numbered(classes);
        self.change(Edit::Replace { classes });
    }

    /// Adds classes with images behind the others, as one step of the history: folders, a sample set.
    pub fn add_classes(&mut self, classes: impl IntoIterator<Item = (String, Vec<NewImage>)>) -> Vec<ClassId> {
        let classes = self.numbered(classes);
        let ids: Vec<ClassId> = classes.iter().map(|class| class.id).collect();
        let first = self.classes.len();
        let edits =
            classes.into_iter().enumerate().map(|(index, class)| Edit::InsertClass { at: first + index, class });
        let edits: Vec<Edit> = edits.collect();
        if !edits.is_empty() {
            self.change(Edit::All(edits));
        }
        ids
    }

    /// Whether there is something to undo.
    pub fn can_undo(&self) -> bool {
        self.history.can_undo()
    }

    /// Whether there is something to redo.
    pub fn can_redo(&self) -> bool {
        self.history.can_redo()
    }

    /// Takes the last change back.
    pub fn undo(&mut self) -> bool {
        let changed = self.history.undo(&mut self.classes);
        self.revision += u64::from(changed);
        changed
    }

    /// Makes the last change that was taken back again.
    pub fn redo(&mut self) -> bool {
        let changed = self.history.redo(&mut self.classes);
        self.revision += u64::from(changed);
        changed
    }

    fn change(&mut self, edit: Edit) -> bool {
        self.history.apply(&mut self.classes, edit);
        self.revision += 1;
        true
    }

    fn insert(&mut self, class: ClassId, images: impl IntoIterator<Item = NewImage>, joins: bool) -> Vec<ImageId> {
        let Some(at) = self.position(class) else { return Vec::new() };
        let end = self.classes.get(at).map_or(0, |class| class.images.len());
        let images: Vec<((usize, usize), ClassImage)> =
            images.into_iter().enumerate().map(|(index, image)| ((at, end + index), self.image_of(image))).collect();
        let ids: Vec<ImageId> = images.iter().map(|(_, image)| image.id).collect();
        if ids.is_empty() {
            return ids;
        }
        if joins {
            self.history.apply_to_last(&mut self.classes, Edit::InsertImages { images });
            self.revision += 1;
        } else {
            self.change(Edit::InsertImages { images });
        }
        ids
    }

    fn numbered(&mut self, classes: impl IntoIterator<Item = (String, Vec<NewImage>)>) -> Vec<Class> {
        let numbered = |(name, images): (String, Vec<NewImage>)| {
            let id = ClassId(self.number());
            Class { id, name, images: images.into_iter().map(|image| self.image_of(image)).collect() }
        };
        classes.into_iter().map(numbered).collect()
    }

    fn image_of(&mut self, image: NewImage) -> ClassImage {
        ClassImage { id: ImageId(self.number()), image: Arc::new(image) }
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn position(&self, id: ClassId) -> Option<usize> {
        self.classes.iter().position(|class| class.id == id)
    }

    /// Class and position of each image that there is, in order, each once.
    fn places(&self, ids: &[ImageId]) -> Vec<(usize, usize)> {
        let ids: std::collections::HashSet<ImageId> = ids.iter().copied().collect();
        let classes = self.classes.iter().enumerate();
        let images = classes
            .flat_map(|(class, of)| of.images.iter().enumerate().map(move |(at, image)| ((class, at), image.id)));
        images.filter(|(_, id)| ids.contains(id)).map(|(place, _)| place).collect()
    }
}

#[cfg(test)]
#[path = "classroom_tests.rs"]
mod tests;
