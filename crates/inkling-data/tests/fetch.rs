//! Fetching, against a small HTTP server on this machine that can misbehave on purpose.
#![cfg(not(target_arch = "wasm32"))]
// Clippy takes helpers outside a test function for shipped code.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use inkling_data::fetch::{Checksum, FetchError, FetchOptions, Progress, RemoteFile, fetch, fetch_file};

/// The file is 200,000 bytes of a fixed pattern.
const FILE: RemoteFile =
    RemoteFile { url: "https://example.invalid/folder/data.bin", checksum: Checksum::Sha256(SHA256) };
const SHA256: &str = "b979e17a4e147685e5c2df66ad2d316b7665ddb2896ff60fcab25cea0675b048";

fn content() -> Vec<u8> {
    (0..200_000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// What the server does with one request.
#[derive(Clone, Copy, Debug)]
enum Answer {
    /// As asked, ranges included.
    Whole,
    /// As asked, but the connection closes after this many bytes of the body.
    CutAfter(usize),
    /// Everything from the start, whatever was asked for.
    IgnoresRange,
    /// Bytes that are not the file's.
    Wrong,
    /// This status and no body.
    Status(u16),
    /// To another address of this server.
    Redirect,
}

struct Server {
    address: String,
    /// The `Range` header of every request.
    ranges: Arc<Mutex<Vec<Option<String>>>>,
}

impl Server {
    /// Serves one connection per answer; the last answer repeats.
    fn new(answers: &[Answer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let ranges = Arc::new(Mutex::new(Vec::new()));
        let (answers, seen) = (answers.to_vec(), ranges.clone());
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let answer = *answers.get(number).or(answers.last()).unwrap();
                // The client may hang up early; that is its right.
                let _ = serve(stream.unwrap(), answer, &seen);
            }
        });
        Server { address, ranges }
    }

    fn ranges(&self) -> Vec<Option<String>> {
        self.ranges.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, answer: Answer, seen: &Mutex<Vec<Option<String>>>) -> std::io::Result<()> {
    let mut range = None;
    for line in BufReader::new(stream.try_clone()?).lines() {
        let line = line?.to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        range = line.strip_prefix("range: ").map(str::to_owned).or(range);
    }
    seen.lock().unwrap().push(range.clone());
    let content = content();
    let total = content.len();
    let start = range
        .filter(|_| !matches!(answer, Answer::IgnoresRange | Answer::Wrong))
        .map(|range| range["bytes=".len()..range.len() - 1].parse::<usize>().unwrap());
    let head = match (answer, start) {
        (Answer::Status(status), _) => format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\n"),
        (Answer::Redirect, _) => {
            "HTTP/1.1 302 Found\r\nLocation: /elsewhere/data.bin\r\nContent-Length: 0\r\n".to_owned()
        }
        (_, Some(start)) if start >= total => {
            format!("HTTP/1.1 416 No\r\nContent-Range: bytes */{total}\r\nContent-Length: 0\r\n")
        }
        (_, Some(start)) => format!(
            "HTTP/1.1 206 Partial\r\nContent-Range: bytes {start}-{}/{total}\r\nContent-Length: {}\r\n",
            total - 1,
            total - start
        ),
        (_, None) => format!("HTTP/1.1 200 OK\r\nContent-Length: {total}\r\n"),
    };
    stream.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes())?;
    let body = &content[start.unwrap_or(0).min(total)..];
    match answer {
        Answer::Status(_) | Answer::Redirect => Ok(()),
        Answer::CutAfter(bytes) => stream.write_all(&body[..bytes.min(body.len())]),
        Answer::Wrong => stream.write_all(&vec![7; total]),
        Answer::Whole | Answer::IgnoresRange => stream.write_all(body),
    }
}

fn options(server: &Server) -> FetchOptions {
    FetchOptions {
        base: Some(format!("{}/folder", server.address)),
        retries: 2,
        retry_pause: Duration::from_millis(1),
        timeout: Duration::from_secs(5),
    }
}

