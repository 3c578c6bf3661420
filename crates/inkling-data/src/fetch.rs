//! Fetching the official archives: resumable, checked, and never half there. Bytes go to a
//! `.part` file beside the target; only a whole file with the right checksum takes its name.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::http::{Response, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

mod catalogue;
mod checksum;

pub use catalogue::{DOWNLOADS, Download, RemoteFile};
pub use checksum::Checksum;

/// No file of the catalogue comes near this; an endless answer ends here.
const MAX_FILE_BYTES: u64 = 16 << 30;
const BUFFER_BYTES: usize = 64 << 10;

/// Why a file could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// A name that the catalogue does not have.
    #[error("there is nothing to fetch called {name:?}; known are {known}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// The server refused.
    #[error("{url} answered with HTTP status {status}; check the address or give a mirror")]
    Status {
        /// The address.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The server could not be reached or the transfer kept breaking off.
    #[error("cannot fetch {url}: {reason} ({kept_bytes} bytes are kept; run the command again to resume)")]
    Network {
        /// The address.
        url: String,
        /// What went wrong last.
        reason: String,
        /// The bytes of the partial file.
        kept_bytes: u64,
    },
    /// The bytes that arrived are not the file's.
    #[error(
        "{url} has the {kind} {actual}, not {expected}: the transfer was damaged or the file has changed; it was deleted, fetch it again"
    )]
    Mismatch {
        /// The address.
        url: String,
        /// The kind of checksum.
        kind: &'static str,
        /// The catalogue's checksum.
        expected: String,
        /// The checksum of what arrived.
        actual: String,
    },
    /// A file of the target's name is already there, with other contents.
    #[error("{path} exists, but its {kind} is {actual}, not {expected}; move or delete it first")]
    Occupied {
        /// The file.
        path: String,
        /// The kind of checksum.
        kind: &'static str,
        /// The catalogue's checksum.
        expected: String,
        /// The file's checksum.
        actual: String,
    },
    /// The answer has no end in sight.
    #[error("{url} sends more than {limit_bytes} bytes; give the address of the file itself")]
    TooLarge {
        /// The address.
        url: String,
        /// The limit.
        limit_bytes: u64,
    },
    /// The file system refused (a full disk, for instance).
    #[error("cannot write {path}: {source}; what has arrived is kept, run the command again to resume")]
    Io {
        /// The file.
        path: String,
        /// The system's own words.
        source: std::io::Error,
    },
    /// The progress callback asked to stop.
    #[error("stopped; {kept_bytes} bytes are kept, run the command again to resume")]
    Stopped {
        /// The bytes of the partial file.
        kept_bytes: u64,
    },
}

/// How far a file has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The file's name.
    pub file: &'a str,
    /// Bytes on disk, those of earlier runs included.
    pub received_bytes: u64,
    /// The size of the file, where the server says it.
    pub total_bytes: Option<u64>,
}

/// How files are fetched.
#[derive(Clone, Debug)]
pub struct FetchOptions {
    /// The address of a folder that holds the same file names: a mirror.
    pub base: Option<String>,
    /// How often in a row a transfer may break off without a single new byte.
    pub retries: u32,
    /// The pause before the first retry; it doubles with each.
    pub retry_pause: Duration,
    /// How long to wait for a connection, an answer, or further bytes.
    pub timeout: Duration,
}

impl Default for FetchOptions {
    fn default() -> Self {
        FetchOptions { base: None, retries: 4, retry_pause: Duration::from_secs(1), timeout: Duration::from_secs(30) }
    }
}

