//! A small HTTP server on the loopback interface: it hands out the files of a page and turns what
//! the page posts into events. One thread per connection; a page makes a few dozen.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use anyhow::{Context, Result};

const MAX_HEADER_BYTES: u64 = 64 * 1024;
const MAX_BODY_BYTES: u64 = 64 * 1024 * 1024;
/// Browsers open connections ahead of need; a silent one is given up after this time.
const SILENCE_LIMIT: Duration = Duration::from_secs(30);

/// What the page posted.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// `/progress`: a line for the reader.
    Progress(String),
    /// `/result`: the JSON of `run_all()`.
    Result(String),
    /// `/failure`: an error outside the tests, which ends the run.
    Failure(String),
}

/// What a server hands out, and how.
#[derive(Clone, Default)]
pub struct Options {
    /// The first folder that has a file wins.
    pub folders: Vec<PathBuf>,
    /// Sent with every file, besides its type and that it must not be kept.
    pub headers: Vec<(&'static str, String)>,
    /// The port to listen on; any free one when zero.
    pub port: u16,
}

/// The server; its threads live until the process ends.
pub struct Server {
    port: u16,
    events: Receiver<Event>,
}

impl Server {
    /// Listens and serves files.
    ///
    /// # Errors
    /// When the port cannot be had.
    pub fn start(options: Options) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).with_context(|| match options.port {
            0 => "cannot listen on 127.0.0.1 for the browser".to_owned(),
            port => format!("cannot listen on 127.0.0.1:{port}; choose another port with --port"),
        })?;
        let port = listener.local_addr()?.port();
        let (sender, events) = channel();
        let options = Arc::new(options);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (options, sender) = (Arc::clone(&options), sender.clone());
                // A connection that breaks is the browser's to repeat.
                std::thread::spawn(move || serve(&stream, &options, &sender).ok());
            }
        });
        Ok(Self { port, events })
    }

    /// The address of the page.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// What the page posts, in order.
    pub fn events(&self) -> &Receiver<Event> {
        &self.events
    }
}

/// Answers one request.
fn serve(stream: &TcpStream, options: &Options, events: &Sender<Event>) -> io::Result<()> {
    stream.set_read_timeout(Some(SILENCE_LIMIT))?;
    let response = match Request::read(&mut BufReader::new(stream))? {
        Some(request) => answer(&request, &options.folders, events),
        None => Response::text(400, "not understood"),
    };
    response.write(stream, &options.headers)
}

fn answer(request: &Request, folders: &[PathBuf], events: &Sender<Event>) -> Response {
    let path = request.target.split(['?', '#']).next().unwrap_or_default();
    if request.method == "GET" {
        return find(path, folders).unwrap_or_else(|| Response::text(404, "no such file"));
    }
    let body = request.body.clone();
    let event = match (request.method.as_str(), path) {
        ("POST", "/progress") => Event::Progress(body),
        ("POST", "/result") => Event::Result(body),
        ("POST", "/failure") => Event::Failure(body),
        _ => return Response::text(404, "no such address"),
    };
    // Nobody listens any more once the run has ended.
    let _ = events.send(event);
    Response::text(200, "")
}

fn find(path: &str, folders: &[PathBuf]) -> Option<Response> {
    let path = path.strip_prefix('/')?;
    let relative = match path.ends_with('/') || path.is_empty() {
        true => Path::new(path).join("index.html"),
        false => PathBuf::from(path),
    };
    let stays_inside = relative.components().all(|component| matches!(component, Component::Normal(_)));
    if !stays_inside {
        return None;
    }
    let body = folders.iter().find_map(|folder| std::fs::read(folder.join(&relative)).ok())?;
    Some(Response { status: 200, content_type: content_type(&relative), body })
}

fn content_type(file: &Path) -> &'static str {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("json") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        _ => "application/octet-stream",
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Request {
    method: String,
    target: String,
    body: String,
}

impl Request {
    /// Reads one request; `None` when it is not HTTP or larger than the limits.
    fn read(reader: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut head = reader.by_ref().take(MAX_HEADER_BYTES);
        let mut line = String::new();
        head.read_line(&mut line)?;
        let mut words = line.split_whitespace().map(str::to_owned);
        let (Some(method), Some(target)) = (words.next(), words.next()) else {
            return Ok(None);
        };
        let Some(length) = body_bytes(&mut head)? else {
            return Ok(None);
        };
        let mut body = Vec::new();
        reader.by_ref().take(length).read_to_end(&mut body)?;
        if body.len() as u64 != length {
            return Ok(None);
        }
        Ok(Some(Self { method, target, body: String::from_utf8_lossy(&body).into_owned() }))
    }
}

