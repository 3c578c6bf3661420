//! One stem, four places: every shader has a twin, a typed launch and a test case.
// A file that cannot be read fails the test, as it should.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All files below `folder` whose names end in `extension`.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|is| is == extension) {
            found.push(path);
        }
    }
    found
}

/// The stems of all shaders; shared/ holds fragments.
fn stems() -> BTreeSet<String> {
    let shaders = root().join("shaders");
    let stems: BTreeSet<String> = files(&shaders, "wgsl")
        .iter()
        .filter(|path| !path.starts_with(shaders.join("shared")))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert!(stems.len() > 20, "only {} shaders found: is the folder right?", stems.len());
    stems
}

#[test]
fn every_shader_has_a_twin() {
    let sources: String = files(&root().join("crates/inkling-reference/src"), "rs")
        .iter()
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let missing: Vec<_> = stems().into_iter().filter(|stem| !sources.contains(&format!("pub fn {stem}<"))).collect();
    assert!(missing.is_empty(), "no `pub fn <stem>` in inkling-reference for {missing:?}");
}

#[test]
fn every_shader_has_a_case() {
    let cases = inkling_tests::cases();
    let tested: BTreeSet<&str> = cases.iter().filter_map(|case| case.name.split('/').next()).collect();
    let missing: Vec<_> = stems().into_iter().filter(|stem| !tested.contains(stem.as_str())).collect();
    assert!(missing.is_empty(), "no case named `<stem>/…` for {missing:?}");
}

#[test]
fn every_shader_has_a_typed_launch() {
    let launches: BTreeSet<String> = inkling_gpu::kernels::ALL.iter().map(|shader| shader.stem.to_owned()).collect();
    assert_eq!(launches, stems());
}

#[test]
fn every_golden_folder_has_a_case() {
    let folders = ["cases", "cases_bilevel", "cases_film"]
        .map(|part| fs::read_dir(root().join("tests/golden").join(part)).unwrap());
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().to_str().unwrap().to_owned();
    let folders: BTreeSet<String> =
        folders.into_iter().flatten().map(|entry| format!("learner/golden/{}", name(entry))).collect();
    let is_golden = |name: &&str| name.starts_with("learner/golden/");
    let cases = inkling_tests::cases().into_iter().map(|case| case.name).filter(is_golden).map(str::to_owned);
    assert_eq!(cases.collect::<BTreeSet<_>>(), folders);
}

#[test]
fn case_names_are_unique() {
    let mut names = BTreeSet::new();
    for case in inkling_tests::cases() {
        assert!(names.insert(case.name), "{} occurs twice", case.name);
    }
}

#[test]
fn every_shader_says_what_it_does() {
    for path in files(&root().join("shaders"), "wgsl") {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.lines().take(3).any(|line| line.starts_with("//")), "{} has no header", path.display());
        if !path.starts_with(root().join("shaders/shared")) {
            for word in ["owns", "orkgroup memory:", "Bindings:"] {
                assert!(text.contains(word), "the header of {} lacks {word:?}", path.display());
            }
        }
    }
}
