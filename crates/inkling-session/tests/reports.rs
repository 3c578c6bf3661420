//! Reports through their handle.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::config;
use inkling_session::run::{ConvergenceSettings, MemoryAxes, initial_weights};
use inkling_session::session::{Points, Report, ReportEvent, ReportHandle, ReportRequest, start_report};

fn begin(report: Report) -> ReportHandle {
    start_report(ReportRequest { report, dataset: None, weights: None, adapter: None })
}

fn events(report: &ReportHandle) -> Vec<ReportEvent> {
    std::iter::from_fn(|| pollster::block_on(report.event())).collect()
}

#[test]
fn reports_end_with_their_points() {
    let report = Report::Estimators { config: config(), weights: None, draws: 2 };
    let seen = events(&begin(report));
    assert!(matches!(seen.first(), Some(ReportEvent::Progress { done: 0, of, accuracy: None }) if *of > 6));
    let Some(ReportEvent::Done(Points::Estimators(points))) = seen.last() else { panic!("{seen:?}") };
    assert!(points.iter().any(|point| point.h == 6 && point.rmse < 1e-4));
    // Tenths of six images fall together; each H is measured once.
    let lite = points.iter().filter(|point| point.estimator == "lite").map(|point| point.h);
    assert_eq!(lite.collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);

    let mut roomy = config();
    // A smaller task needs an image of each class.
    roomy.gradient.h = 3;
    let axes = MemoryAxes { supports: vec![6], ..MemoryAxes::default() };
    let seen = events(&begin(Report::Memory { config: roomy, methods: Vec::new(), axes }));
    let Some(ReportEvent::Done(Points::Memory(points))) = seen.last() else { panic!("{seen:?}") };
    assert_eq!(points.len(), 4);
    assert!(points.iter().all(|point| point.measured_bytes == Some(point.planned_bytes)));

    let mut config = config();
    config.evaluation.episodes = 20;
    let weights = initial_weights(&config).unwrap();
    let seen = events(&begin(Report::Evaluation { config, weights }));
    assert!(matches!(seen[0], ReportEvent::Progress { done: 10, of: 20, accuracy: Some(_) }));
    let Some(ReportEvent::Done(Points::Evaluation(evaluation))) = seen.last() else { panic!("{seen:?}") };
    assert_eq!(evaluation.episodes, 20);
}

#[test]
fn a_report_is_cancelled_or_fails_with_a_reason() {
    let report = begin(Report::Convergence(ConvergenceSettings::default()));
    report.cancel();
    assert_eq!(events(&report).last(), Some(&ReportEvent::Cancelled));

    let mut config = config();
    config.data.spec = "nothing".to_owned();
    let seen = events(&begin(Report::Estimators { config, weights: None, draws: 2 }));
    assert!(
        matches!(&seen[..], [ReportEvent::Failed { message, usage: true }] if message.contains("nothing")),
        "{seen:?}"
    );
}
