//! What a visitor has to fetch, as it is and as hosts compress it.

use std::fmt;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use flate2::Compression;
use flate2::write::GzEncoder;

/// The most that WebAssembly and JavaScript together may take, compressed with brotli.
const CODE_LIMIT_BYTES: usize = 1_800_000;

/// Prints the size of every file of the page's code, of everything else that the page loads, and of
/// the JavaScript package.
///
/// # Errors
/// When a file cannot be read, or the page's code exceeds [`CODE_LIMIT_BYTES`].
pub fn report(dist: &Path) -> Result<()> {
    let measure = |file: String| Size::of(&dist.join(&file)).map(|size| (file, size));
    let sizes = files(dist)?.into_iter().map(measure).collect::<Result<Vec<_>>>()?;
    let (package, page): (Vec<_>, Vec<_>) = sizes.into_iter().partition(|(file, _)| file.starts_with("package/"));
    let (offered, page): (Vec<_>, Vec<_>) = page.into_iter().partition(|(file, _)| file.starts_with("learners/"));
    let (code, rest): (Vec<_>, Vec<_>) = page.into_iter().partition(|(file, _)| is_code(file));
    let sum = |sizes: &[(String, Size)]| sizes.iter().fold(Size::default(), |sum, (_, size)| sum.plus(size));

    println!("  {:<34}{:>10}{:>10}{:>10}", "", "raw", "gzip", "brotli");
    for (file, size) in code.iter().chain(package.iter().filter(|(file, _)| is_code(file))) {
        println!("  {file:<34}{size}");
    }
    let total = sum(&code);
    println!("  {:<34}{total}  (at most {})", "the page's code", megabytes(CODE_LIMIT_BYTES));
    println!("  {:<34}{}", "its learner, icons and the rest", sum(&rest));
    println!("  {:<34}{}", "learners, for those who ask", sum(&offered));
    println!("  {:<34}{}", "the JavaScript package", sum(&package));
    total.check()
}

/// The files below `dist`, relative to it, sorted, with `/`.
///
/// # Errors
/// When a folder cannot be read.
pub fn files(dist: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut folders = vec![dist.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(dist)?.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn is_code(file: &str) -> bool {
    [".wasm", ".js", ".mjs"].iter().any(|ending| file.ends_with(ending))
}

/// Bytes of a file in three forms.
#[derive(Debug, Default, PartialEq, Eq)]
struct Size {
    raw: usize,
    gzip: usize,
    brotli: usize,
}

impl Size {
    fn of(file: &Path) -> Result<Self> {
        let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(&bytes)?;
        let mut brotli = Vec::new();
        let parameters = brotli::enc::BrotliEncoderParams { quality: 11, lgwin: 24, ..Default::default() };
        brotli::BrotliCompress(&mut bytes.as_slice(), &mut brotli, &parameters)?;
        Ok(Self { raw: bytes.len(), gzip: gzip.finish()?.len(), brotli: brotli.len() })
    }

    fn plus(self, other: &Self) -> Self {
        Self { raw: self.raw + other.raw, gzip: self.gzip + other.gzip, brotli: self.brotli + other.brotli }
    }

    fn check(&self) -> Result<()> {
        if self.brotli > CODE_LIMIT_BYTES {
            bail!(
                "the code takes {} with brotli, more than {}; find what grew with `cargo tree -p inkling-web \
                 --target wasm32-unknown-unknown`",
                megabytes(self.brotli),
                megabytes(CODE_LIMIT_BYTES)
            );
        }
        Ok(())
    }
}

impl fmt::Display for Size {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [raw, gzip, brotli] = [self.raw, self.gzip, self.brotli].map(megabytes);
        write!(formatter, "{raw:>10}{gzip:>10}{brotli:>10}")
    }
}

/// Kilobytes below one megabyte.
fn megabytes(bytes: usize) -> String {
    match bytes {
        0..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.3} MB", bytes as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_add_up_and_are_limited() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.js");
        std::fs::write(&file, "abc".repeat(10_000)).unwrap();
        let size = Size::of(&file).unwrap();
        assert_eq!(size.raw, 30_000);
        assert!(size.brotli < size.gzip && size.gzip < 1_000, "{size:?}");
        assert_eq!(Size::default().plus(&size), size);

        let of = |brotli| Size { brotli, ..Size::default() };
        assert!(of(CODE_LIMIT_BYTES).check().is_ok());
        assert!(of(CODE_LIMIT_BYTES + 1).check().is_err());
        assert_eq!(megabytes(1_053_400), "1.053 MB");
        assert_eq!(megabytes(740), "0.7 kB");
    }

    #[test]
    fn files_are_found_below_folders() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("icons")).unwrap();
        for file in ["b.js", "icons/a.png"] {
            std::fs::write(folder.path().join(file), "").unwrap();
        }
        assert_eq!(files(folder.path()).unwrap(), ["b.js", "icons/a.png"]);
        assert!(is_code("a_bg.wasm") && is_code("a.js") && !is_code("a.json"));
    }
}
