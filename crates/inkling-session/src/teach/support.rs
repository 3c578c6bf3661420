//! What a head learns from: the embeddings of the classes that have any, by reference.

use super::classroom::{ClassId, ImageId};

/// The embedded images of one class; at least one.
#[derive(Clone, Debug)]
pub(super) struct Members<'a> {
    pub(super) class: ClassId,
    pub(super) ids: Vec<ImageId>,
    /// `[images][d]`
    pub(super) embeddings: Vec<&'a [f32]>,
}

/// The classes with an embedded image, in the order of the lesson.
#[derive(Clone, Debug, Default)]
pub(super) struct Support<'a> {
    pub(super) classes: Vec<Members<'a>>,
}

impl<'a> Support<'a> {
    /// Class and position of an image.
    pub(super) fn place(&self, id: ImageId) -> Option<(usize, usize)> {
        let of_class = |(class, members): (usize, &Members<'a>)| {
            members.ids.iter().position(|other| *other == id).map(|at| (class, at))
        };
        self.classes.iter().enumerate().find_map(of_class)
    }

    /// The embedding at a place.
    pub(super) fn embedding(&self, (class, at): (usize, usize)) -> Option<&'a [f32]> {
        self.classes.get(class)?.embeddings.get(at).copied()
    }

    /// The same without the images at these places; a class that would be empty stays as a number
    /// without images.
    pub(super) fn without(&self, left_out: impl Fn(usize, usize) -> bool) -> (Vec<f32>, Vec<u32>) {
        let (mut embeddings, mut labels) = (Vec::new(), Vec::new());
        for (class, members) in self.classes.iter().enumerate() {
            for (at, embedding) in members.embeddings.iter().enumerate() {
                if !left_out(class, at) {
                    embeddings.extend_from_slice(embedding);
                    labels.push(class as u32);
                }
            }
        }
        (embeddings, labels)
    }
}

/// Supports of noise for tests.
#[cfg(test)]
pub(super) mod fixture {
    use super::*;
    use crate::teach::{Classroom, NewImage, RgbaImage};

    /// Embeddings with the class each belongs to.
    pub(in crate::teach) struct Embedded {
        classroom: Classroom,
        embeddings: Vec<Vec<Vec<f32>>>,
    }

    impl Embedded {
        pub(in crate::teach) fn new(embeddings: Vec<Vec<Vec<f32>>>) -> Self {
            let image = || NewImage::new("x", RgbaImage::new(1, 1, vec![0; 4]).unwrap());
            let mut classroom = Classroom::default();
            classroom.replace(embeddings.iter().map(|class| ("c".to_owned(), class.iter().map(|_| image()).collect())));
            Self { classroom, embeddings }
        }

        pub(in crate::teach) fn support(&self) -> Support<'_> {
            let classes = self.classroom.classes().iter().zip(&self.embeddings).map(|(class, embeddings)| Members {
                class: class.id,
                ids: class.images.iter().map(|image| image.id).collect(),
                embeddings: embeddings.iter().map(Vec::as_slice).collect(),
            });
            Support { classes: classes.collect() }
        }
    }
}
