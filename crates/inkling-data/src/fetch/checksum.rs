//! Checksums of files on disk.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

/// The checksum by which a file is recognised, in lower-case hexadecimal.
///
/// MD5 is what the official pages publish; it guards against damage, not against forgery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// 32 digits.
    Md5(&'static str),
    /// 64 digits.
    Sha256(&'static str),
}

impl Checksum {
    /// The digits that are expected.
    pub fn expected(&self) -> &'static str {
        match self {
            Checksum::Md5(digits) | Checksum::Sha256(digits) => digits,
        }
    }

    pub(super) fn kind(&self) -> &'static str {
        match self {
            Checksum::Md5(_) => "MD5",
            Checksum::Sha256(_) => "SHA-256",
        }
    }

    /// The checksum of this kind of a file.
    pub(super) fn of(&self, path: &Path) -> io::Result<String> {
        let file = File::open(path)?;
        match self {
            Checksum::Md5(_) => digest::<md5::Md5>(file),
            Checksum::Sha256(_) => digest::<Sha256>(file),
        }
    }
}

fn digest<D: Digest>(mut file: File) -> io::Result<String> {
    let mut hasher = D::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        hasher.update(&buffer[..count]);
    }
    let mut digits = String::new();
    for byte in hasher.finalize().iter() {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    Ok(digits)
}
