//! A learner with its classes.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use inkling_session::teach::{
    ClassId, Classroom, ImageId, LearnerFile, NewImage, Prediction, Project, RgbaImage, Subject, TeachCommand,
    TeachHandle, Ticket, start_teaching,
};
use serde_json::{Map, Value, json};
use wasm_bindgen::prelude::*;

use super::inbox::Inbox;

/// How often an answer is looked for: a learner takes longer than this for each.
const LOOK: Duration = Duration::from_millis(4);

/// A learner with its classes, for `inkling.js`.
#[wasm_bindgen]
pub struct Session {
    handle: TeachHandle,
    classroom: RefCell<Classroom>,
    learner: RefCell<LearnerFile>,
    inbox: RefCell<Inbox>,
    tickets: Cell<Ticket>,
}

#[wasm_bindgen]
impl Session {
    /// Opens a device for the learner whose `weights.safetensors` these are.
    ///
    /// # Errors
    /// When the weights are damaged or the browser gives no device.
    pub async fn open(weights: Vec<u8>, adapter: Option<String>) -> Result<Session, JsError> {
        let learner = learner(weights)?;
        let handle = start_teaching(learner.clone(), adapter).map_err(|error| JsError::new(&error.to_string()))?;
        let session = Self {
            handle,
            classroom: RefCell::default(),
            learner: RefCell::new(learner),
            inbox: RefCell::default(),
            tickets: Cell::new(0),
        };
        session.wait(|inbox| inbox.card.is_some().then_some(Ok(()))).await?;
        Ok(session)
    }

    /// `[{label, examples}]`.
    pub fn classes(&self) -> String {
        let classroom = self.classroom.borrow();
        let classes = classroom.classes().iter();
        classes
            .map(|class| json!({ "label": class.name, "examples": class.images.len() }))
            .collect::<Value>()
            .to_string()
    }

    /// What the learner is.
    pub fn card(&self) -> String {
        let card = self.learner.borrow().card();
        json!({
            "name": card.name,
            "network": card.network,
            "trainedOn": card.trained_on,
            "steps": card.steps,
            "parameters": card.parameters,
            "bytes": card.bytes,
            "imageSize": [card.image.height, card.image.width],
        })
        .to_string()
    }

    /// Adds a picture (four bytes per pixel) to the class `label`, and gives its number once it is learned.
    ///
    /// # Errors
    /// When there are not as many pixels as it says, or the device fails.
    #[wasm_bindgen(js_name = addExample)]
    pub async fn add_example(&self, width: u32, height: u32, pixels: Vec<u8>, label: String) -> Result<f64, JsError> {
        let image = image(width, height, pixels)?;
        let id = {
            let mut classroom = self.classroom.borrow_mut();
            let class = class_of(&classroom, &label).unwrap_or_else(|| classroom.add_class(label));
            let ids = classroom.add_images(class, [NewImage::new("example", image)]);
            *ids.first().ok_or_else(|| JsError::new("the class has just been removed; add the example again"))?
        };
        self.learn();
        self.wait(|inbox| inbox.take_learned(id)).await?;
        Ok(id.number() as f64)
    }

    /// Forgets an example.
    #[wasm_bindgen(js_name = removeExample)]
    pub fn remove_example(&self, number: f64) -> bool {
        let found = find(&self.classroom.borrow(), number);
        let is_removed = found.is_some_and(|id| self.classroom.borrow_mut().delete_images(&[id]));
        if is_removed {
            self.learn();
        }
        is_removed
    }

    /// Forgets a class.
    #[wasm_bindgen(js_name = removeClass)]
    pub fn remove_class(&self, label: &str) -> bool {
        let found = class_of(&self.classroom.borrow(), label);
        let is_removed = found.is_some_and(|class| self.classroom.borrow_mut().delete_class(class));
        if is_removed {
            self.learn();
        }
        is_removed
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.classroom.borrow_mut().replace([]);
        self.learn();
    }

    /// `{label, confidence, confidences, noneOfThese}` of a picture (four bytes per pixel).
    ///
    /// # Errors
    /// When there are not as many pixels as it says, or the device fails.
    pub async fn predict(&self, width: u32, height: u32, pixels: Vec<u8>) -> Result<String, JsError> {
        let image = image(width, height, pixels)?;
        let ticket = self.tickets.get();
        self.tickets.set(ticket + 1);
        self.handle.send(TeachCommand::Classify { ticket, subject: Subject::Image(image.into()) });
        let answer = self.wait(|inbox| inbox.take_answer(ticket)).await;
        self.handle.send(TeachCommand::Release(ticket));
        Ok(self.describe(&answer?).to_string())
    }