/// Fetches every file of a catalogue entry into `folder`, which is created; returns their paths.
///
/// A file that is already there with the right checksum is not fetched again; a transfer that was
/// cut is resumed where it stopped. `progress` is called as bytes arrive and may break off.
///
/// # Errors
/// See [`FetchError`]; files that were completed before stay.
pub fn fetch(
    name: &str,
    folder: &Path,
    options: &FetchOptions,
    progress: &mut dyn FnMut(Progress<'_>) -> ControlFlow<()>,
) -> Result<Vec<PathBuf>, FetchError> {
    let download = DOWNLOADS.iter().find(|one| one.name == name).ok_or_else(|| {
        let known = DOWNLOADS.iter().map(|one| one.name).collect::<Vec<_>>().join(", ");
        FetchError::Unknown { name: name.to_owned(), known }
    })?;
    download.files.iter().map(|file| fetch_file(file, folder, options, progress)).collect()
}

/// Fetches one file into `folder`; see [`fetch`].
///
/// # Errors
/// See [`FetchError`].
pub fn fetch_file(
    file: &RemoteFile,
    folder: &Path,
    options: &FetchOptions,
    progress: &mut dyn FnMut(Progress<'_>) -> ControlFlow<()>,
) -> Result<PathBuf, FetchError> {
    std::fs::create_dir_all(folder).map_err(|source| io_error(folder, source))?;
    let target = folder.join(file.name());
    if target.exists() {
        return check_present(file, target);
    }
    let mut transfer = Transfer {
        url: options
            .base
            .as_ref()
            .map_or_else(|| file.url.to_owned(), |base| format!("{}/{}", base.trim_end_matches('/'), file.name())),
        name: file.name(),
        part: folder.join(format!("{}.part", file.name())),
        agent: agent(options.timeout),
        progress,
    };
    transfer.complete(options)?;
    let actual = file.checksum.of(&transfer.part).map_err(|source| io_error(&target, source))?;
    if actual != file.checksum.expected() {
        // Nothing of a damaged file can be trusted for resuming.
        std::fs::remove_file(&transfer.part).map_err(|source| io_error(&transfer.part, source))?;
        return Err(FetchError::Mismatch {
            url: transfer.url,
            kind: file.checksum.kind(),
            expected: file.checksum.expected().to_owned(),
            actual,
        });
    }
    std::fs::rename(&transfer.part, &target).map_err(|source| io_error(&target, source))?;
    Ok(target)
}

fn check_present(file: &RemoteFile, target: PathBuf) -> Result<PathBuf, FetchError> {
    let actual = file.checksum.of(&target).map_err(|source| io_error(&target, source))?;
    if actual == file.checksum.expected() {
        return Ok(target);
    }
    Err(FetchError::Occupied {
        path: target.display().to_string(),
        kind: file.checksum.kind(),
        expected: file.checksum.expected().to_owned(),
        actual,
    })
}

fn agent(timeout: Duration) -> Agent {
    // As the system trusts: networks that look into their traffic have a certificate of their own.
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .timeout_connect(Some(timeout))
        .timeout_recv_response(Some(timeout))
        .timeout_per_read(Some(timeout))
        .user_agent(concat!("inkling/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}

/// One file on its way.
struct Transfer<'a> {
    url: String,
    name: &'a str,
    part: PathBuf,
    agent: Agent,
    progress: &'a mut dyn FnMut(Progress<'_>) -> ControlFlow<()>,
}

/// How an attempt ended short of the whole file.
enum Interrupted {
    /// Worth another try.
    Transient(String),
    Final(FetchError),
}

impl Transfer<'_> {
    /// Requests until the partial file is whole.
    fn complete(&mut self, options: &FetchOptions) -> Result<(), FetchError> {
        let mut idle_attempts = 0;
        loop {
            let before = self.kept_bytes();
            let reason = match self.attempt(before) {
                Ok(()) => return Ok(()),
                Err(Interrupted::Final(error)) => return Err(error),
                Err(Interrupted::Transient(reason)) => reason,
            };
            idle_attempts = if self.kept_bytes() > before { 0 } else { idle_attempts + 1 };
            if idle_attempts > options.retries {
                let kept_bytes = self.kept_bytes();
                return Err(FetchError::Network { url: self.url.clone(), reason, kept_bytes });
            }
            std::thread::sleep(options.retry_pause * (1 << idle_attempts.min(6)) / 2);
        }
    }

    fn kept_bytes(&self) -> u64 {
        std::fs::metadata(&self.part).map_or(0, |metadata| metadata.len())
    }

    /// One request for whatever is missing.
    fn attempt(&mut self, kept: u64) -> Result<(), Interrupted> {
        let mut request = self.agent.get(&self.url);
        if kept > 0 {
            request = request.header(header::RANGE, format!("bytes={kept}-"));
        }
        let response = request.call().map_err(|error| Interrupted::Transient(error.to_string()))?;
        match response.status().as_u16() {
            200 => self.receive(response, 0),
            206 if range_start(&response) == Some(kept) => self.receive(response, kept),
            // The partial file is already whole, or it is longer than the file: of no use.
            416 if range_total(&response) == Some(kept) => Ok(()),
            206 | 416 => {
                std::fs::remove_file(&self.part).map_err(|source| self.disk(source))?;
                Err(Interrupted::Transient("the server cannot resume".to_owned()))
            }
            status @ (408 | 429 | 500..=599) => Err(Interrupted::Transient(format!("HTTP status {status}"))),
            status => Err(Interrupted::Final(FetchError::Status { url: self.url.clone(), status })),
        }
    }

    /// Appends the body to the partial file, or replaces it when the body begins at zero.
    fn receive(&mut self, response: Response<Body>, begin: u64) -> Result<(), Interrupted> {
        let remaining = header_number(&response, header::CONTENT_LENGTH);
        let total_bytes = remaining.map(|remaining| begin.saturating_add(remaining));
        if total_bytes.is_some_and(|total| total > MAX_FILE_BYTES) {
            return Err(self.too_large());
        }
        let mut file = OpenOptions::new()
            .create(true)
            .write(true)
            .append(begin > 0)
            .truncate(begin == 0)
            .open(&self.part)
            .map_err(|source| self.disk(source))?;
        let mut body = response.into_body().into_reader();
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut received_bytes = begin;
        loop {
            self.report(received_bytes, total_bytes)?;
            let count = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Interrupted::Transient(error.to_string())),
            };
            file.write_all(&buffer[..count]).map_err(|source| self.disk(source))?;
            received_bytes += count as u64;
            if received_bytes > MAX_FILE_BYTES {
                return Err(self.too_large());
            }
        }
        // The rename that follows must not reach the disk before the bytes do.
        File::sync_all(&file).map_err(|source| self.disk(source))?;
        match total_bytes {
            Some(total) if received_bytes < total => {
                Err(Interrupted::Transient(format!("the connection closed after {received_bytes} of {total} bytes")))
            }
            _ => Ok(()),
        }
    }

    fn report(&mut self, received: u64, total_bytes: Option<u64>) -> Result<(), Interrupted> {
        let progress = Progress { file: self.name, received_bytes: received, total_bytes };
        match (self.progress)(progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Interrupted::Final(FetchError::Stopped { kept_bytes: received })),
        }
    }

    fn disk(&self, source: std::io::Error) -> Interrupted {
        Interrupted::Final(io_error(&self.part, source))
    }

    fn too_large(&self) -> Interrupted {
        let url = self.url.clone();
        Interrupted::Final(FetchError::TooLarge { url, limit_bytes: MAX_FILE_BYTES })
    }
}

fn io_error(path: &Path, source: std::io::Error) -> FetchError {
    FetchError::Io { path: path.display().to_string(), source }
}

fn header_text(response: &Response<Body>, name: header::HeaderName) -> Option<&str> {
    response.headers().get(name)?.to_str().ok()
}

fn header_number(response: &Response<Body>, name: header::HeaderName) -> Option<u64> {
    header_text(response, name)?.trim().parse().ok()
}

/// `N` of `Content-Range: bytes N-M/TOTAL`.
fn range_start(response: &Response<Body>) -> Option<u64> {
    let range = header_text(response, header::CONTENT_RANGE)?.trim().strip_prefix("bytes ")?;
    range.split_once('-')?.0.trim().parse().ok()
}

/// `TOTAL` of `Content-Range: bytes */TOTAL`.
fn range_total(response: &Response<Body>) -> Option<u64> {
    header_text(response, header::CONTENT_RANGE)?.rsplit_once('/')?.1.trim().parse().ok()
}
