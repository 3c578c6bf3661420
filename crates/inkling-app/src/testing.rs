//! What the tests of the panels share: a window without a screen, a scripted run, invented events.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use egui::{Theme, Vec2, vec2};
use egui_kittest::{Harness, SnapshotOptions};
use inkling_platform::{Stopwatch, Storage};
use inkling_session::config::RunConfig;
use inkling_session::events::{CategoryBytes, Evaluation, Event, SolveMetrics, StepMetrics};
use inkling_session::session::{AdapterSummary, Tier};
use inkling_session::session::{Command, RunRequest};
use inkling_session::snapshot::{EpisodeSnapshot, SnapshotImage};

use crate::adapters::Adapters;
use crate::services::Services;
use crate::settings::ThemeChoice;
use crate::train::port::RunPort;
use crate::{InklingApp, Tab};

/// A desktop window.
pub(crate) const WIDE: Vec2 = vec2(1280.0, 800.0);
/// A phone.
pub(crate) const NARROW: Vec2 = vec2(400.0, 800.0);

/// A window of `app` without a screen.
pub(crate) type Window<'a> = Harness<'a, InklingApp>;

/// Opens `app` on `tab`; nothing is drawn to pixels unless a picture is asked for.
pub(crate) fn open<'a>(mut app: InklingApp, tab: Tab, size: Vec2, theme: Theme) -> Window<'a> {
    app.show_tab(tab);
    let shared = app.shared_mut();
    shared.settings.theme = if theme == Theme::Dark { ThemeChoice::Dark } else { ThemeChoice::Light };
    shared.adapters = Adapters::of(vec![adapter()]);
    // A snapshot forgives roundings of colours, and a handful of pixels at the edges of letters.
    let options = SnapshotOptions::new().threshold(1.0).max_failed_pixels(12);
    // The harness leaves eight points around the window.
    let builder =
        Harness::builder().with_size(size + Vec2::splat(16.0)).with_max_steps(12).with_options(options).wgpu();
    let mut window = builder.build_ui_state(|ui, app: &mut InklingApp| app.ui(ui), app);
    wait(&mut window, |app| app.state()["train"]["data_is_open"] == true);
    window
}

/// A reviewed picture in `tests/snapshots`.
pub(crate) fn picture(window: &mut Window<'_>, name: &str) -> egui_kittest::SnapshotResult {
    window.remove_cursor();
    window.run_steps(3);
    look(window, name);
    window.try_snapshot(name)
}

/// Whether somebody wants to see more pictures than the reviewed ones.
pub(crate) fn is_looking() -> bool {
    std::env::var_os("INKLING_LOOK").is_some()
}

/// With `INKLING_LOOK=FOLDER`, a picture for the eyes only.
pub(crate) fn look(window: &mut Window<'_>, name: &str) {
    if let Some(folder) = std::env::var_os("INKLING_LOOK") {
        window.remove_cursor();
        window.run_steps(3);
        window.render().unwrap().save(std::path::Path::new(&folder).join(format!("{name}.png"))).unwrap();
    }
}

/// Far more than anything takes on a busy machine.
const PATIENCE_SECONDS: f64 = 180.0;

