//! Finds shared libraries as the dynamic linker would.

use std::path::PathBuf;
use std::process::Command;

use crate::process;

/// Whether the dynamic linker finds the library of that file name, such as `libvulkan.so.1`.
pub fn is_installed(name: &str) -> bool {
    // /sbin is not on an ordinary Debian user's PATH.
    let listed = ["ldconfig", "/sbin/ldconfig"]
        .iter()
        .any(|program| process::output(Command::new(program).arg("-p")).is_ok_and(|list| lists(&list, name)));
    listed || folders().iter().any(|folder| folder.join(name).exists())
}

/// The folders of libraries, those of `LD_LIBRARY_PATH` last.
pub fn folders() -> Vec<PathBuf> {
    let architecture = std::env::consts::ARCH;
    let folders = [
        "/usr/lib".to_owned(),
        "/usr/lib64".to_owned(),
        "/usr/local/lib".to_owned(),
        format!("/usr/lib/{architecture}-linux-gnu"),
    ];
    let linked = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    folders.into_iter().map(PathBuf::from).chain(std::env::split_paths(&linked)).collect()
}

fn lists(ldconfig: &str, name: &str) -> bool {
    ldconfig.lines().any(|line| line.split_whitespace().next() == Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_found_in_the_list_of_ldconfig() {
        let list = "2 libs found\n\tlibvulkan.so.1 (libc6,x86-64) => /lib/libvulkan.so.1\n";
        assert!(lists(list, "libvulkan.so.1"));
        assert!(!lists("\tlibvulkan_lvp.so (libc6) => /lib/libvulkan_lvp.so\n", "libvulkan.so.1"));
    }
}
