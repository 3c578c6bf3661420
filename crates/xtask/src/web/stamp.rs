//! Fills in what the service worker keeps, and the version that it keeps it under.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

const WORKER: &str = "service-worker.js";
/// The package is for other pages, and learners to fetch for those who ask for them: the app keeps
/// them itself then. Of the latter the page wants the list.
const LEFT_OUT: [&str; 2] = ["package/", "learners/"];
const LIST: &str = "learners/list.json";
const VERSION: &str = "@VERSION@";
const FILES: &str = "[\"@FILES@\"]";

/// Writes the version and the list of files into `dist`'s service worker. The version is a hash of
/// all those files, so that a new build replaces what an older one left in a browser.
///
/// # Errors
/// When a file cannot be read or written, or the worker has no place for them.
pub fn service_worker(dist: &Path) -> Result<()> {
    let worker = dist.join(WORKER);
    let template = std::fs::read_to_string(&worker).with_context(|| format!("cannot read {}", worker.display()))?;
    ensure!(
        template.contains(VERSION) && template.contains(FILES),
        "{} has no place for {VERSION} or {FILES}",
        worker.display()
    );
    let belongs =
        |file: &String| file != WORKER && (file == LIST || !LEFT_OUT.iter().any(|folder| file.starts_with(folder)));
    let files: Vec<String> = super::sizes::files(dist)?.into_iter().filter(belongs).collect();
    // The worker's own text belongs to the version as well.
    let mut hash = Sha256::new_with_prefix(&template);
    for file in &files {
        let bytes = std::fs::read(dist.join(file)).with_context(|| format!("cannot read {file}"))?;
        hash.update(file);
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    }
    let version: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    // The page is asked for by its folder.
    let addresses: Vec<String> = files
        .iter()
        .map(|file| match file.strip_suffix("index.html") {
            Some(folder) => format!("./{folder}"),
            None => file.clone(),
        })
        .collect();
    let text = template.replace(VERSION, &version).replace(FILES, &serde_json::to_string(&addresses)?);
    std::fs::write(&worker, text).with_context(|| format!("cannot write {}", worker.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamped(page: &str) -> String {
        let dist = tempfile::tempdir().unwrap();
        std::fs::create_dir(dist.path().join("icons")).unwrap();
        std::fs::create_dir(dist.path().join("package")).unwrap();
        std::fs::write(dist.path().join("package/b.js"), "b").unwrap();
        std::fs::create_dir(dist.path().join("learners")).unwrap();
        std::fs::write(dist.path().join("learners/large.safetensors"), "c").unwrap();
        std::fs::write(dist.path().join(LIST), "[]").unwrap();
        std::fs::write(dist.path().join("index.html"), page).unwrap();
        std::fs::write(dist.path().join("icons/a.png"), "a").unwrap();
        std::fs::write(dist.path().join(WORKER), "const V = \"@VERSION@\", F = [\"@FILES@\"];").unwrap();
        service_worker(dist.path()).unwrap();
        std::fs::read_to_string(dist.path().join(WORKER)).unwrap()
    }

    #[test]
    fn the_version_follows_the_content() {
        let first = stamped("one");
        assert!(first.ends_with("F = [\"icons/a.png\",\"./\",\"learners/list.json\"];"), "{first}");
        assert_eq!(first, stamped("one"));
        assert_ne!(first, stamped("two"));
    }

    #[test]
    fn a_worker_without_places_is_refused() {
        let dist = tempfile::tempdir().unwrap();
        std::fs::write(dist.path().join(WORKER), "const V = 1;").unwrap();
        assert!(service_worker(dist.path()).is_err());
    }
}
