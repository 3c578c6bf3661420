//! The rules of ARCHITECTURE.md that a machine can check: which crate may know which, who names
//! the graphics API, where targets may differ, where shaders live. A failure says what to do.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's helpers may fail the test")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The crate table: what a crate may depend on, and with that on all that those may. Every arrow
/// runs to an earlier line.
const TABLE: &[(&str, &[&str])] = &[
    ("inkling-shaders", &[]),
    ("inkling-reference", &[]),
    ("inkling-platform", &[]),
    ("inkling-gpu", &["inkling-shaders", "inkling-platform"]),
    ("inkling-data", &["inkling-gpu", "inkling-platform"]),
    ("inkling-nn", &["inkling-gpu"]),
    ("inkling-meta", &["inkling-nn", "inkling-data"]),
    ("inkling-session", &["inkling-meta", "inkling-data", "inkling-platform"]),
    ("inkling-app", &["inkling-session", "inkling-platform"]),
    ("inkling-burn", &["inkling-meta"]),
    // The command line links no window code; the desktop binary does.
    ("inkling", &["inkling-session"]),
    ("inkling-desktop", &["inkling-session", "inkling-app"]),
    ("inkling-web", &["inkling-app"]),
    ("xtask", &[]),
    ("inkling-tests", &["inkling-session", "inkling-burn", "inkling-reference"]),
];

/// The oracle of the tests: every crate's tests may use it, no crate's code.
const ORACLE: &str = "inkling-reference";

/// Folders whose code may differ by target, whatever the target.
const TARGET_HOMES: &[&str] = &["crates/inkling-platform", "native", "web", "crates/xtask", "tests"];

/// Folders that leave their file-system parts out of a browser: `target_arch = "wasm32"` only.
const WITHOUT_FILES_IN_BROWSERS: &[&str] = &[
    "crates/inkling-data",    // data sets on disk, their cache threads and downloads
    "crates/inkling-session", // run folders
];

#[test]
fn dependencies_run_only_downwards() {
    let mut violations = Vec::new();
    for package in packages() {
        let name = text(&package, "name");
        if !TABLE.iter().any(|(known, _)| *known == name) {
            violations.push(format!("{name} is not in the crate table; give it a line there"));
            continue;
        }
        let allowed = reachable(name);
        for dependency in dependencies(&package) {
            let target = text(dependency, "name");
            let is_ours = TABLE.iter().any(|(known, _)| *known == target);
            let is_oracle = target == ORACLE && text(dependency, "kind") == "dev";
            if is_ours && !is_oracle && !allowed.contains(target) {
                violations.push(format!(
                    "{name} depends on {target}; move the code that needs it to a crate that may, \
                     or turn the dependency round"
                ));
            }
        }
    }
    conclude("ARCHITECTURE.md allows fewer dependencies", &violations);
}

#[test]
fn the_table_itself_runs_downwards() {
    for (line, (name, below)) in TABLE.iter().enumerate() {
        for crate_below in *below {
            let position = TABLE.iter().position(|(known, _)| known == crate_below);
            let is_earlier = position.is_some_and(|position| position < line);
            assert!(is_earlier, "{name} -> {crate_below} does not run to an earlier line");
        }
    }
    assert!(reachable("inkling").contains("inkling-shaders"));
    assert!(!reachable("inkling-nn").contains("inkling-data"));
    assert!(!reachable("inkling-session").contains(ORACLE));
}

#[test]
fn one_crate_names_the_graphics_api_and_one_its_shader_compiler() {
    let mut violations = Vec::new();
    for package in packages() {
        let name = text(&package, "name");
        for dependency in dependencies(&package) {
            let target = text(dependency, "name");
            let owner = match target {
                "naga" => "inkling-shaders",
                "wgpu" => "inkling-gpu",
                _ if target.starts_with("wgpu-") => "inkling-gpu",
                _ => continue,
            };
            if name != owner {
                violations.push(format!("{name} depends on {target}; ask {owner} for it instead"));
            }
        }
    }
    // A re-export would hide the name from the manifest. Front ends hand eframe's device over.
    let hidden = |file: &RepositoryFile| {
        let others = ["crates/inkling-gpu", "crates/inkling-app", "crates/inkling-burn"];
        file.is_rust() && file.is_within(&["crates"]) && !file.is_within(&others)
    };
    for file in repository().iter().filter(|file| hidden(file)) {
        for (number, _) in code_lines(&file.text).filter(|(_, line)| line.contains("wgpu::")) {
            violations.push(format!("{}:{number} names wgpu; give inkling-gpu a type or function for it", file.path));
        }
    }
    conclude("wgpu and naga have one home each", &violations);
}

