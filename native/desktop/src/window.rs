//! Opens the window and wraps the panels in it.

use std::path::PathBuf;
use std::rc::Rc;

use directories::UserDirs;
use eframe::egui::{self, Context, Ui, ViewportBuilder};
use eframe::{App, NativeOptions};
use inkling_app::{InklingApp, Services};
use inkling_platform::{Pending, PickedFile, Storage};
use inkling_session::config::RunConfig;
use inkling_session::session::Target;
use inkling_session::teach::LearnerFile;

use crate::args::{Arguments, Size};
use crate::catalogue::Published;
use crate::failure::{self, Failure};
use crate::picture::{Outcome, Picture};
use crate::run;

/// Names the folder where the window's size and place are kept.
const APP_ID: &str = "inkling";
const FIRST_SIZE: Size = Size { width: 1280, height: 800 };
/// A phone held upright; the panels need no less.
const SMALLEST_SIZE: Size = Size { width: 400, height: 500 };
/// Runs go here where the command line has put some before, else into the user's documents.
const RUNS: &str = "runs";

/// Shows the window until it is closed. What it returns is for standard output.
///
/// # Errors
/// When no window can be opened, or the arguments ask for what cannot be.
pub fn open(arguments: Arguments) -> Result<Option<String>, Failure> {
    let run = match &arguments.run {
        Some(file) => Some(run::read(file, arguments.out.clone(), RUNS.as_ref())?),
        None => None,
    };
    failure::check_libraries()?;
    let outcome = Outcome::default();
    let wants_picture = arguments.picture.screenshot.is_some();
    let reported = Rc::clone(&outcome);
    // A run begins when there is a window to show it, not before.
    let create = move |arguments: &Arguments| -> Result<Window, Failure> {
        let picture = arguments.picture.screenshot.clone();
        let picture = picture.map(|path| Picture::new(path, arguments.picture.after, reported));
        Ok(Window { app: app(arguments, run)?, picture })
    };
    let options = options(&arguments);
    eframe::run_native("Inkling", options, Box::new(move |_| Ok(Box::new(create(&arguments)?))))?;
    match outcome.take() {
        Some(outcome) => outcome.map(Some),
        None if wants_picture => Err(Failure::Window("it was closed before its picture was taken".to_owned())),
        None => Ok(None),
    }
}

fn options(arguments: &Arguments) -> NativeOptions {
    let size = arguments.picture.size.unwrap_or(FIRST_SIZE);
    let viewport = ViewportBuilder::default()
        .with_app_id(APP_ID)
        .with_title("Inkling")
        .with_inner_size([f32::from(size.width), f32::from(size.height)])
        .with_min_inner_size([f32::from(SMALLEST_SIZE.width), f32::from(SMALLEST_SIZE.height)]);
    NativeOptions {
        viewport,
        // A window of a given size is not the one that was left, nor the one to come back to.
        persist_window: arguments.picture.size.is_none(),
        ..NativeOptions::default()
    }
}

/// The panels, as the arguments want them.
fn app(arguments: &Arguments, run: Option<(RunConfig, Target)>) -> Result<InklingApp, Failure> {
    let mut app = InklingApp::new(services(arguments.picture.screenshot.is_some())?);
    let shared = app.shared_mut();
    if let Some(theme) = arguments.picture.theme {
        shared.settings.theme = theme.into();
    }
    if arguments.adapter.is_some() {
        shared.settings.adapter.clone_from(&arguments.adapter);
    }
    if let Some(tab) = arguments.tab {
        app.show_tab(tab.into());
    }
    app.drop_files(arguments.files.iter().map(PickedFile::from_path).collect());
    if let Some((config, target)) = run {
        app.start_run(config, target);
    }
    Ok(app)
}

/// What a desktop has. A picture shows the panels as they are without anybody's settings, and
/// leaves none behind.
fn services(is_for_picture: bool) -> Result<Services, Failure> {
    let storage = if is_for_picture {
        Storage::in_memory()
    } else {
        Storage::of_user().map_err(|error| Failure::Window(error.to_string()))?
    };
    let services = Services::new(storage)
        .with_file_system(runs_folder())
        .with_learner(Pending::ready(LearnerFile::shipped()))
        .with_catalogue(Published);
    #[cfg(feature = "webcam")]
    let services = services.with_webcam(crate::webcam::NativeWebcam::default());
    Ok(services)
}

fn runs_folder() -> PathBuf {
    let here = PathBuf::from(RUNS);
    if here.is_dir() {
        return here;
    }
    let user = UserDirs::new();
    let documents = user.as_ref().map(|user| user.document_dir().unwrap_or_else(|| user.home_dir()));
    documents.map_or(here, |documents| documents.join("Inkling").join(RUNS))
}

/// The panels in a window of a desktop.
///
/// The window draws on eframe's device, and each session opens one of its own. A shared device
/// would make the window wait behind a training step's submissions whenever it presents, and a
/// device that a run loses (out of memory, a driver's reset) would take the window with it.
struct Window {
    app: InklingApp,
    picture: Option<Picture>,
}

impl App for Window {
    fn logic(&mut self, ctx: &Context, _frame: &mut eframe::Frame) {
        // Also called while the window is hidden, so that a run goes on there.
        self.app.poll(ctx);
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        let dropped = ui.input(|input| input.raw.dropped_files.clone());
        if !dropped.is_empty() {
            self.app.drop_files(dropped.iter().map(|file| PickedFile::from_path(file.path())).collect());
        }
        self.app.ui(ui);
        if let Some(picture) = &mut self.picture {
            picture.frame(ui.ctx());
        }
    }

    fn persist_egui_memory(&self) -> bool {
        // The settings are kept by the panels, and nothing else is worth finding again.
        false
    }

    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        visuals.panel_fill.to_normalized_gamma_f32()
    }
}
