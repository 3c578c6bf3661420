//! Learners that the page brings along: the shipped one, and those that are fetched when somebody
//! asks for them. Each is a file of its own, so that the page shows before any has come.

use std::cell::RefCell;
use std::rc::Rc;

use inkling_app::{Catalogue, Fetching, Offer, Progress};
use inkling_platform::{Pending, Receiver};
use inkling_session::teach::{LearnerFile, SHIPPED_NAME};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{ReadableStreamDefaultReader, Response};

const SHIPPED: &str = "learner.safetensors";
/// The folder of the others, and the list of what is in it.
const FOLDER: &str = "learners";
const LIST: &str = "learners/list.json";

/// Fetches the shipped learner once `first_frame` brings a message, and then the list of the others.
pub fn fetch(first_frame: Receiver<()>) -> (Pending<Result<LearnerFile, String>>, PageCatalogue) {
    let (told, shown) = inkling_platform::channel();
    let learner = Pending::start(move || async move {
        first_frame.next().await;
        told.send(());
        let bytes = download(SHIPPED, &Progress::default()).await;
        let bytes = bytes.map_err(|reason| {
            format!("the learner could not be fetched ({reason}); reload the page when there is a network")
        })?;
        LearnerFile::from_bytes(SHIPPED_NAME, bytes)
    });
    let catalogue = PageCatalogue::default();
    let offers = Rc::clone(&catalogue.offers);
    wasm_bindgen_futures::spawn_local(async move {
        shown.next().await;
        // A page that was built without them, or that is offline, offers none.
        if let Ok(list) = download(LIST, &Progress::default()).await {
            *offers.borrow_mut() = parse(&list).unwrap_or_default();
        }
    });
    (learner, catalogue)
}

/// What lies beside the page.
#[derive(Default)]
pub struct PageCatalogue {
    offers: Rc<RefCell<Vec<Offer>>>,
}

impl Catalogue for PageCatalogue {
    fn offers(&self) -> Vec<Offer> {
        self.offers.borrow().clone()
    }

    fn fetch(&mut self, offer: &Offer) -> Fetching {
        let progress = Progress::default();
        let (name, counted) = (offer.name.clone(), progress.clone());
        let learner = Pending::start(move || async move {
            let bytes = download(&format!("{FOLDER}/{name}.safetensors"), &counted).await.map_err(|reason| {
                format!("{name} could not be fetched ({reason}); try again when there is a network")
            })?;
            LearnerFile::from_bytes(name, bytes)
        });
        Fetching { learner, progress }
    }
}

/// The offers of a list: names, what they are, licences and bytes.
fn parse(list: &[u8]) -> Option<Vec<Offer>> {
    let list: serde_json::Value = serde_json::from_slice(list).ok()?;
    let offer = |one: &serde_json::Value| {
        let text = |key: &str| Some(one.get(key)?.as_str()?.to_owned());
        let (description, licence) = (text("description")?, text("licence")?);
        Some(Offer { name: text("name")?, description, licence, bytes: one.get("bytes")?.as_u64()? })
    };
    list.as_array()?.iter().map(offer).collect()
}

/// The bytes of a file beside the page, counted as they come.
async fn download(file: &str, progress: &Progress) -> Result<Vec<u8>, String> {
    let window = web_sys::window().ok_or("no window")?;
    let response = JsFuture::from(window.fetch_with_str(file)).await.map_err(|error| describe(&error))?;
    let response: Response = response.unchecked_into();
    if !response.ok() {
        return Err(format!("the server answered {}", response.status()));
    }
    let body = response.body().ok_or("the answer is empty")?;
    let reader: ReadableStreamDefaultReader = body.get_reader().unchecked_into();
    let mut bytes = Vec::new();
    loop {
        let piece = JsFuture::from(reader.read()).await.map_err(|error| describe(&error))?;
        let field = |name: &str| js_sys::Reflect::get(&piece, &name.into()).unwrap_or(JsValue::UNDEFINED);
        if field("done").is_truthy() {
            return Ok(bytes);
        }
        bytes.extend(js_sys::Uint8Array::new(&field("value")).to_vec());
        if !progress.advance(bytes.len() as u64) {
            drop(reader.cancel());
            return Err("it was given up".to_owned());
        }
    }
}

fn describe(error: &JsValue) -> String {
    match error.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => format!("{error:?}"),
    }
}