    /// The classes, examples and weights as an `.inkling` file.
    ///
    /// # Errors
    /// When an image cannot be encoded.
    #[wasm_bindgen(js_name = exportProject)]
    pub async fn export_project(&self) -> Result<Vec<u8>, JsError> {
        let lesson = self.classroom.borrow().lesson();
        let project = Project::new(&lesson, Some(self.learner.borrow().clone()));
        Ok(project.to_bytes(|_, _| ()).await?)
    }

    /// Puts the classes of an `.inkling` file, and its learner if it has one, in place of the present.
    ///
    /// # Errors
    /// When the file is damaged; then nothing has changed.
    #[wasm_bindgen(js_name = importProject)]
    pub async fn import_project(&self, bytes: Vec<u8>) -> Result<(), JsError> {
        let project = Project::from_bytes(&bytes)?;
        if let Some(learner) = project.learner {
            self.use_learner(learner).await?;
        }
        self.classroom.borrow_mut().replace(project.classes);
        self.learn();
        let images: Vec<ImageId> = {
            let classroom = self.classroom.borrow();
            classroom.classes().iter().flat_map(|class| &class.images).map(|image| image.id).collect()
        };
        for id in images {
            // One that cannot be read is left out, as the app does.
            let _ = self.wait(|inbox| inbox.take_learned(id)).await;
        }
        Ok(())
    }

    /// Goes on with another learner's `weights.safetensors`.
    ///
    /// # Errors
    /// When the weights are damaged or belong to a learner that cannot be taught this way.
    #[wasm_bindgen(js_name = useWeights)]
    pub async fn use_weights(&self, weights: Vec<u8>) -> Result<(), JsError> {
        self.use_learner(learner(weights)?).await
    }
}

impl Session {
    async fn use_learner(&self, learner: LearnerFile) -> Result<(), JsError> {
        self.inbox.borrow_mut().card = None;
        self.handle.send(TeachCommand::UseLearner(Box::new(learner.clone())));
        self.wait(|inbox| inbox.card.is_some().then_some(Ok(()))).await?;
        self.learner.replace(learner);
        Ok(())
    }

    fn learn(&self) {
        let lesson = self.classroom.borrow().lesson();
        self.handle.send(TeachCommand::Learn(Arc::new(lesson)));
    }

    /// Waits until `take` finds what it looks for among the events.
    async fn wait<T>(&self, take: impl Fn(&mut Inbox) -> Option<Result<T, String>>) -> Result<T, JsError> {
        loop {
            {
                let mut inbox = self.inbox.borrow_mut();
                while let Some(event) = self.handle.try_event() {
                    inbox.put(event);
                }
                if let Some(found) = take(&mut inbox) {
                    return found.map_err(|reason| JsError::new(&reason));
                }
                if let Some(failure) = inbox.failure.take() {
                    return Err(JsError::new(&failure));
                }
            }
            inkling_platform::sleep(LOOK).await;
        }
    }

    fn describe(&self, prediction: &Prediction) -> Value {
        let classroom = self.classroom.borrow();
        // A class that was removed meanwhile has no name any more.
        let name = |id: ClassId| classroom.class(id).map(|class| class.name.clone());
        let probability = |id| prediction.classes.iter().find(|(class, _)| *class == id).map(|(_, value)| *value);
        let best = prediction.best();
        let mut confidences = Map::new();
        for (id, value) in &prediction.classes {
            if let Some(name) = name(*id) {
                confidences.insert(name, Value::from(*value));
            }
        }
        json!({
            "label": best.and_then(name),
            "confidence": best.and_then(probability).unwrap_or(prediction.none_of_these),
            "confidences": confidences,
            "noneOfThese": prediction.none_of_these,
        })
    }
}

fn learner(weights: Vec<u8>) -> Result<LearnerFile, JsError> {
    LearnerFile::from_bytes("learner", weights).map_err(|reason| JsError::new(&reason))
}

fn image(width: u32, height: u32, pixels: Vec<u8>) -> Result<RgbaImage, JsError> {
    RgbaImage::new(width, height, pixels)
        .ok_or_else(|| JsError::new(&format!("the pixels are not those of a picture of {width} by {height}")))
}

fn class_of(classroom: &Classroom, label: &str) -> Option<ClassId> {
    classroom.classes().iter().find(|class| class.name == label).map(|class| class.id)
}

fn find(classroom: &Classroom, number: f64) -> Option<ImageId> {
    let images = classroom.classes().iter().flat_map(|class| &class.images);
    images.map(|image| image.id).find(|id| id.number() as f64 == number)
}
