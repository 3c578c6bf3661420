//! The panel before, during and after a report, with a scripted one in its place.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use egui::Theme;
use egui_kittest::kittest::Queryable;
use inkling_session::config::EstimatorKind;
use inkling_session::report::estimators::{ALL, EstimatorPoint};
use inkling_session::session::{Points, Report, ReportEvent, Target, start_report};

use super::port::ReportPort;
use crate::Tab;
use crate::settings::ThemeChoice;
use crate::testing::{
    NARROW, Script, WIDE, Window, beginning, look, open, picture, snapshot, steps, tiny_config, wait,
};

#[derive(Clone, Default)]
struct Measuring {
    events: Rc<RefCell<VecDeque<ReportEvent>>>,
    is_cancelled: Rc<RefCell<bool>>,
}

impl ReportPort for Measuring {
    fn try_event(&self) -> Option<ReportEvent> {
        self.events.borrow_mut().pop_front()
    }

    fn cancel(&self) {
        *self.is_cancelled.borrow_mut() = true;
    }
}

fn window<'a>(measuring: &Measuring, script: &Script, size: egui::Vec2, theme: Theme) -> Window<'a> {
    let mut app = script.app();
    let port = measuring.clone();
    app.set_report_starter(Box::new(move |_| Box::new(port.clone())));
    open(app, Tab::Inspect, size, theme)
}

fn points() -> Vec<EstimatorPoint> {
    let point = |estimator: EstimatorKind, h: u32| {
        let share = f64::from(h) / 50.0;
        let is_lite = estimator == EstimatorKind::Lite;
        EstimatorPoint {
            estimator: estimator.name().to_owned(),
            part: ALL.to_owned(),
            h,
            support: 50,
            draws: 50,
            bias: if is_lite { 0.02 + 0.01 * f64::from(h % 7) / 7.0 } else { 0.9 * (1.0 - share) + 0.01 },
            bias_standard_error: 0.05 * (1.0 - share) + 0.001,
            rmse: if is_lite { 0.9 } else { 1.3 } * (1.0 / share - 1.0).sqrt() * 0.3 + 0.01,
        }
    };
    let hs = (1..=9).map(|tenth| tenth * 5);
    hs.clone().map(|h| point(EstimatorKind::Lite, h)).chain(hs.map(|h| point(EstimatorKind::Subsampled, h))).collect()
}

#[test]
fn an_empty_panel_says_where_things_come_from() {
    for size in [WIDE, NARROW] {
        let mut window = window(&Measuring::default(), &Script::default(), size, Theme::Light);
        window.run();
        assert!(window.query_by_label_contains("Start a run in Meta-train").is_some());
        assert!(window.query_by_label("Not measured yet").is_some());
        assert_eq!(window.state().state()["inspect"]["embedded"], 0);
    }
}

#[test]
fn a_report_shows_its_progress_and_can_be_cancelled() {
    let measuring = Measuring::default();
    let mut window = window(&measuring, &Script::default(), WIDE, Theme::Light);
    window.get_by_label("Measure").click();
    window.run_steps(2);
    measuring.events.borrow_mut().push_back(ReportEvent::Progress { done: 3, of: 20, accuracy: None });
    window.run_steps(2);
    assert!(window.query_by_role_and_label(egui::Role::Label, "Measured 3 of 20 points").is_some());
    window.get_by_label("Cancel").click();
    window.run_steps(2);
    assert!(*measuring.is_cancelled.borrow());
    measuring.events.borrow_mut().push_back(ReportEvent::Cancelled);
    window.run();
    assert_eq!(window.state().state()["inspect"]["report"]["stage"], "idle");
}

#[test]
fn a_report_that_fails_says_why() {
    let measuring = Measuring::default();
    let mut window = window(&measuring, &Script::default(), NARROW, Theme::Dark);
    window.get_by_label("Measure").click();
    window.run_steps(2);
    let message = "model.norm is \"batch\"; use model.norm = \"group\"".to_owned();
    measuring.events.borrow_mut().push_back(ReportEvent::Failed { message, usage: true });
    window.run();
    assert!(window.query_by_label_contains("Use model.norm").is_some());
    assert!(window.query_by_label("Measure").is_some());
}

#[test]
fn a_real_report_is_drawn() {
    let mut app = Script::default().app();
    // A real one but for its draws, of which two are enough to be drawn.
    app.set_report_starter(Box::new(|mut request| {
        if let Report::Estimators { draws, .. } = &mut request.report {
            *draws = 2;
        }
        Box::new(start_report(request))
    }));
    // The run is scripted and says nothing; the form now describes its task.
    app.start_run(tiny_config(), Target::Memory);
    let mut window = open(app, Tab::Inspect, WIDE, Theme::Light);
    window.get_by_label("Measure").click();
    wait(&mut window, |app| app.state()["inspect"]["report"]["stage"] == "working");
    wait(&mut window, |app| app.state()["inspect"]["report"]["stage"] != "working");
    let report = window.state().state()["inspect"]["report"].clone();
    assert_eq!(report["stage"], "done", "{report:#}");
    // lite with both values of H that two images allow, and subsampled with the larger.
    assert!(report["points"].as_u64().unwrap() >= 3, "{report:#}");
    assert!(window.query_by_label_contains("Root-mean-square error in").is_some());
}

#[test]
fn pictures() {
    let (measuring, script) = (Measuring::default(), Script::default());
    let mut window = window(&measuring, &script, WIDE, Theme::Light);
    window.state_mut().show_tab(Tab::MetaTrain);
    window.run();
    window.get_by_label("Start").click();
    window.run_steps(2);
    script.say(beginning(200));
    script.say(steps(1, 60));
    script.say([snapshot(60)]);
    window.state_mut().show_tab(Tab::Inspect);
    window.run_steps(2);
    window.get_by_label("Measure").click();
    window.run_steps(2);
    measuring.events.borrow_mut().push_back(ReportEvent::Done(Points::Estimators(points())));
    window.run_steps(4);
    let state = window.state().state();
    assert_eq!(
        (state["inspect"]["embedded"].as_u64(), state["inspect"]["report"]["points"].as_u64()),
        (Some(15), Some(18))
    );
    picture(&mut window, "inspect-wide-light").unwrap();
    for (shade, theme) in [("light", ThemeChoice::Light), ("dark", ThemeChoice::Dark)] {
        window.state_mut().shared_mut().settings.theme = theme;
        for (name, size) in [("wide", egui::vec2(1280.0, 1400.0)), ("narrow", egui::vec2(400.0, 2000.0))] {
            window.set_size(size);
            look(&mut window, &format!("inspect-tall-{name}-{shade}"));
        }
    }
}
