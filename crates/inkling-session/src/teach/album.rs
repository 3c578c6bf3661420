//! What is known of each image: its embedding, or why it has none. Images that leave the classes stay
//! for a while, because they come back when a change is undone or an image moves.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::classroom::{ClassImage, ImageId, Lesson};
use super::support::{Members, Support};

/// Embeddings of images that are in no class at present.
const MOST_ABSENT: usize = 4096;

/// What is known of an image.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Known {
    /// Its embedding, `[d]`.
    Embedded(Vec<f32>),
    /// It cannot be read.
    Rejected,
}

/// All that is known.
#[derive(Debug, Default)]
pub(super) struct Album {
    known: HashMap<ImageId, Known>,
    /// Images whose thumbnail was shown.
    shown: HashSet<ImageId>,
}

impl Album {
    /// Forgets the embeddings: another learner makes others.
    pub(super) fn forget_embeddings(&mut self) {
        self.known.retain(|_, known| *known == Known::Rejected);
    }

    pub(super) fn insert(&mut self, id: ImageId, known: Known) {
        self.known.insert(id, known);
    }

    pub(super) fn get(&self, id: ImageId) -> Option<&Known> {
        self.known.get(&id)
    }

    /// Whether this is the first time that the image's thumbnail is asked for.
    pub(super) fn shows_first(&mut self, id: ImageId) -> bool {
        self.shown.insert(id)
    }

    /// The images of a lesson of which nothing is known, in order.
    pub(super) fn unknown(&self, lesson: &Lesson) -> Vec<ClassImage> {
        let images = lesson.classes.iter().flat_map(|class| &class.images);
        images.filter(|image| !self.known.contains_key(&image.id)).cloned().collect()
    }

    /// Images of the lesson that are embedded or rejected.
    pub(super) fn done(&self, lesson: &Lesson) -> usize {
        let images = lesson.classes.iter().flat_map(|class| &class.images);
        images.filter(|image| self.known.contains_key(&image.id)).count()
    }

    /// Keeps what is known of images in no class within bounds.
    pub(super) fn prune(&mut self, lesson: &Arc<Lesson>) {
        if self.known.len() > lesson.image_count() + MOST_ABSENT {
            let present: HashSet<ImageId> =
                lesson.classes.iter().flat_map(|class| class.images.iter().map(|image| image.id)).collect();
            self.known.retain(|id, _| present.contains(id));
            self.shown.retain(|id| present.contains(id));
        }
    }

    /// The embedded images of a lesson.
    pub(super) fn support(&self, lesson: &Lesson) -> Support<'_> {
        let mut classes = Vec::with_capacity(lesson.classes.len());
        for class in &lesson.classes {
            let mut members = Members { class: class.id, ids: Vec::new(), embeddings: Vec::new() };
            for image in &class.images {
                if let Some(Known::Embedded(embedding)) = self.known.get(&image.id) {
                    members.ids.push(image.id);
                    members.embeddings.push(embedding);
                }
            }
            if !members.ids.is_empty() {
                classes.push(members);
            }
        }
        Support { classes }
    }
}