#[test]
fn the_lock_file_holds_one_version_of_what_must_be_shared() {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).expect("Cargo.lock");
    let mut violations = Vec::new();
    for shared in ["wgpu", "wgpu-core", "wgpu-hal", "naga", "wasm-bindgen"] {
        let versions = locked_versions(&lock, shared);
        if versions.len() > 1 {
            violations.push(format!(
                "{shared} {}: see `cargo tree --invert {shared}`, and choose versions of its users \
                 that agree",
                versions.join(" and ")
            ));
        }
    }
    assert_eq!(locked_versions(&lock, "wgpu").len(), 1, "no wgpu in Cargo.lock");
    conclude("one copy of each in Cargo.lock", &violations);
}

#[test]
fn targets_differ_only_where_they_may() {
    let mut violations = Vec::new();
    let sources = repository();
    let concerned = |file: &&RepositoryFile| file.is_rust() && !file.is_within(TARGET_HOMES) && !file.is_test_code();
    for file in sources.iter().filter(concerned) {
        let before_tests = file.text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in code_lines(before_tests) {
            let is_file_system = line.contains("target_arch = \"wasm32\"") && file.is_within(WITHOUT_FILES_IN_BROWSERS);
            if names_a_target(line) && !is_file_system {
                violations.push(format!(
                    "{}:{number}: {}; move the difference into inkling-platform",
                    file.path,
                    line.trim()
                ));
            }
        }
    }
    let may_differ: Vec<PathBuf> =
        TARGET_HOMES.iter().chain(WITHOUT_FILES_IN_BROWSERS).map(|folder| root().join(folder)).collect();
    for package in packages() {
        let manifest = Path::new(text(&package, "manifest_path"));
        if may_differ.iter().any(|folder| manifest.starts_with(folder)) {
            continue;
        }
        for dependency in dependencies(&package) {
            let condition = text(dependency, "target");
            if !condition.is_empty() && text(dependency, "kind") != "dev" {
                violations.push(format!(
                    "{} depends on {} only under {condition}; inkling-platform may do that",
                    text(&package, "name"),
                    text(dependency, "name"),
                ));
            }
        }
    }
    conclude("target differences have one home", &violations);
}

#[test]
fn shaders_have_one_home_and_say_what_they_compute() {
    let mut violations = Vec::new();
    let files = repository();
    let shaders = files.iter().filter(|file| file.path.ends_with(".wgsl"));
    let mut count = 0;
    for shader in shaders {
        count += 1;
        let path = &shader.path;
        if !shader.is_within(&["shaders"]) {
            violations.push(format!("{path}: shaders live under shaders/; move it there"));
        } else if !shader.is_within(&["shaders/shared"]) {
            let header = header(&shader.text);
            if !header.contains("invocation") && !header.contains("workgroup") {
                violations.push(format!(
                    "{path}: begin with a comment: the formula, what one workgroup and one \
                     invocation own, workgroup memory in bytes"
                ));
            }
        }
    }
    assert!(count > 0, "found no shader at all under {}", root().display());
    conclude("every shader explains itself", &violations);
}

#[test]
fn no_file_names_a_private_folder() {
    // Taken apart, so that this file does not name them either.
    let private = [concat!("/wo", "rk/"), concat!("/tmp/tar", "get")];
    let mut violations = Vec::new();
    for file in repository() {
        for (number, line) in file.text.lines().enumerate() {
            if private.iter().any(|folder| names_folder(line, folder)) {
                violations.push(format!(
                    "{}:{}: a folder of one machine; make it relative to the workspace, or a \
                     variable",
                    file.path,
                    number + 1
                ));
            }
        }
    }
    conclude("the repository works in any folder", &violations);
}

#[test]
fn the_checks_see_what_they_look_for() {
    for line in [
        "#[cfg(target_arch = \"wasm32\")]",
        "if cfg!(windows) {",
        "#[cfg(all(test, unix))]",
        "    target_os = \"linux\",",
    ] {
        assert!(names_a_target(line), "{line}");
    }
    for line in ["#[cfg(feature = \"x\")]", "let windows = image.windows(3);"] {
        assert!(!names_a_target(line), "{line}");
    }
    let code: Vec<_> = code_lines("a\n  // b\nc // d\n").collect();
    assert_eq!(code, [(1, "a"), (3, "c ")]);
    assert_eq!(header("#import x\n\n// One\n// two\nfn f() {}\n// three"), "one\ntwo");
    assert_eq!(header("fn f() {}\n// late"), "");
    let lock = "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n\n[[package]]\nname = \"ab\"\n\
                version = \"2.0.0\"\n\n[[package]]\nname = \"a\"\nversion = \"3.0.0\"\n";
    assert_eq!(locked_versions(lock, "a"), ["1.0.0", "3.0.0"]);
    assert!(names_folder("see /a/b/c", "/a/b/"));
    assert!(!names_folder("https://example.org/a/b/c", "/a/b/"));
}

