//! The project across a reload: each image is stored once under a name of its own, and a list says
//! which images make which classes. A change costs the images it adds, not the whole project.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use inkling_platform::{Pending, Storage, StorageError, unix_seconds, yield_now};
use inkling_session::teach::{ImageData, ImageId, Lesson, NewImage, RgbaImage};
use serde::{Deserialize, Serialize};

/// Where the list of classes is stored.
const LIST: &str = "teach.json";
/// What names of images begin with.
const IMAGES: &str = "teach-";
/// Seconds without a change before it is saved.
const QUIET_SECONDS: f64 = 0.8;
const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct List {
    format: u32,
    name: String,
    learner: Option<String>,
    classes: Vec<ListedClass>,
}

#[derive(Serialize, Deserialize)]
struct ListedClass {
    name: String,
    images: Vec<ListedImage>,
}

#[derive(Clone, Serialize, Deserialize)]
struct ListedImage {
    name: String,
    blob: String,
    /// Width and height of raw pixels; none for the bytes of a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    raw: Option<[u32; 2]>,
}

/// What was stored.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Stored {
    pub name: String,
    /// The learner's name.
    pub learner: Option<String>,
    pub classes: Vec<(String, Vec<NewImage>)>,
    /// The stored name of each image, in the order of the classes.
    pub blobs: Vec<String>,
    /// Images that were listed and are gone.
    pub missing: usize,
}

/// What identifies a state of the project.
type Mark = (u64, String, Option<String>);

/// Saves by itself, and brings back.
pub(crate) struct Autosave {
    storage: Storage,
    blobs: HashMap<ImageId, String>,
    /// Told apart from the names of other sessions.
    prefix: String,
    named: u64,
    seen: Option<(Mark, f64)>,
    saved: Option<Mark>,
    saving: Option<(Mark, Pending<Result<(), StorageError>>)>,
    restoring: Option<Pending<Result<Option<Stored>, StorageError>>>,
}

impl Autosave {
    /// Starts to look for what was stored.
    pub fn new(storage: Storage) -> Self {
        let store = storage.clone();
        Self {
            storage,
            blobs: HashMap::new(),
            prefix: format!("{IMAGES}{:x}", (unix_seconds() * 1000.0) as u64),
            named: 0,
            seen: None,
            saved: None,
            saving: None,
            restoring: Some(Pending::start(move || async move { restore(&store).await })),
        }
    }

    /// Whether what was stored is still being read.
    pub fn is_restoring(&self) -> bool {
        self.restoring.is_some()
    }

    /// Whether everything that was changed is stored.
    pub fn is_saved(&self) -> bool {
        self.saving.is_none() && self.saved.is_some() && self.saved.as_ref() == self.seen.as_ref().map(|(mark, _)| mark)
    }

    /// What was stored, once.
    pub fn restored(&mut self) -> Option<Result<Stored, StorageError>> {
        let answer = self.restoring.as_mut()?.take()?;
        self.restoring = None;
        answer.transpose()
    }

    /// Says under which names the images of a lesson are stored already, in its order.
    pub fn know(&mut self, lesson: &Lesson, blobs: Vec<String>) {
        let images = lesson.classes.iter().flat_map(|class| &class.images);
        self.blobs = images.map(|image| image.id).zip(blobs).collect();
    }

    /// Looks at the project in every frame and saves it a moment after its last change. `revision`
    /// is that of `lesson`, and `seconds` a clock's. Gives the error of a save that failed.
    pub fn poll(&mut self, lesson: &Lesson, mark: Mark, seconds: f64) -> Option<StorageError> {
        if let Some((saved, pending)) = &mut self.saving {
            let answer = pending.take()?;
            let saved = saved.clone();
            self.saving = None;
            // A failed save counts as done until the next change, rather than fail in every frame.
            self.saved = Some(saved);
            if let Err(error) = answer {
                self.blobs.clear();
                return Some(error);
            }
        }
        if self.seen.as_ref().is_none_or(|(seen, _)| *seen != mark) {
            self.seen = Some((mark.clone(), seconds));
            // Nothing was ever made here: nothing to store.
            if self.saved.is_none() && lesson.classes.is_empty() {
                self.saved = Some(mark.clone());
            }
        }
        let quiet = self.seen.as_ref().is_some_and(|(_, since)| seconds - since >= QUIET_SECONDS);
        if quiet && self.restoring.is_none() && self.saved.as_ref() != Some(&mark) {
            self.save(lesson, mark);
        }
        None
    }

