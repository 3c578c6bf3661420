//! The losses that the tests of the page expect are those that this program measures.
// The lint's exception for tests does not reach their helper functions.
#![allow(clippy::unwrap_used)]

mod common;

use common::{done, json_lines, workplace};
use serde_json::Value;

const EXPECTED: &str = include_str!("../../tests/browser/app/first-steps.json");
/// Software drivers differ in the rounding of sums, and Adam carries it on.
const TOLERANCE: f64 = 1e-3;

#[test]
fn the_page_is_compared_with_what_is_measured_here() {
    let expected: Value = serde_json::from_str(EXPECTED).unwrap();
    for (name, run) in expected.as_object().unwrap() {
        let (expected, measured) = (run["losses"].as_array().unwrap(), losses(name, &run["settings"]));
        assert!(!expected.is_empty() && expected.len() <= measured.len(), "{name}: {} steps", measured.len());
        for (step, (expected, measured)) in expected.iter().zip(measured).enumerate() {
            let difference = (expected.as_f64().unwrap() - measured).abs();
            assert!(difference <= TOLERANCE, "{name}, step {}: {measured}, expected {expected}", step + 1);
        }
    }
}

/// The loss of each step of a run with these settings.
fn losses(name: &str, settings: &Value) -> Vec<f64> {
    let place = workplace();
    let mut arguments = vec!["train".to_owned(), "--json".into(), "--out".into(), name.into()];
    for (section, value) in settings.as_object().unwrap() {
        match value {
            Value::Object(keys) => {
                for (key, value) in keys {
                    // A word as it is, without the quotes of JSON.
                    let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    arguments.extend(["--set".into(), format!("{section}.{key}={value}")]);
                }
            }
            value => arguments.extend([format!("--{section}"), value.as_str().unwrap().to_owned()]),
        }
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let lines = json_lines(&done(place.path(), &arguments));
    lines.iter().filter(|line| line["event"] == "step").map(|line| line["loss"].as_f64().unwrap()).collect()
}