/// Fails with every violation at once.
fn conclude(rule: &str, violations: &[String]) {
    assert!(violations.is_empty(), "{rule}:\n  {}", violations.join("\n  "));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace's root")
}

/// The workspace's packages as `cargo metadata` describes them.
fn packages() -> Vec<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo metadata: {stderr}");
    let mut metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    match metadata["packages"].take() {
        Value::Array(packages) if !packages.is_empty() => packages,
        other => unreachable!("cargo metadata has no packages: {other}"),
    }
}

fn dependencies(package: &Value) -> &[Value] {
    package["dependencies"].as_array().expect("a list of dependencies")
}

/// A field of an object; empty where it is null, as `kind` is for ordinary dependencies.
fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object[field].as_str().unwrap_or_default()
}

/// Everything that the table lets a crate depend on.
fn reachable(name: &str) -> BTreeSet<&'static str> {
    let below = TABLE.iter().filter(|(known, _)| *known == name);
    below
        .flat_map(|(_, below)| below.iter())
        .flat_map(|direct| reachable(direct).into_iter().chain([*direct]))
        .collect()
}

struct RepositoryFile {
    /// Relative to the root, with `/`.
    path: String,
    text: String,
}

impl RepositoryFile {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    fn is_within(&self, folders: &[&str]) -> bool {
        folders.iter().any(|folder| Path::new(&self.path).starts_with(folder))
    }

    /// Integration tests, examples and benches run natively only.
    fn is_test_code(&self) -> bool {
        ["/tests/", "/examples/", "/benches/"].iter().any(|folder| self.path.contains(folder))
    }
}

/// Every text file of the workspace, whether git knows it or not, except build and run outputs.
fn repository() -> Vec<RepositoryFile> {
    let mut files = Vec::new();
    let mut folders = vec![root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of the repository") {
            let path = entry.expect("a folder's entry").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() && !path.is_symlink() {
                if !matches!(&*name, ".git" | "target" | "runs" | "dist" | "node_modules" | "__pycache__") {
                    folders.push(path);
                }
            } else if let Some(text) = read_text(&path) {
                let path = path.strip_prefix(root()).expect("inside the root");
                let path = path.to_string_lossy().replace('\\', "/");
                files.push(RepositoryFile { path, text });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// The file's text; nothing for images, tensors and other data, known by their extension.
fn read_text(path: &Path) -> Option<String> {
    const EXTENSIONS: [&str; 16] = [
        "rs", "wgsl", "toml", "lock", "md", "html", "js", "css", "json", "svg", "csv", "txt", "py", "sh", "yml", "yaml",
    ];
    let is_text = match path.extension() {
        Some(extension) => EXTENSIONS.iter().any(|known| extension == *known),
        None => true,
    };
    is_text.then(|| std::fs::read_to_string(path).ok())?
}

/// Numbered lines without their comments; lines that are nothing else are left out.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().filter_map(|(index, line)| {
        let code = line.split("//").next().unwrap_or_default();
        (!code.trim().is_empty()).then_some((index + 1, code))
    })
}

fn names_a_target(line: &str) -> bool {
    const KEYS: [&str; 6] =
        ["target_arch", "target_os", "target_family", "target_env", "target_pointer_width", "target_vendor"];
    let families = || {
        line.split_once("cfg").is_some_and(|(_, condition)| {
            condition.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unix" || word == "windows")
        })
    };
    KEYS.iter().any(|key| line.contains(key)) || families()
}

/// The comment before a shader's code, in lower case; imports may stand before it.
fn header(shader: &str) -> String {
    shader
        .lines()
        .map(str::trim)
        .skip_while(|line| line.is_empty() || line.starts_with("#import"))
        .map_while(|line| line.strip_prefix("//"))
        .map(|line| line.trim().to_lowercase())
        .collect::<Vec<_>>()
        .join("\n")
}

/// The versions of a package in Cargo.lock.
fn locked_versions<'a>(lock: &'a str, package: &str) -> Vec<&'a str> {
    let name = format!("name = \"{package}\"");
    let lines: Vec<&str> = lock.lines().map(str::trim).collect();
    lines
        .windows(2)
        .filter(|pair| pair[0] == name)
        .filter_map(|pair| pair[1].strip_prefix("version = \"")?.strip_suffix('"'))
        .collect()
}

/// Whether a line names the absolute folder, rather than a part of a longer path or address.
fn names_folder(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '~'))
    })
}
