//! Finds a usable Vulkan adapter, or installs Mesa's software one.
//!
//! Nothing here links Vulkan: xtask stays light by reading what the loader would read. A driver
//! counts when its manifest lies where the loader looks and it can have something to drive: a
//! software driver always has, a hardware driver needs a device node.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::{apt, libraries, report};

const PACKAGES: [&str; 2] = ["mesa-vulkan-drivers", "libvulkan1"];
const LOADER: &str = "libvulkan.so.1";

/// Makes sure that wgpu will find an adapter.
///
/// # Errors
/// When there is none and it cannot be installed; the message says what to install or unset.
pub fn ensure() -> Result<()> {
    match std::env::consts::OS {
        "linux" => {}
        "macos" | "windows" => {
            report("graphics", "Metal or DirectX 12, part of the system");
            return Ok(());
        }
        other => bail!("no set-up for {other}: install a Vulkan driver and its loader by hand"),
    }
    let search = Search::of_this_machine();
    if let Some(driver) = search.usable_driver() {
        report("vulkan", &driver.describe());
        return Ok(());
    }
    if let (Some(variable), true) = (search.restricted_by, search.has_loader) {
        bail!(
            "{variable} restricts Vulkan to drivers that are not usable here; unset it, or let it \
             name a driver's manifest (*.json)"
        );
    }
    println!("  No usable Vulkan adapter: a software one (Mesa's lavapipe) will do.");
    if !apt::is_available() {
        bail!(
            "no usable Vulkan adapter, and no apt-get to install one with; install your \
             distribution's Vulkan loader and Mesa's software driver (Fedora: \
             mesa-vulkan-drivers vulkan-loader; Arch: vulkan-swrast vulkan-icd-loader)"
        );
    }
    apt::install(&PACKAGES).context("no usable Vulkan adapter, and apt did not install one")?;
    let search = Search::of_this_machine();
    let driver = search.usable_driver().context("the packages are installed, but still no Vulkan driver is usable")?;
    report("vulkan", &driver.describe());
    Ok(())
}

/// A driver that a manifest promises.
#[derive(Debug, PartialEq, Eq)]
struct Driver {
    manifest: PathBuf,
    /// As the manifest names it: a path, or a file name for the dynamic linker to find.
    library: String,
}

impl Driver {
    fn read(manifest: &Path) -> Option<Self> {
        let library = parse_manifest(&std::fs::read_to_string(manifest).ok()?)?;
        Some(Self { manifest: manifest.to_owned(), library })
    }

    /// Rendered by the processor, so it needs no device.
    fn is_software(&self) -> bool {
        ["lvp", "swiftshader"].iter().any(|name| self.library.contains(name))
    }

    /// A bare file name is the dynamic linker's to find; anything else is a path, relative to
    /// the manifest.
    fn library_exists(&self) -> bool {
        let folder = self.manifest.parent().unwrap_or(Path::new("/"));
        !self.library.contains('/') || folder.join(&self.library).is_file()
    }

    fn describe(&self) -> String {
        let kind = if self.is_software() { "software" } else { "hardware" };
        format!("{kind} driver ({})", self.manifest.display())
    }
}

/// What decides whether Vulkan works, gathered once.
struct Search {
    has_loader: bool,
    has_device: bool,
    drivers: Vec<Driver>,
    /// The variable that replaces the usual folders, if one is set.
    restricted_by: Option<&'static str>,
}

impl Search {
    fn of_this_machine() -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let (restricted_by, places) = places(&variable);
        let drivers = places.iter().flat_map(|place| manifests(place));
        Self {
            has_loader: libraries::is_installed(LOADER),
            has_device: has_device(Path::new("/dev")),
            drivers: drivers.filter_map(|file| Driver::read(&file)).collect(),
            restricted_by,
        }
    }

    /// A hardware driver is preferred, as wgpu prefers it.
    fn usable_driver(&self) -> Option<&Driver> {
        let usable = || self.drivers.iter().filter(|driver| driver.library_exists());
        let hardware = usable().find(|driver| !driver.is_software() && self.has_device);
        hardware.or_else(|| usable().find(|driver| driver.is_software())).filter(|_| self.has_loader)
    }
}

/// The files and folders in which the Vulkan loader looks for manifests, and the variable that
/// replaced the usual ones.
fn places(variable: &dyn Fn(&str) -> Option<String>) -> (Option<&'static str>, Vec<PathBuf>) {
    let split = |list: String| std::env::split_paths(&list).collect::<Vec<_>>();
    // In the loader's order: the first one that is set wins.
    for name in ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"] {
        if let Some(list) = variable(name) {
            return (Some(name), split(list));
        }
    }
    let data_folders = variable("XDG_DATA_DIRS").unwrap_or("/usr/local/share:/usr/share".into());
    let mut roots = split(data_folders);
    roots.extend(["/usr/local/share", "/usr/share", "/etc", "/usr/local/etc"].map(PathBuf::from));
    match (variable("XDG_DATA_HOME"), variable("HOME")) {
        (Some(folder), _) => roots.push(folder.into()),
        (None, Some(home)) => roots.push(Path::new(&home).join(".local/share")),
        (None, None) => {}
    }
    let added = variable("VK_ADD_DRIVER_FILES").map(split).unwrap_or_default();
    let usual = roots.iter().map(|root| root.join("vulkan/icd.d"));
    (None, added.into_iter().chain(usual).collect())
}

