//! Files on their way in: picked, dropped or pasted, listed, read one by one off the frame, and
//! sorted into images by class, a project, or a learner.

use std::collections::BTreeMap;
use std::sync::Arc;

use inkling_platform::{
    FileError, FileFilter, Pending, PickedFile, Receiver, channel, open_folders, pick_files, pick_files_of_folder,
    spawn_actor, yield_now,
};
use inkling_session::teach::{ClassId, ImageData, NewImage};

/// Images that can be decoded.
pub(crate) const IMAGES: FileFilter =
    FileFilter { name: "Images", extensions: &["jpg", "jpeg", "png", "webp", "bmp", "gif"] };

/// Projects.
pub(crate) const PROJECTS: FileFilter = FileFilter { name: "Inkling projects", extensions: &["inkling"] };

/// All that can be dropped.
const DROPPED: FileFilter = FileFilter {
    name: "Images, projects and learners",
    extensions: &["jpg", "jpeg", "png", "webp", "bmp", "gif", "inkling", "safetensors"],
};

/// Where files go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Into this class.
    Class(ClassId),
    /// Into new classes: one per folder, and one for files that lie in none.
    NewClasses,
    /// In front of the learner, to be recognised.
    Question,
    /// In place of the project.
    Project,
}

/// What files turned out to be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Arrival {
    /// Images of an existing class.
    Images(ClassId, Vec<NewImage>),
    /// Images of new classes, by the names of their folders; none for files in no folder.
    Classes(Vec<(Option<String>, Vec<NewImage>)>),
    /// An image to recognise.
    Question(NewImage),
    /// The bytes of a project with its file's name.
    Project(String, Arc<[u8]>),
    /// The bytes of a learner with its file's name.
    Learner(String, Arc<[u8]>),
    /// What could not be picked or read: each line a file with the reason.
    Problems(Vec<String>),
}

/// Files being read.
struct Reading {
    target: Target,
    files: Vec<PickedFile>,
    results: Receiver<Result<Arc<[u8]>, FileError>>,
    read: Vec<Option<Arc<[u8]>>>,
    problems: Vec<String>,
}

/// Files being listed: a dialog is open, or folders are looked through.
type Listing = Pending<Result<Vec<PickedFile>, FileError>>;

/// Everything on its way in.
#[derive(Default)]
pub(crate) struct Intake {
    listings: Vec<(Target, Listing)>,
    readings: Vec<Reading>,
}

impl Intake {
    /// Opens the file dialog.
    pub fn pick(&mut self, target: Target) {
        let filter = if target == Target::Project { PROJECTS } else { IMAGES };
        self.listings.push((target, pick_files(filter)));
    }

    /// Opens the folder dialog.
    pub fn pick_folder(&mut self, target: Target) {
        self.listings.push((target, pick_files_of_folder(IMAGES)));
    }

    /// Takes files and folders that were dropped.
    pub fn drop(&mut self, target: Target, files: Vec<PickedFile>) {
        if !files.is_empty() {
            self.listings.push((target, open_folders(files, DROPPED)));
        }
    }

    /// Whether something is on its way, so that another frame should look.
    pub fn is_busy(&self) -> bool {
        !self.listings.is_empty() || !self.readings.is_empty()
    }

    /// Files read, and files to read.
    pub fn progress(&self) -> Option<(usize, usize)> {
        let sum = |count: fn(&Reading) -> usize| self.readings.iter().map(count).sum();
        (!self.readings.is_empty()).then(|| (sum(|reading| reading.read.len()), sum(|reading| reading.files.len())))
    }

    /// Gives up what is being read; nothing of it arrives.
    pub fn cancel(&mut self) {
        self.readings.clear();
        self.listings.clear();
    }

    /// What arrived since the last frame.
    pub fn poll(&mut self) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        let mut listed = Vec::new();
        self.listings.retain_mut(|(target, pending)| match pending.take() {
            None => true,
            Some(answer) => {
                listed.push((*target, answer));
                false
            }
        });
        for (target, answer) in listed {
            match answer {
                Ok(files) => self.read(target, files, &mut arrivals),
                Err(error) => arrivals.push(Arrival::Problems(vec![error.to_string()])),
            }
        }
        for mut reading in std::mem::take(&mut self.readings) {
            if reading.advance() { reading.finish(&mut arrivals) } else { self.readings.push(reading) }
        }
        arrivals
    }

    /// Reads files one by one, elsewhere.
    fn read(&mut self, target: Target, files: Vec<PickedFile>, arrivals: &mut Vec<Arrival>) {
        if files.is_empty() {
            return;
        }
        let (sender, results) = channel();
        let queue = files.clone();
        let started = spawn_actor("read files", move || async move {
            for file in queue {
                // Nobody listens any more once reading was cancelled.
                if !sender.send(file.read().await) {
                    return;
                }
                yield_now().await;
            }
        });
        match started {
            Ok(()) => {
                self.readings.push(Reading { target, files, results, read: Vec::new(), problems: Vec::new() });
            }
            Err(error) => arrivals.push(Arrival::Problems(vec![format!("no files can be read now: {error}")])),
        }
    }
}