/// Reads the header up to its empty line and returns the length of the body that follows.
fn body_bytes(head: &mut impl BufRead) -> io::Result<Option<u64>> {
    let mut length = Some(0);
    loop {
        let mut line = String::new();
        head.read_line(&mut line)?;
        // Without its end, the header was cut short.
        let Some(field) = line.strip_suffix('\n') else {
            return Ok(None);
        };
        if field.trim().is_empty() {
            return Ok(length.filter(|bytes| *bytes <= MAX_BODY_BYTES));
        }
        if let Some((name, value)) = field.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok();
        }
    }
}

struct Response {
    status: u16,
    content_type: &'static str,
    body: Vec<u8>,
}

impl Response {
    fn text(status: u16, text: &str) -> Self {
        Self { status, content_type: "text/plain; charset=utf-8", body: text.as_bytes().to_vec() }
    }

    fn write(&self, mut stream: impl Write, headers: &[(&str, String)]) -> io::Result<()> {
        let reason = match self.status {
            200 => "OK",
            404 => "Not Found",
            _ => "Bad Request",
        };
        write!(
            stream,
            "HTTP/1.1 {} {reason}\r\nContent-Type: {}\r\nContent-Length: {}\r\n\
             Cache-Control: no-store\r\nConnection: close\r\n",
            self.status,
            self.content_type,
            self.body.len()
        )?;
        for (name, value) in headers {
            write!(stream, "{name}: {value}\r\n")?;
        }
        stream.write_all(b"\r\n")?;
        stream.write_all(&self.body)?;
        stream.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(folders: Vec<PathBuf>) -> Server {
        let headers = vec![("Referrer-Policy", "no-referrer".to_owned())];
        Server::start(Options { folders, headers, port: 0 }).unwrap()
    }

    fn request(server: &Server, text: &str) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port)).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn files_come_from_the_first_folder_that_has_them() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(first.path().join("a.js"), "first").unwrap();
        std::fs::write(second.path().join("a.js"), "second").unwrap();
        std::fs::write(second.path().join("index.html"), "page").unwrap();
        std::fs::create_dir(second.path().join("example")).unwrap();
        std::fs::write(second.path().join("example/index.html"), "example").unwrap();
        let folders = [first.path(), second.path()].map(Path::to_owned);
        let server = start(folders.to_vec());

        let script = request(&server, "GET /a.js?x HTTP/1.1\r\n\r\n");
        assert!(script.starts_with("HTTP/1.1 200 OK\r\n"), "{script}");
        assert!(script.contains("Content-Type: text/javascript"), "{script}");
        assert!(script.contains("\r\nReferrer-Policy: no-referrer\r\n"), "{script}");
        assert!(script.ends_with("\r\n\r\nfirst"), "{script}");
        assert!(request(&server, "GET / HTTP/1.1\r\n\r\n").ends_with("page"));
        assert!(request(&server, "GET /example/ HTTP/1.1\r\n\r\n").ends_with("example"));
        assert!(request(&server, "GET /b.js HTTP/1.1\r\n\r\n").contains(" 404 "));
    }

    #[test]
    fn nothing_outside_the_folders_is_served() {
        let outer = tempfile::tempdir().unwrap();
        std::fs::write(outer.path().join("secret"), "secret").unwrap();
        std::fs::create_dir(outer.path().join("site")).unwrap();
        let server = start(vec![outer.path().join("site")]);
        let absolute = outer.path().join("secret");
        for path in ["/../secret", "/./../secret", "//secret", &format!("/{}", absolute.display())] {
            let answer = request(&server, &format!("GET {path} HTTP/1.1\r\n\r\n"));
            assert!(answer.contains(" 404 "), "{path}: {answer}");
        }
    }

    #[test]
    fn posts_become_events_in_order() {
        let server = start(Vec::new());
        for (path, body) in [("progress", "half"), ("failure", "é"), ("result", "")] {
            let length = body.len();
            let text = format!("POST /{path} HTTP/1.1\r\ncontent-LENGTH: {length}\r\n\r\n{body}");
            assert!(request(&server, &text).contains(" 200 "));
        }
        let events: Vec<Event> = server.events().try_iter().collect();
        let expected = [Event::Progress("half".into()), Event::Failure("é".into()), Event::Result(String::new())];
        assert_eq!(events, expected);
    }

    #[test]
    fn broken_requests_are_refused() {
        for text in [
            "",
            "GET\r\n\r\n",
            "POST /result HTTP/1.1\r\nContent-Length: 5\r\n\r\nabc",
            "POST /result HTTP/1.1\r\nContent-Length: many\r\n\r\n",
            "POST /result HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x",
        ] {
            let read = Request::read(&mut text.as_bytes()).unwrap();
            assert_eq!(read, None, "{text:?}");
        }
        let endless = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(100_000));
        assert_eq!(Request::read(&mut endless.as_bytes()).unwrap(), None);
    }

    #[test]
    fn modules_have_the_type_that_browsers_insist_on() {
        assert_eq!(content_type(Path::new("a_bg.wasm")), "application/wasm");
        assert!(content_type(Path::new("a.js")).starts_with("text/javascript"));
        assert_eq!(content_type(Path::new("a")), "application/octet-stream");
    }
}