fn on(_: Progress<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[test]
fn a_whole_file_is_fetched_once() {
    let (server, folder) = (Server::new(&[Answer::Redirect, Answer::Whole]), tempfile::tempdir().unwrap());
    let mut last = None;
    let target = fetch_file(&FILE, &folder.path().join("new"), &options(&server), &mut |progress| {
        last = Some((progress.received_bytes, progress.total_bytes));
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(std::fs::read(&target).unwrap(), content());
    assert_eq!(target.file_name().unwrap(), "data.bin");
    assert_eq!(last, Some((200_000, Some(200_000))));
    assert_eq!(server.ranges().len(), 2);
    fetch_file(&FILE, &folder.path().join("new"), &options(&server), &mut on).unwrap();
    assert_eq!(server.ranges().len(), 2, "the file was already there");
}

#[test]
fn a_cut_connection_is_resumed() {
    let cut = Answer::CutAfter(70_000);
    let (server, folder) = (Server::new(&[cut, cut, Answer::Whole]), tempfile::tempdir().unwrap());
    let target = fetch_file(&FILE, folder.path(), &options(&server), &mut on).unwrap();
    assert_eq!(std::fs::read(target).unwrap(), content());
    let ranges = server.ranges();
    assert_eq!(ranges.len(), 3);
    assert_eq!(ranges[0], None);
    assert!(ranges[1].as_deref() > Some("bytes=1"), "{ranges:?}");
    assert!(!folder.path().join("data.bin.part").exists());
}

#[test]
fn a_later_run_resumes_an_earlier_one() {
    let server = Server::new(&[Answer::CutAfter(50_000), Answer::CutAfter(0)]);
    let folder = tempfile::tempdir().unwrap();
    let error = fetch_file(&FILE, folder.path(), &options(&server), &mut on).unwrap_err();
    let FetchError::Network { kept_bytes, .. } = error else { panic!("{error}") };
    assert!(kept_bytes > 0, "{error}");
    assert!(!folder.path().join("data.bin").exists());
    let server = Server::new(&[Answer::Whole]);
    fetch_file(&FILE, folder.path(), &options(&server), &mut on).unwrap();
    assert_eq!(server.ranges(), [Some(format!("bytes={kept_bytes}-"))]);
}

#[test]
fn a_stop_keeps_what_arrived() {
    let (server, folder) = (Server::new(&[Answer::Whole]), tempfile::tempdir().unwrap());
    let error = fetch_file(&FILE, folder.path(), &options(&server), &mut |progress| {
        if progress.received_bytes > 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(matches!(error, Err(FetchError::Stopped { kept_bytes: 1.. })), "{error:?}");
    let target = fetch_file(&FILE, folder.path(), &options(&server), &mut on).unwrap();
    assert_eq!(std::fs::read(target).unwrap(), content());
}

#[test]
fn servers_that_cannot_resume_and_odd_partial_files_are_dealt_with() {
    for (kept, answer) in [
        (content()[..1000].to_vec(), Answer::IgnoresRange),
        (content(), Answer::Whole),        // 416: it was already whole
        (vec![0; 300_000], Answer::Whole), // 416: it is longer than the file
    ] {
        let (server, folder) = (Server::new(&[answer]), tempfile::tempdir().unwrap());
        std::fs::write(folder.path().join("data.bin.part"), &kept).unwrap();
        let target = fetch_file(&FILE, folder.path(), &options(&server), &mut on).unwrap();
        assert_eq!(std::fs::read(target).unwrap(), content(), "{} bytes, {answer:?}", kept.len());
    }
}

#[test]
fn a_wrong_checksum_leaves_nothing_behind() {
    let (server, folder) = (Server::new(&[Answer::Wrong]), tempfile::tempdir().unwrap());
    let error = fetch_file(&FILE, folder.path(), &options(&server), &mut on).unwrap_err();
    assert!(matches!(error, FetchError::Mismatch { .. }), "{error}");
    assert!(error.to_string().contains(SHA256));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_file_in_the_way_is_left_alone() {
    let (server, folder) = (Server::new(&[Answer::Whole]), tempfile::tempdir().unwrap());
    std::fs::write(folder.path().join("data.bin"), b"mine").unwrap();
    let error = fetch_file(&FILE, folder.path(), &options(&server), &mut on).unwrap_err();
    assert!(matches!(error, FetchError::Occupied { .. }), "{error}");
    assert_eq!(std::fs::read(folder.path().join("data.bin")).unwrap(), b"mine");
    assert!(server.ranges().is_empty());
}

#[test]
fn refusals_are_final_and_overload_is_retried() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(&[Answer::Status(404)]);
    let error = fetch_file(&FILE, folder.path(), &options(&server), &mut on).unwrap_err();
    assert!(matches!(error, FetchError::Status { status: 404, .. }), "{error}");
    assert!(error.to_string().contains("/folder/data.bin"), "{error}");
    assert_eq!(server.ranges().len(), 1);
    let server = Server::new(&[Answer::Status(503), Answer::Status(429), Answer::Whole]);
    fetch_file(&FILE, folder.path(), &options(&server), &mut on).unwrap();
    assert_eq!(server.ranges().len(), 3);
}

#[test]
fn no_network_and_no_such_name_say_so() {
    let folder = tempfile::tempdir().unwrap();
    // A port that was just free: nobody listens there.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let options = FetchOptions {
        base: Some(format!("http://{address}")),
        retries: 1,
        retry_pause: Duration::from_millis(1),
        ..FetchOptions::default()
    };
    let error = fetch("omniglot", folder.path(), &options, &mut on).unwrap_err();
    assert!(matches!(error, FetchError::Network { kept_bytes: 0, .. }), "{error}");
    assert!(error.to_string().contains("images_background.zip"), "{error}");
    let error = fetch("omniglut", folder.path(), &options, &mut on).unwrap_err().to_string();
    assert!(error.contains("omniglot, cifar-100"), "{error}");
}