/// Draws frames until something holds, for work that goes on beside them.
pub(crate) fn wait(window: &mut Window<'_>, holds: impl Fn(&InklingApp) -> bool) {
    let clock = Stopwatch::start();
    while clock.seconds() < PATIENCE_SECONDS {
        window.run_steps(1);
        if holds(window.state()) {
            window.run_steps(2);
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("it never came to hold: {:#}", window.state().state());
}

/// Services of a browser that keep nothing.
pub(crate) fn services() -> Services {
    Services::new(Storage::in_memory())
}

/// An adapter that no test opens.
pub(crate) fn adapter() -> AdapterSummary {
    AdapterSummary {
        name: "Example GPU 4000".to_owned(),
        backend: "Vulkan".to_owned(),
        kind: "DiscreteGpu".to_owned(),
        driver: "example 1.2.3".to_owned(),
        tier: Tier::Gpu,
        max_buffer_bytes: 4 << 30,
        max_binding_bytes: 2 << 30,
        max_storage_buffers: 16,
        max_invocations: 1024,
        max_workgroup_bytes: 49_152,
        timestamps: true,
    }
}

/// A configuration that software runs in a moment: two classes, four channels, three steps.
pub(crate) fn tiny_config() -> RunConfig {
    let mut config = RunConfig::default();
    config.data.image_size = Some(16);
    (config.model.channels, config.model.groups) = (4, 2);
    (config.task.ways, config.task.shots, config.task.queries) = (2, 1, 1);
    (config.gradient.h, config.gradient.chunk) = (1, 2);
    (config.training.steps, config.training.validate_every) = (3, 0);
    config
}

/// The other end of a scripted run.
#[derive(Clone, Default)]
pub(crate) struct Script {
    events: Rc<RefCell<VecDeque<Event>>>,
    commands: Rc<RefCell<Vec<Command>>>,
    requests: Rc<RefCell<Vec<RunRequest>>>,
    is_dead: Rc<RefCell<bool>>,
}

impl Script {
    /// An app whose runs follow the script.
    pub(crate) fn app(&self) -> InklingApp {
        let mut app = InklingApp::new(services());
        let script = self.clone();
        app.set_starter(Box::new(move |request| {
            script.requests.borrow_mut().push(request);
            Box::new(script.clone())
        }));
        app
    }

    /// What the run says next.
    pub(crate) fn say(&self, events: impl IntoIterator<Item = Event>) {
        self.events.borrow_mut().extend(events);
    }

    /// What the panel asked the run for since the last call.
    pub(crate) fn heard(&self) -> Vec<Command> {
        std::mem::take(&mut self.commands.borrow_mut())
    }

    /// The runs that were started since the last call.
    pub(crate) fn requests(&self) -> Vec<RunRequest> {
        std::mem::take(&mut self.requests.borrow_mut())
    }

    /// The run ends without a word.
    pub(crate) fn die(&self) {
        *self.is_dead.borrow_mut() = true;
    }
}

impl RunPort for Script {
    fn try_event(&self) -> Option<Event> {
        self.events.borrow_mut().pop_front()
    }

    fn send(&self, command: Command) -> bool {
        self.commands.borrow_mut().push(command);
        !*self.is_dead.borrow()
    }
}

/// The beginning of a run of `steps` steps.
pub(crate) fn beginning(steps: u64) -> Vec<Event> {
    let category = |category: &str, bytes| CategoryBytes { category: category.to_owned(), bytes };
    let by_category = vec![category("activations", 30 << 20), category("parameters", 2 << 20)];
    let adapter = "Example GPU 4000 (Vulkan)".to_owned();
    vec![Event::Planned { bytes: 32 << 20, by_category }, Event::Started { run: None, adapter, first_step: 0, steps }]
}

/// A step as a learner that learns would report it.
pub(crate) fn step(step: u64) -> Event {
    let time = step as f32 / 60.0;
    let wobble = ((step * 37 % 17) as f32 / 17.0 - 0.5) * 0.25;
    let loss = 0.15 + 1.5 * (-time).exp() + wobble * (-time / 2.0).exp();
    let residuals = (0..8).map(|at| 10f32.powf(-(at as f32) * (0.5 + 0.002 * step as f32))).collect();
    Event::Step(StepMetrics {
        step,
        episodes: step * 4,
        loss,
        accuracy: (1.0 - loss / 2.2).clamp(0.0, 1.0),
        learning_rate: 0.002,
        gradient_norm: Some(0.7),
        episodes_per_second: 11.0 + 0.6 * f64::from((step as f32 / 20.0).sin()),
        bytes_in_use: 31 << 20,
        bytes_peak: 32 << 20,
        solve: Some(SolveMetrics { failed_tasks: 0, iterations: Some(7.0), residuals, condition: Some(12.0) }),
    })
}

/// A validation after a step.
pub(crate) fn validation(step: u64, accuracy: f32) -> Event {
    let evaluation = Evaluation { episodes: 50, loss: 0.4, accuracy, interval: 0.02 };
    Event::Validation { step, evaluation, best: true }
}

/// Steps `from..=to` with a validation every 50.
pub(crate) fn steps(from: u64, to: u64) -> Vec<Event> {
    (from..=to)
        .flat_map(|number| {
            let validation = number.is_multiple_of(50).then(|| validation(number, 0.95 - 8.0 / number as f32));
            std::iter::once(step(number)).chain(validation)
        })
        .collect()
}

/// An episode of three classes, two support images and three queries each; one image of each half is
/// wrong.
pub(crate) fn snapshot(step: u64) -> Event {
    let side = 16u32;
    let image = |label: u32, number: u32, prediction: u32| {
        let pixel = |x: u32, y: u32| {
            let (cx, cy) = (f64::from(x) - 8.0 + f64::from(number), f64::from(y) - 8.0);
            let is_ink = match label {
                0 => (cx * cx + cy * cy).sqrt() < 5.0,
                1 => cx.abs() < 2.0 || cy.abs() < 2.0,
                _ => (cx - cy).abs() < 2.5,
            };
            let shade = if is_ink { 235 } else { 25 };
            [shade, shade, shade, 255]
        };
        let rgba = (0..side).flat_map(|y| (0..side).flat_map(move |x| pixel(x, y))).collect();
        let probabilities = (0..3).map(|other| if other == prediction { 0.8 } else { 0.1 }).collect();
        let centre = [[4.0, 0.0], [-3.0, 3.0], [-2.0, -4.0]][label as usize];
        let spread = |axis: usize| centre[axis] + ((number * 7 + label * 3 + axis as u32 * 5) % 5) as f32 * 0.5;
        SnapshotImage { rgba, label, probabilities, embedding: vec![spread(0), spread(1), 0.3, 0.1] }
    };
    let is_wrong = |label, number| matches!((label, number), (1, 4) | (2, 0));
    let seen = |label, number| image(label, number, if is_wrong(label, number) { 3 - label } else { label });
    let half = |numbers: Range<u32>| (0..3).flat_map(move |label| numbers.clone().map(move |number| (label, number)));
    let support = half(0..2).map(|(label, number)| seen(label, number)).collect();
    let query = half(2..5).map(|(label, number)| seen(label, number)).collect();
    Event::Snapshot(EpisodeSnapshot {
        step,
        episode: 0,
        classes: vec!["ring".to_owned(), "cross".to_owned(), "slash".to_owned()],
        width: side,
        height: side,
        support,
        query,
        loss: 0.4,
        accuracy: 8.0 / 9.0,
        support_accuracy: 5.0 / 6.0,
    })
}
