//! Handles of a browser: an input element that is clicked for picking, a link for saving. No dialog
//! of our own is drawn, so that the page's strict rules for styles hold.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use js_sys::{Array, Reflect, Uint8Array};
use send_wrapper::SendWrapper;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, Document, File, HtmlAnchorElement, HtmlInputElement, Url};

use super::{FileError, FileFilter, PickedFile, Source};
use crate::browser::reason;
use crate::{Pending, Receiver, channel};

pub(super) type Handle = FileHandle;

/// A file that the browser lets the page read. There is one thread, so it never leaves it.
#[derive(Clone, Debug)]
pub(super) struct FileHandle(SendWrapper<File>);

impl FileHandle {
    pub fn path(&self) -> Option<&Path> {
        None
    }

    pub async fn read(&self) -> Result<Arc<[u8]>, String> {
        let buffer = JsFuture::from(self.0.array_buffer()).await.map_err(|error| reason(&error))?;
        Ok(Uint8Array::new(&buffer).to_vec().into())
    }
}

impl PickedFile {
    /// A file that was dropped onto the page, or that an input element holds.
    pub fn from_browser(file: File) -> Self {
        // Filled by inputs for folders only, and by no binding.
        let below_folder = Reflect::get(&file, &"webkitRelativePath".into()).ok().and_then(|path| path.as_string());
        let relative_path = below_folder.filter(|path| !path.is_empty()).unwrap_or_else(|| file.name());
        Self::from_browser_folder(relative_path, file)
    }

    /// A file that was found in a folder dropped onto the page: only who walked through the folder
    /// knows its path.
    pub fn from_browser_folder(relative_path: impl Into<String>, file: File) -> Self {
        Self { relative_path: relative_path.into(), source: Source::Device(FileHandle(SendWrapper::new(file))) }
    }
}

pub(super) fn pick_files(filter: FileFilter) -> Pending<Result<Vec<PickedFile>, FileError>> {
    pick(filter, false)
}

pub(super) fn pick_files_of_folder(filter: FileFilter) -> Pending<Result<Vec<PickedFile>, FileError>> {
    pick(filter, true)
}

pub(super) fn pick_folder() -> Pending<Result<Option<PathBuf>, FileError>> {
    Pending::ready(Err(FileError::NoFolders))
}

pub(super) fn open_folder(file: PickedFile, filter: &FileFilter, found: &mut Vec<PickedFile>) -> Result<(), FileError> {
    if filter.admits(file.name()) {
        found.push(file);
    }
    Ok(())
}

pub(super) fn save_file(name: &str, bytes: Vec<u8>) -> Pending<Result<Option<String>, FileError>> {
    let saved = download(name, &bytes)
        .map(|()| Some(name.to_owned()))
        .map_err(|error| FileError::Write { name: name.to_owned(), reason: reason(&error) });
    Pending::ready(saved)
}

/// Clicks an input element at once, while the browser still counts the person's own click.
fn pick(filter: FileFilter, is_folder: bool) -> Pending<Result<Vec<PickedFile>, FileError>> {
    match open_dialog(filter, is_folder) {
        Ok(dialog) => {
            let dialog = SendWrapper::new(dialog);
            Pending::start(async move || Ok(dialog.take().picked(&filter).await))
        }
        Err(error) => Pending::ready(Err(FileError::Refused { reason: reason(&error) })),
    }
}

/// An open dialog of the browser.
struct Dialog {
    input: HtmlInputElement,
    closed: Receiver<()>,
    /// Called by the browser; it must live as long as the dialog.
    _on_close: Closure<dyn FnMut()>,
}

fn open_dialog(filter: FileFilter, is_folder: bool) -> Result<Dialog, JsValue> {
    let input: HtmlInputElement = document()?.create_element("input")?.unchecked_into();
    input.set_type("file");
    input.set_multiple(true);
    if is_folder {
        input.set_attribute("webkitdirectory", "")?;
    } else {
        let extensions: Vec<String> = filter.extensions.iter().map(|extension| format!(".{extension}")).collect();
        input.set_accept(&extensions.join(","));
    }
    let (sender, closed) = channel();
    let on_close = Closure::<dyn FnMut()>::new(move || {
        sender.send(());
    });
    for event in ["change", "cancel"] {
        input.add_event_listener_with_callback(event, on_close.as_ref().unchecked_ref())?;
    }
    input.click();
    Ok(Dialog { input, closed, _on_close: on_close })
}

impl Dialog {
    /// The files that the input element holds when the dialog is closed.
    async fn picked(self, filter: &FileFilter) -> Vec<PickedFile> {
        // The sender lives in the closure that this holds, so an event is all that can come.
        let _ = self.closed.next().await;
        let Some(files) = self.input.files() else { return Vec::new() };
        let files = (0..files.length()).filter_map(|index| files.item(index)).map(PickedFile::from_browser);
        let mut admitted: Vec<_> = files.filter(|file| filter.admits(file.name())).collect();
        admitted.sort_by(|a, b| a.relative_path().cmp(b.relative_path()));
        admitted
    }
}

/// Follows a link to the bytes that says to save rather than to show them.
fn download(name: &str, bytes: &[u8]) -> Result<(), JsValue> {
    let blob = Blob::new_with_u8_array_sequence(&Array::of1(&Uint8Array::from(bytes)))?;
    let address = Url::create_object_url_with_blob(&blob)?;
    let link: HtmlAnchorElement = document()?.create_element("a")?.unchecked_into();
    link.set_href(&address);
    link.set_download(name);
    link.click();
    // The browser holds the bytes until the download has read them.
    Url::revoke_object_url(&address)
}

fn document() -> Result<Document, JsValue> {
    web_sys::window().and_then(|window| window.document()).ok_or_else(|| "a worker has no page".into())
}