    fn save(&mut self, lesson: &Lesson, mark: Mark) {
        let mut fresh: Vec<(String, Arc<NewImage>)> = Vec::new();
        let mut classes = Vec::with_capacity(lesson.classes.len());
        for class in &lesson.classes {
            let mut images = Vec::with_capacity(class.images.len());
            for image in &class.images {
                let blob = self.blobs.entry(image.id).or_insert_with(|| {
                    self.named += 1;
                    let blob = format!("{}-{}", self.prefix, self.named);
                    fresh.push((blob.clone(), Arc::clone(&image.image)));
                    blob
                });
                let raw = match &image.image.data {
                    ImageData::Encoded(_) => None,
                    ImageData::Rgba(picture) => Some([picture.width(), picture.height()]),
                };
                images.push(ListedImage { name: image.image.name.clone(), blob: blob.clone(), raw });
            }
            classes.push(ListedClass { name: class.name.clone(), images });
        }
        let present: HashSet<ImageId> =
            lesson.classes.iter().flat_map(|class| class.images.iter().map(|image| image.id)).collect();
        let gone = self.blobs.extract_if(|id, _| !present.contains(id)).map(|(_, blob)| blob).collect::<Vec<_>>();
        let list = List { format: FORMAT, name: mark.1.clone(), learner: mark.2.clone(), classes };
        let store = self.storage.clone();
        let work = Pending::start(move || async move {
            for (blob, image) in fresh {
                store.put(&blob, bytes(&image.data)).await?;
                yield_now().await;
            }
            // Images first, then the list, then what the list no longer names: whenever this is cut
            // short, the list that is there is whole.
            store.put(LIST, serde_json::to_vec(&list).unwrap_or_default()).await?;
            for blob in gone {
                store.remove(&blob).await?;
            }
            Ok(())
        });
        self.saving = Some((mark, work));
    }
}

fn bytes(data: &ImageData) -> Vec<u8> {
    match data {
        ImageData::Encoded(bytes) => bytes.to_vec(),
        ImageData::Rgba(picture) => picture.pixels().to_vec(),
    }
}

/// Reads what was stored, and removes images that no list names.
async fn restore(storage: &Storage) -> Result<Option<Stored>, StorageError> {
    let Some(text) = storage.get(LIST).await? else { return Ok(None) };
    // A list that cannot be read stays where it is; the next change replaces it.
    let Ok(list) = serde_json::from_slice::<List>(&text) else { return Ok(None) };
    if list.format > FORMAT {
        return Ok(None);
    }
    let mut stored = Stored { name: list.name, learner: list.learner, ..Stored::default() };
    for class in list.classes {
        let mut images = Vec::with_capacity(class.images.len());
        for listed in class.images {
            match storage.get(&listed.blob).await?.and_then(|bytes| image(&listed, bytes)) {
                Some(image) => {
                    images.push(image);
                    stored.blobs.push(listed.blob);
                }
                None => stored.missing += 1,
            }
            yield_now().await;
        }
        stored.classes.push((class.name, images));
    }
    let named: HashSet<&String> = stored.blobs.iter().collect();
    for name in storage.list().await? {
        if name.starts_with(IMAGES) && !named.contains(&name) {
            storage.remove(&name).await?;
        }
    }
    Ok(Some(stored))
}

fn image(listed: &ListedImage, bytes: Vec<u8>) -> Option<NewImage> {
    let data = match listed.raw {
        None => ImageData::from(bytes),
        Some([width, height]) => ImageData::from(RgbaImage::new(width, height, bytes)?),
    };
    Some(NewImage::new(listed.name.clone(), data))
}