impl Reading {
    /// Takes what was read; true when that is all.
    fn advance(&mut self) -> bool {
        while let Some(result) = self.results.try_next() {
            match result {
                Ok(bytes) => self.read.push(Some(bytes)),
                Err(error) => {
                    self.read.push(None);
                    self.problems.push(error.to_string());
                }
            }
        }
        self.read.len() >= self.files.len() || self.results.is_closed()
    }

    /// Sorts what was read.
    fn finish(self, arrivals: &mut Vec<Arrival>) {
        let mut images: Vec<(Option<String>, NewImage)> = Vec::new();
        for (file, bytes) in self.files.iter().zip(self.read) {
            let Some(bytes) = bytes else { continue };
            let name = file.name().to_owned();
            match extension(&name).as_str() {
                "inkling" => arrivals.push(Arrival::Project(name, bytes)),
                "safetensors" => arrivals.push(Arrival::Learner(name, bytes)),
                _ => {
                    images.push((file.folder().map(str::to_owned), NewImage { name, data: ImageData::Encoded(bytes) }))
                }
            }
        }
        if !images.is_empty() {
            arrivals.extend(sort(self.target, images));
        }
        if !self.problems.is_empty() {
            arrivals.push(Arrival::Problems(self.problems));
        }
    }
}

/// Images by where they go.
fn sort(target: Target, images: Vec<(Option<String>, NewImage)>) -> Option<Arrival> {
    match target {
        Target::Class(class) => Some(Arrival::Images(class, images.into_iter().map(|(_, image)| image).collect())),
        Target::NewClasses => {
            let mut classes: BTreeMap<Option<String>, Vec<NewImage>> = BTreeMap::new();
            for (folder, image) in images {
                classes.entry(folder).or_default().push(image);
            }
            Some(Arrival::Classes(classes.into_iter().collect()))
        }
        Target::Question | Target::Project => images.into_iter().next().map(|(_, image)| Arrival::Question(image)),
    }
}

fn extension(name: &str) -> String {
    name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What arrives of files dropped onto `target`, once nothing is on its way any more.
    fn arrivals(target: Target, paths: &[&str]) -> Vec<Arrival> {
        let mut intake = Intake::default();
        intake.drop(target, paths.iter().map(|path| PickedFile::from_bytes(*path, path.as_bytes().to_vec())).collect());
        let mut arrivals = Vec::new();
        for _ in 0..2000 {
            arrivals.extend(intake.poll());
            if !intake.is_busy() {
                return arrivals;
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        panic!("files never arrived");
    }

    fn image(path: &str) -> NewImage {
        let name = path.rsplit('/').next().unwrap();
        NewImage::new(name, path.as_bytes().to_vec())
    }

    #[test]
    fn folders_become_classes_and_loose_files_one_more() {
        let paths = ["pets/cats/1.png", "pets/cats/2.PNG", "pets/dogs/1.jpg", "loose.webp", "pets/notes.txt"];
        let expected = Arrival::Classes(vec![
            (None, vec![image("loose.webp")]),
            (Some("cats".to_owned()), vec![image("pets/cats/1.png"), image("pets/cats/2.PNG")]),
            (Some("dogs".to_owned()), vec![image("pets/dogs/1.jpg")]),
        ]);
        assert_eq!(arrivals(Target::NewClasses, &paths), [expected]);
    }

    #[test]
    fn projects_and_learners_are_known_by_their_names() {
        let found = arrivals(Target::Question, &["a.inkling", "b.SAFETENSORS", "c.png", "d.png"]);
        let bytes = |name: &str| name.as_bytes().to_vec().into();
        let expected = [
            Arrival::Project("a.inkling".to_owned(), bytes("a.inkling")),
            Arrival::Learner("b.SAFETENSORS".to_owned(), bytes("b.SAFETENSORS")),
            Arrival::Question(image("c.png")),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_cancelled_never_arrives() {
        let mut intake = Intake::default();
        intake.drop(Target::NewClasses, vec![PickedFile::from_bytes("a.png", vec![1])]);
        intake.cancel();
        assert!(!intake.is_busy() && intake.poll().is_empty() && intake.progress().is_none());
    }
}
