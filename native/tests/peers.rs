//! The rows of the comparison with other systems, and their table, from the command line.
// The lint's exception for tests does not reach their helper functions.
#![allow(clippy::unwrap_used)]

mod common;

use common::{done, json_lines, refused};

/// Every pass, on networks and tasks that take no time.
const ROWS: &str = r#"{"repeats": 2, "seconds": 5, "groups": 2, "rows": [
  {"name": "a-forward", "title": "embeddings", "pass": "forward", "channels": 4, "image": [1, 28], "norm": "batch",
   "batch": 3},
  {"name": "a-back", "title": "and back", "pass": "forward-backward", "channels": 4, "image": [3, 32],
   "norm": "batch", "batch": 3},
  {"name": "full", "title": "all images", "pass": "prototypes", "channels": 4, "image": [3, 32], "norm": "group",
   "tasks": 1, "ways": 2, "shots": 2, "queries": 1},
  {"name": "lite", "title": "one of four", "pass": "prototypes", "channels": 4, "image": [1, 28], "norm": "group",
   "tasks": 1, "ways": 2, "shots": 2, "queries": 1, "h": 1},
  {"name": "maml", "title": "second order", "pass": "maml", "channels": 4, "image": [3, 32], "norm": "batch",
   "tasks": 1, "ways": 2, "shots": 2, "queries": 1, "inner_steps": 2, "inner_lr": 0.1},
  {"name": "implicit", "title": "by conjugate gradient", "pass": "implicit", "channels": 4, "image": [3, 32],
   "norm": "group", "tasks": 3, "ways": 2, "shots": 1, "queries": 1, "inner_steps": 3, "inner_lr": 0.1,
   "ridge": 0.1, "cg_steps": 3}
]}"#;

#[test]
fn every_row_is_measured_and_shown_beside_others() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    std::fs::write(folder.join("rows.json"), ROWS).unwrap();
    let printed = done(folder, &["bench", "rows", "--rows", "rows.json", "--json"]);
    let rows = json_lines(&printed);
    let names: Vec<&str> = rows.iter().map(|row| row["row"].as_str().unwrap()).collect();
    assert_eq!(names, ["a-forward", "a-back", "full", "lite", "maml", "implicit"]);
    for row in &rows {
        assert!(row["median_ms"].as_f64().unwrap() > 0.0 && row["peak_bytes"].as_u64().unwrap() > 0, "{row}");
        assert_eq!(row["repeats"].as_u64(), Some(2), "{row}");
    }

    let other = r#"{"peer":"Other","version":"7","place":"native","row":"maml","missing":"it has no gradients"}"#;
    std::fs::write(folder.join("measured.jsonl"), format!("{printed}{other}\n")).unwrap();
    let report = ["report", "peers", "--rows", "rows.json", "--measured", "measured.jsonl", "--out", "table"];
    let shown = done(folder, &report);
    assert!(shown.contains("second order: not measured. it has no gradients"), "{shown}");
    for file in ["peers.csv", "peers.md", "peers.svg"] {
        assert!(std::fs::metadata(folder.join("table").join(file)).unwrap().len() > 500, "{file}");
    }
}

#[test]
fn lists_that_cannot_be_read_are_named() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    std::fs::write(folder.join("rows.json"), ROWS).unwrap();
    std::fs::write(folder.join("broken.json"), ROWS.replace("\"batch\": 3", "\"bacth\": 3")).unwrap();
    let rows = |file: &'static str| ["bench", "rows", "--rows", file];
    assert!(refused(folder, &rows("absent.json"), 1).contains("absent.json"));
    let message = refused(folder, &rows("broken.json"), 1);
    assert!(message.contains("broken.json") && message.contains("bacth"), "{message}");
    let message = refused(folder, &[&rows("rows.json")[..], &["--only", "b"]].concat(), 2);
    assert!(message.contains("no row of rows.json begins with b"), "{message}");
    std::fs::write(folder.join("measured.jsonl"), "{}\nTraceback\n").unwrap();
    let report = ["report", "peers", "--rows", "rows.json", "--measured", "measured.jsonl"];
    assert!(refused(folder, &report, 1).contains("measured.jsonl: line 2"));
}