#[cfg(test)]
mod tests {
    use super::*;
    use inkling_session::teach::Classroom;
    use pollster::block_on;

    fn mark(room: &Classroom) -> Mark {
        (room.revision(), "Pets".to_owned(), Some("scenes".to_owned()))
    }

    /// Waits until everything is stored.
    fn settle(autosave: &mut Autosave, room: &Classroom) {
        for step in 0..2000 {
            assert_eq!(autosave.poll(&room.lesson(), mark(room), f64::from(step)), None);
            if autosave.is_saved() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        panic!("never saved");
    }

    fn opened(storage: &Storage) -> (Autosave, Option<Stored>) {
        let mut autosave = Autosave::new(storage.clone());
        for _ in 0..2000 {
            let stored = autosave.restored();
            if !autosave.is_restoring() {
                return (autosave, stored.map(Result::unwrap));
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        panic!("never restored");
    }

    fn example() -> (Classroom, Vec<(String, Vec<NewImage>)>) {
        let pixels = RgbaImage::new(2, 1, vec![7; 8]).unwrap();
        let classes = vec![
            ("Katzen & Co".to_owned(), vec![NewImage::new("a.png", vec![1, 2]), NewImage::new("frame", pixels)]),
            ("empty".to_owned(), vec![]),
        ];
        let mut room = Classroom::default();
        room.replace(classes.clone());
        (room, classes)
    }

    #[test]
    fn a_project_survives_and_only_new_images_are_written() {
        let storage = Storage::in_memory();
        let (mut autosave, stored) = opened(&storage);
        assert_eq!(stored, None);
        let (room, classes) = example();
        settle(&mut autosave, &room);
        assert_eq!(block_on(storage.list()).unwrap().len(), 3);

        let (mut again, stored) = opened(&storage);
        let stored = stored.unwrap();
        assert_eq!((&stored.classes, stored.name.as_str(), stored.missing), (&classes, "Pets", 0));
        let mut room = Classroom::default();
        room.replace(stored.classes);
        again.know(&room.lesson(), stored.blobs.clone());
        let first = room.lesson().classes[0].images[0].id;
        room.delete_images(&[first]);
        room.add_images(room.classes()[1].id, [NewImage::new("b.png", vec![3])]);
        settle(&mut again, &room);
        let names = block_on(storage.list()).unwrap();
        assert!(!names.contains(&stored.blobs[0]) && names.contains(&stored.blobs[1]), "{names:?}");
        assert_eq!(names.len(), 3);
        let (_, third) = opened(&storage);
        assert_eq!(third.unwrap().classes[1].1[0].name, "b.png");
    }

    #[test]
    fn what_is_undone_is_stored_again() {
        let storage = Storage::in_memory();
        let (mut autosave, _) = opened(&storage);
        let (mut room, classes) = example();
        settle(&mut autosave, &room);
        room.delete_class(room.classes()[0].id);
        settle(&mut autosave, &room);
        assert_eq!(block_on(storage.list()).unwrap(), [LIST]);
        room.undo();
        settle(&mut autosave, &room);
        assert_eq!(opened(&storage).1.unwrap().classes, classes);
    }

    #[test]
    fn damage_costs_what_is_damaged_and_no_more() {
        let storage = Storage::in_memory();
        let (mut autosave, _) = opened(&storage);
        let (room, _) = example();
        settle(&mut autosave, &room);
        let names = block_on(storage.list()).unwrap();
        let blob = names.iter().find(|name| *name != LIST).unwrap();
        block_on(storage.remove(blob)).unwrap();
        block_on(storage.put("teach-left-behind", vec![0])).unwrap();
        let stored = opened(&storage).1.unwrap();
        assert_eq!((stored.missing, stored.blobs.len()), (1, 1));
        assert!(!block_on(storage.list()).unwrap().contains(&"teach-left-behind".to_owned()));
        block_on(storage.put(LIST, b"{".to_vec())).unwrap();
        assert_eq!(opened(&storage).1, None);
    }
}
