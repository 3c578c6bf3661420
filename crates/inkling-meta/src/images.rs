//! From images on the host to a chunk's input on the device.

use inkling_data::{ImageUpload, Pixels};
use inkling_gpu::{Buffer, Recorder};

use crate::features::FirstPass;
use crate::{Images, MetaError, Task};

/// Which half of its task an image belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Half {
    Support,
    Query,
}

/// An image of a pass: its task's number in the pass, and its own in the task's half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) task: u32,
    pub(crate) image: u32,
}

/// Loads images into chunks, converting bytes on the device.
#[derive(Clone, Copy)]
pub(crate) struct Loader<'l> {
    pub(crate) tasks: &'l [Task<'l>],
    pub(crate) upload: Option<&'l ImageUpload<Buffer>>,
    /// Values of one image.
    pub(crate) elements: usize,
    /// Height and width as the network takes them.
    pub(crate) size: u32,
    /// What bytes go through before they are what the network takes.
    pub(crate) first: Option<FirstPass<'l>>,
}

impl Loader<'_> {
    /// Writes the images at `places` to `to`, one behind the other.
    pub(crate) async fn load(
        &self,
        recorder: &mut Recorder,
        half: Half,
        places: &[Place],
        to: &Buffer,
    ) -> Result<(), MetaError> {
        let images = |place: &Place| {
            self.tasks.get(place.task as usize).map(|task| match half {
                Half::Support => task.support,
                Half::Query => task.query,
            })
        };
        let (mut values, mut bytes) = (Vec::new(), Vec::new());
        let mut normalization = None;
        for place in places {
            match images(place) {
                Some(Images::Values(all)) => {
                    let from = place.image as usize * self.elements;
                    values.extend_from_slice(all.get(from..from + self.elements).ok_or_else(beyond)?);
                }
                Some(Images::Bytes { pixels, affines, normalization: of_task }) => {
                    let index = place.image as usize;
                    let image: Option<(&Pixels, [f32; 6])> = pixels.get(index).zip(affines.get(index).copied());
                    bytes.push(image.ok_or_else(beyond)?);
                    if *normalization.get_or_insert(of_task) != of_task {
                        return Err(MetaError::Task("tasks of one pass need the same normalisation".into()));
                    }
                }
                None => return Err(beyond()),
            }
        }
        match (normalization, self.upload) {
            (None, _) => recorder.upload_values(to.all(), &values).await?,
            (Some(_), _) if !values.is_empty() => {
                return Err(MetaError::Task("tasks of one pass come as values or as bytes, not both".into()));
            }
            (Some(normalization), Some(upload)) => match &self.first {
                None => upload.load(recorder, &bytes, normalization, self.size, to).await?,
                Some(first) => first.load(recorder, (upload, normalization, self.size), &bytes, to).await?,
            },
            (Some(_), None) => return Err(MetaError::Task("the learner was made for images as values".into())),
        }
        Ok(())
    }
}

fn beyond() -> MetaError {
    MetaError::Task("an image index beyond the task; this is a fault of the program".into())
}
