//! Pictures that the user drops onto the page or pastes into it: with whole folders, and with the
//! place where they fell. eframe hands over single files only, and no place.

use std::cell::RefCell;
use std::rc::Rc;

use eframe::egui::{Context, Event, Pos2, RawInput, pos2};
use inkling_platform::PickedFile;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    ClipboardEvent, DataTransfer, DragEvent, EventTarget, File, FileSystemDirectoryEntry, FileSystemEntry,
    FileSystemFileEntry, HtmlCanvasElement,
};

/// What has arrived since the last frame. Clones share it.
#[derive(Clone, Default)]
pub struct Arrivals {
    shared: Rc<RefCell<Shared>>,
}

#[derive(Default)]
struct Shared {
    files: Vec<PickedFile>,
    /// Where something is dragged or was dropped, in pixels of the page.
    place: Option<Pos2>,
    context: Option<Context>,
}

impl Arrivals {
    /// Listens for drops onto `canvas` and for pastes anywhere in the page.
    ///
    /// # Errors
    /// When the page has no document.
    pub fn listen(canvas: &HtmlCanvasElement) -> Result<Self, JsValue> {
        let arrivals = Self::default();
        let document = canvas.owner_document().ok_or("the canvas belongs to no document")?;
        for name in ["dragover", "drop"] {
            let dragged = arrivals.clone();
            listen(canvas, name, move |event: DragEvent| dragged.point_at(&event))?;
        }
        let dropped = arrivals.clone();
        listen(canvas, "drop", move |event: DragEvent| {
            if let Some(data) = event.data_transfer() {
                dropped.take(&data);
            }
        })?;
        let pasted = arrivals.clone();
        listen(&document, "paste", move |event: ClipboardEvent| {
            if let Some(data) = event.clipboard_data() {
                pasted.take(&data);
            }
        })?;
        Ok(arrivals)
    }

    /// Draws a frame of `context` whenever something has arrived.
    pub fn wake(&self, context: Context) {
        self.shared.borrow_mut().context = Some(context);
    }

    /// The files that have arrived.
    pub fn take_files(&self) -> Vec<PickedFile> {
        std::mem::take(&mut self.shared.borrow_mut().files)
    }

    /// Puts the pointer where something is dragged or was dropped: no browser moves it meanwhile.
    /// The files that eframe found are left out, for they come from here.
    pub fn point(&self, context: &Context, input: &mut RawInput) {
        input.dropped_files.clear();
        if let Some(place) = self.shared.borrow_mut().place.take() {
            input.events.push(Event::PointerMoved(place / context.zoom_factor()));
        }
    }

    fn point_at(&self, event: &DragEvent) {
        // The canvas fills the page.
        self.shared.borrow_mut().place = Some(pos2(event.client_x() as f32, event.client_y() as f32));
        self.repaint();
    }

    fn repaint(&self) {
        if let Some(context) = &self.shared.borrow().context {
            context.request_repaint();
        }
    }

    /// Takes the files and folders of a drop or a paste. The browser forgets them when the event
    /// is over, so this asks for all of them before it waits for any.
    fn take(&self, data: &DataTransfer) {
        let items = data.items();
        let entries = (0..items.length()).filter_map(|index| items.get(index)?.webkit_get_as_entry().ok().flatten());
        let entries: Vec<FileSystemEntry> = entries.collect();
        if !entries.is_empty() {
            let arrivals = self.clone();
            wasm_bindgen_futures::spawn_local(async move { arrivals.add(read_entries(entries).await) });
            return;
        }
        // A pasted picture is a file without an entry.
        if let Some(files) = data.files() {
            self.add((0..files.length()).filter_map(|index| files.get(index)).map(PickedFile::from_browser).collect());
        }
    }

    fn add(&self, files: Vec<PickedFile>) {
        self.shared.borrow_mut().files.extend(files);
        self.repaint();
    }
}

/// Calls `handle` for every event of that name, before eframe's own handlers; for as long as the
/// page lives.
fn listen<E: JsCast + 'static>(
    target: &EventTarget,
    name: &str,
    mut handle: impl FnMut(E) + 'static,
) -> Result<(), JsValue> {
    let closure =
        Closure::<dyn FnMut(web_sys::Event)>::new(move |event: web_sys::Event| handle(event.unchecked_into()));
    target.add_event_listener_with_callback_and_bool(name, closure.as_ref().unchecked_ref(), true)?;
    closure.forget();
    Ok(())
}

/// The files among these entries and in the folders among them, by name: browsers list a folder in
/// any order.
async fn read_entries(mut open: Vec<FileSystemEntry>) -> Vec<PickedFile> {
    let mut files = Vec::new();
    while let Some(entry) = open.pop() {
        if entry.is_directory() {
            open.extend(children(entry.unchecked_into()).await);
        } else if let Some(file) = file(entry.clone().unchecked_into()).await {
            files.push((entry.full_path().trim_start_matches('/').to_owned(), file));
        }
    }
    files.sort_by(|(left, _), (right, _)| left.cmp(right));
    files.into_iter().map(|(path, file)| PickedFile::from_browser_folder(path, file)).collect()
}

/// The file behind an entry; nothing where it cannot be read.
async fn file(entry: FileSystemFileEntry) -> Option<File> {
    let promise = js_sys::Promise::new(&mut |resolve, reject| {
        entry.file_with_callback_and_callback(&resolve, &reject);
    });
    JsFuture::from(promise).await.ok().map(JsCast::unchecked_into)
}

/// What lies directly in a folder; nothing where it cannot be read.
async fn children(folder: FileSystemDirectoryEntry) -> Vec<FileSystemEntry> {
    let reader = folder.create_reader();
    let mut found = Vec::new();
    loop {
        // Browsers give a hundred at a time, and an empty list at the end.
        let promise = js_sys::Promise::new(&mut |resolve, reject| {
            if let Err(error) = reader.read_entries_with_callback_and_callback(&resolve, &reject) {
                let _ = reject.call1(&JsValue::UNDEFINED, &error);
            }
        });
        let Ok(batch) = JsFuture::from(promise).await else { return found };
        let batch: js_sys::Array = batch.unchecked_into();
        if batch.length() == 0 {
            return found;
        }
        found.extend(batch.iter().map(JsCast::unchecked_into::<FileSystemEntry>));
    }
}
