//! The data set of a run: built in, a folder of the disk, or archives that were picked or dropped.

use std::path::Path;
use std::sync::Arc;

use egui::Ui;
use inkling_platform::{FileError, FileFilter, Pending, PickedFile, pick_files, pick_files_of_folder, pick_folder};
use inkling_session::datasets::{DataCard, DataSource};
use inkling_session::run::SessionError;
use inkling_session::session::{Dataset, OpenOptions};

use crate::notice::Notice;
use crate::teach::thousands;
use crate::theme::Palette;

const IMAGES: FileFilter = FileFilter { name: "Images", extensions: &["png", "jpg", "jpeg", "webp", "bmp", "gif"] };
const ARCHIVES: FileFilter = FileFilter { name: "Archives of images", extensions: &["zip", "gz", "tgz"] };

/// What is asked to be open: the options matter where they change the images.
#[derive(Clone, Debug, PartialEq)]
struct Asked {
    revision: u64,
    options: OpenOptions,
}

struct Opened {
    dataset: Arc<dyn Dataset>,
    card: DataCard,
}

type Picking = Pending<Result<Option<DataSource>, Notice>>;

/// The choice of a data set, opened beside the frames.
pub(crate) struct DataChoice {
    source: DataSource,
    /// Counts choices, so that what is opened can be told from what was.
    revision: u64,
    opened: Option<Opened>,
    asked: Option<Asked>,
    opening: Option<Pending<Result<Opened, Notice>>>,
    picking: Option<Picking>,
    notice: Option<Notice>,
}

impl Default for DataChoice {
    fn default() -> Self {
        Self {
            source: DataSource::Spec("glyphs".to_owned()),
            revision: 0,
            opened: None,
            asked: None,
            opening: None,
            picking: None,
            notice: None,
        }
    }
}

impl DataChoice {
    /// What people call the data set.
    pub(crate) fn name(&self) -> String {
        self.source.name()
    }

    /// What `data.spec` says for it; archives have no path that could be opened again.
    pub(crate) fn spec(&self) -> String {
        match &self.source {
            DataSource::Spec(spec) => spec.clone(),
            DataSource::Files { .. } => self.source.name(),
        }
    }

    /// The open data set.
    pub(crate) fn dataset(&self) -> Option<Arc<dyn Dataset>> {
        self.opened.as_ref().map(|opened| Arc::clone(&opened.dataset))
    }

    /// Its sizes.
    pub(crate) fn card(&self) -> Option<DataCard> {
        self.opened.as_ref().map(|opened| opened.card)
    }

    /// Whether something is being opened or picked.
    pub(crate) fn is_busy(&self) -> bool {
        self.opening.is_some() || self.picking.is_some()
    }

    /// Takes another source.
    pub(crate) fn choose(&mut self, source: DataSource) {
        self.source = source;
        self.revision += 1;
        self.opened = None;
        self.notice = None;
    }

    /// Takes files that were picked or dropped. They are read beside the frames.
    pub(crate) fn take_files(&mut self, files: Vec<PickedFile>) {
        self.picking = Some(Pending::start(move || read_files(files)));
    }

    /// Opens what was chosen in this way, unless it is open already.
    pub(crate) fn poll(&mut self, options: OpenOptions) {
        if let Some(picked) = self.picking.as_mut().and_then(Pending::take) {
            self.picking = None;
            match picked {
                Ok(Some(source)) => self.choose(source),
                Ok(None) => {}
                Err(notice) => self.notice = Some(notice),
            }
        }
        let asked = Asked { revision: self.revision, options };
        if self.asked.as_ref() != Some(&asked) {
            let (source, options) = (self.source.clone(), asked.options.clone());
            self.asked = Some(asked);
            self.opening = Some(Pending::start(async move || open(&source, &options)));
        }
        if let Some(opened) = self.opening.as_mut().and_then(Pending::take) {
            self.opening = None;
            match opened {
                Ok(opened) => (self.opened, self.notice) = (Some(opened), None),
                Err(notice) => (self.opened, self.notice) = (None, Some(notice)),
            }
        }
    }

    /// Draws the choice.
    pub(crate) fn ui(&mut self, ui: &mut Ui, has_file_system: bool) {
        ui.horizontal_wrapped(|ui| {
            for (name, text) in [("glyphs", "Glyphs"), ("scenes", "Scenes")] {
                let is_chosen = matches!(&self.source, DataSource::Spec(spec) if spec == name);
                if ui.selectable_label(is_chosen, text).clicked() && !is_chosen {
                    self.choose(DataSource::Spec(name.to_owned()));
                }
            }
            if ui.button("Folder…").on_hover_text("One folder of images for each class").clicked() {
                self.picking =
                    Some(if has_file_system { pick_on_disk() } else { pick_from(pick_files_of_folder(IMAGES)) });
            }
            if ui.button("Archive…").on_hover_text(ARCHIVE_HINT).clicked() {
                self.picking = Some(pick_from(pick_files(ARCHIVES)));
            }
        });
        Notice::show_slot(&mut self.notice, ui);
        if ui.input(|input| !input.raw.hovered_files.is_empty()) {
            ui.colored_label(Palette::of(ui).accent, "Drop archives or a folder of images to train on them.");
        } else {
            self.summary(ui);
        }
    }