/// The manifests at a place: the file itself, or the JSON files of a folder, sorted.
fn manifests(place: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(place) else {
        return if place.is_file() { vec![place.to_owned()] } else { Vec::new() };
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|file| file.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    files
}

fn parse_manifest(json: &str) -> Option<String> {
    let manifest: serde_json::Value = serde_json::from_str(json).ok()?;
    let library = manifest.get("ICD")?.get("library_path")?.as_str()?;
    (!library.is_empty()).then(|| library.to_owned())
}

/// Whether a graphics device node exists: DRM render nodes, NVIDIA's own, or WSL's.
fn has_device(dev: &Path) -> bool {
    let renders = || {
        let entries = std::fs::read_dir(dev.join("dri")).ok()?;
        let mut names = entries.filter_map(|entry| Some(entry.ok()?.file_name()));
        Some(names.any(|name| name.to_string_lossy().starts_with("renderD")))
    };
    dev.join("nvidia0").exists() || dev.join("dxg").exists() || renders().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn driver(library: &str) -> Driver {
        Driver { manifest: "/usr/share/vulkan/icd.d/x.json".into(), library: library.into() }
    }

    fn search(drivers: Vec<Driver>, has_loader: bool, has_device: bool) -> Search {
        Search { has_loader, has_device, drivers, restricted_by: None }
    }

    #[test]
    fn hardware_drivers_need_a_device_and_all_need_the_loader() {
        let both = || vec![driver("libvulkan_intel.so"), driver("libvulkan_lvp.so")];
        let chosen = |search: Search| search.usable_driver().map(|found| found.library.clone());
        assert_eq!(chosen(search(both(), true, true)), Some("libvulkan_intel.so".into()));
        assert_eq!(chosen(search(both(), true, false)), Some("libvulkan_lvp.so".into()));
        assert_eq!(chosen(search(both(), false, true)), None);
        let hardware = || vec![driver("libvulkan_radeon.so")];
        assert_eq!(chosen(search(hardware(), true, false)), None);
        assert_eq!(chosen(search(Vec::new(), true, true)), None);
    }

    #[test]
    fn manifests_name_their_library() {
        let json = r#"{"ICD":{"api_version":"1.3","library_path":"libvulkan_lvp.so"}}"#;
        assert_eq!(parse_manifest(json).as_deref(), Some("libvulkan_lvp.so"));
        for broken in ["", "{}", r#"{"ICD":{"library_path":""}}"#, r#"{"ICD":3}"#] {
            assert_eq!(parse_manifest(broken), None, "{broken}");
        }
    }

    #[test]
    fn a_library_with_a_path_must_exist() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = folder.path().join("a.json");
        let found = |library: &str| {
            let json = serde_json::json!({"ICD": {"library_path": library}});
            std::fs::write(&manifest, json.to_string()).unwrap();
            Driver::read(&manifest).unwrap().library_exists()
        };
        assert!(found("libvulkan_lvp.so"));
        assert!(!found("./libvulkan_lvp.so"));
        std::fs::write(folder.path().join("libvulkan_lvp.so"), "").unwrap();
        assert!(found("./libvulkan_lvp.so"));
    }

    #[test]
    fn variables_replace_or_extend_the_usual_places() {
        let none = |_: &str| None;
        let (restricted, usual) = places(&none);
        assert_eq!(restricted, None);
        for folder in ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"] {
            assert!(usual.contains(&PathBuf::from(folder)), "{folder}");
        }
        let old = |name: &str| (name == "VK_ICD_FILENAMES").then(|| "/a.json:/b.json".to_owned());
        let expected = vec![PathBuf::from("/a.json"), PathBuf::from("/b.json")];
        assert_eq!(places(&old), (Some("VK_ICD_FILENAMES"), expected));
        let home = |name: &str| (name == "HOME").then(|| "/home/a".to_owned());
        let (_, with_home) = places(&home);
        assert!(with_home.contains(&"/home/a/.local/share/vulkan/icd.d".into()));
    }

    #[test]
    fn manifests_are_json_files_of_a_folder_or_the_file_itself() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.json", "a.json", "notes.txt"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let file = |name: &str| folder.path().join(name);
        assert_eq!(manifests(folder.path()), [file("a.json"), file("b.json")]);
        assert_eq!(manifests(&file("a.json")), [file("a.json")]);
        assert!(manifests(&file("absent")).is_empty());
    }

    #[test]
    fn device_nodes_are_recognised() {
        let dev = tempfile::tempdir().unwrap();
        assert!(!has_device(dev.path()));
        std::fs::create_dir(dev.path().join("dri")).unwrap();
        std::fs::write(dev.path().join("dri/card0"), "").unwrap();
        assert!(!has_device(dev.path()));
        std::fs::write(dev.path().join("dri/renderD128"), "").unwrap();
        assert!(has_device(dev.path()));
    }
}