    fn summary(&self, ui: &mut Ui) {
        let palette = Palette::of(ui);
        if self.is_busy() {
            ui.horizontal(|ui| {
                ui.spinner();
                ui.label(egui::RichText::new(format!("Opening {}…", self.name())).color(palette.weak));
            });
            return;
        }
        let Some(card) = self.card() else { return };
        let [train, validation, test] = card.classes;
        let color = if card.channels == 1 { "grey" } else { "colour" };
        let side = card.image_size;
        let count = match &self.source {
            // There is a seed for each of their images, not a file.
            DataSource::Spec(spec) if !spec.contains(':') => "generated".to_owned(),
            _ => thousands(card.images),
        };
        ui.label(format!("{}: {count} {color} images, {side}×{side} pixels", self.name()));
        ui.weak(format!(
            "{} classes to train on, {} to validate, {} to test",
            thousands(train),
            thousands(validation),
            thousands(test)
        ));
    }
}

const ARCHIVE_HINT: &str = "Omniglot's two zip archives together, cifar-100-binary.tar.gz, or a zip with one folder \
                            of images for each class. They can be dropped onto the window, too.";

fn open(source: &DataSource, options: &OpenOptions) -> Result<Opened, Notice> {
    let dataset = source.open(options).map_err(|error| Notice::from_message(&error.to_string()))?;
    let card = DataCard::of(dataset.as_ref());
    Ok(Opened { dataset, card })
}

/// A folder of the disk is read where it lies.
fn pick_on_disk() -> Picking {
    let picked = pick_folder();
    Pending::start(async move || match picked.answer().await {
        Some(Ok(Some(path))) => {
            DataSource::of_folder(&path).map(Some).map_err(|error| Notice::from_message(&error.to_string()))
        }
        Some(Err(error)) => Err(of_file(&error)),
        _ => Ok(None),
    })
}

fn pick_from(picked: Pending<Result<Vec<PickedFile>, FileError>>) -> Picking {
    Pending::start(async move || match picked.answer().await {
        Some(Ok(files)) => read_files(files).await,
        Some(Err(error)) => Err(of_file(&error)),
        None => Ok(None),
    })
}

async fn read_files(files: Vec<PickedFile>) -> Result<Option<DataSource>, Notice> {
    if files.is_empty() {
        return Ok(None);
    }
    let said = |error: SessionError| Notice::from_message(&error.to_string());
    let paths: Vec<&Path> = files.iter().filter_map(PickedFile::path).collect();
    if let [path] = paths.as_slice()
        && path.is_dir()
    {
        return DataSource::of_folder(path).map(Some).map_err(said);
    }
    if paths.len() == files.len()
        && let Some(source) = DataSource::of_paths(&paths)
    {
        return Ok(Some(source));
    }
    let mut read = Vec::new();
    for file in &files {
        read.push((file.relative_path().to_owned(), file.read().await.map_err(|error| of_file(&error))?));
    }
    DataSource::of_files(read).map(Some).map_err(said)
}

/// The notice of a file that could not be picked, read or saved.
pub(crate) fn of_file(error: &FileError) -> Notice {
    Notice::from_message(&error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settle(choice: &mut DataChoice) {
        for _ in 0..2_000 {
            choice.poll(OpenOptions::default());
            if !choice.is_busy() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        panic!("the data set never opened");
    }

    #[test]
    fn built_in_sets_open_and_what_is_none_is_refused() {
        let mut choice = DataChoice::default();
        settle(&mut choice);
        assert_eq!(choice.card().unwrap().channels, 1);
        choice.choose(DataSource::Spec("scenes".to_owned()));
        settle(&mut choice);
        assert_eq!(choice.card().unwrap().channels, 3);
        choice.take_files(vec![PickedFile::from_bytes("notes.txt", *b"x")]);
        settle(&mut choice);
        assert!(choice.notice.as_ref().unwrap().sentence.contains("No data set"));
        assert_eq!(choice.card().unwrap().channels, 3, "a refused file leaves what was open");
        choice.take_files(vec![PickedFile::from_bytes("pets.zip", *b"no zip")]);
        settle(&mut choice);
        assert!(choice.card().is_none() && choice.notice.is_some());
    }
}
