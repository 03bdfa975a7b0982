//! A server that behaves like the Hub, with large files on another address.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use sha1::Sha1;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A file with its content, and whether it is a large one.
type File = (&'static str, Vec<u8>, bool);

/// How the server differs from a usual Hub.
#[derive(Default)]
pub(crate) struct Behavior {
    /// The connection ends after this many bytes of a body.
    pub(crate) most_bytes: Option<usize>,
    /// Each request is refused with this status and code.
    pub(crate) refusal: Option<(u16, &'static str)>,
    /// The content of this file is not the announced one.
    pub(crate) corrupts: Option<&'static str>,
    /// A further file in the description.
    pub(crate) listed: Option<&'static str>,
    /// The tag of every file.
    pub(crate) etag: Option<&'static str>,
    /// The commit.
    pub(crate) commit: Option<&'static str>,
}

/// A running server; it ends with the runtime of the test.
#[derive(Clone)]
pub(crate) struct HubServer(Arc<Shared>);

struct Shared {
    files: Vec<File>,
    behavior: Behavior,
    /// The Hub and the server of large files.
    addresses: [String; 2],
    requests: [Mutex<Vec<String>>; 2],
}

impl HubServer {
    pub(crate) async fn start(files: Vec<File>, behavior: Behavior) -> Self {
        let listeners = [
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
        ];
        let addresses = [0, 1].map(|i| format!("http://{}", listeners[i].local_addr().unwrap()));
        let requests = [Mutex::default(), Mutex::default()];
        let server = Self(Arc::new(Shared {
            files,
            behavior,
            addresses,
            requests,
        }));
        for (index, listener) in listeners.into_iter().enumerate() {
            let server = server.clone();
            tokio::spawn(async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    tokio::spawn(server.clone().serve(index, stream));
                }
            });
        }
        server
    }

    pub(crate) fn url(&self) -> &str {
        &self.0.addresses[0]
    }

    /// Heads of the requests to the Hub.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.0.requests[0].lock().unwrap().clone()
    }

    /// Heads of the requests to the server of large files.
    pub(crate) fn requests_elsewhere(&self) -> Vec<String> {
        self.0.requests[1].lock().unwrap().clone()
    }

    /// Number of requests that begin like this.
    pub(crate) fn count(&self, start: &str) -> usize {
        self.requests()
            .iter()
            .filter(|head| head.starts_with(start))
            .count()
    }

    async fn serve(self, index: usize, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        loop {
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                if stream.read_line(&mut head).await.unwrap_or(0) == 0 {
                    return;
                }
            }
            self.0.requests[index].lock().unwrap().push(head.clone());
            let (answer, is_cut) = if index == 0 {
                self.hub(&head)
            } else {
                self.content(&head)
            };
            if stream.write_all(&answer).await.is_err() || is_cut {
                return;
            }
        }
    }

    /// The answer of the Hub to a request, and whether the connection ends with it.
    fn hub(&self, head: &str) -> (Vec<u8>, bool) {
        let behavior = &self.0.behavior;
        if let Some((status, code)) = behavior.refusal {
            let code = if code.is_empty() {
                String::new()
            } else {
                format!("X-Error-Code: {code}\r\n")
            };
            return (answer(status, &code, b""), false);
        }
        let commit = behavior.commit.unwrap_or(COMMIT);
        let path = head.split(' ').nth(1).unwrap();
        if path == "/api/models/org/name/revision/main" {
            let names = self
                .0
                .files
                .iter()
                .map(|(name, ..)| *name)
                .chain(behavior.listed);
            let siblings: Vec<String> = names
                .map(|name| format!("{{\"rfilename\": \"{name}\"}}"))
                .collect();
            let body = format!(
                "{{\"sha\": \"{commit}\", \"siblings\": [{}]}}",
                siblings.join(", ")
            );
            return (answer(200, "", body.as_bytes()), false);
        }
        // Small files are behind a redirect within the Hub.
        let (prefix, is_cached) = match path.strip_prefix("/api/resolve-cache") {
            Some(rest) => (rest, true),
            None => (path, false),
        };
        let name = prefix.strip_prefix(&format!("/org/name/resolve/{commit}/"));
        let Some((name, content, is_large)) = name.and_then(|name| self.file(name)) else {
            return (answer(404, "X-Error-Code: EntryNotFound\r\n", b""), false);
        };
        let hash = if *is_large {
            sha256(content)
        } else {
            git_hash(content)
        };
        let etag = behavior.etag.unwrap_or(&hash);
        let mut headers = format!("X-Repo-Commit: {commit}\r\n");
        if *is_large {
            let (size, address) = (content.len(), &self.0.addresses[1]);
            write!(
                headers,
                "X-Linked-Etag: \"{etag}\"\r\nX-Linked-Size: {size}\r\nETag: \"other\"\r\n"
            )
            .unwrap();
            write!(headers, "Location: {address}/{name}?signature=1\r\n").unwrap();
            return (answer(302, &headers, b"Found. Redirecting"), false);
        }
        if !is_cached {
            write!(headers, "Location: /api/resolve-cache{path}\r\n").unwrap();
            return (answer(307, &headers, b"Temporary Redirect"), false);
        }
        write!(headers, "ETag: \"{etag}\"\r\n").unwrap();
        let mut content = content.clone();
        if behavior.corrupts == Some(name) {
            content[0] ^= 1;
        }
        let mut answer = answer(200, &headers, &content);
        if head.starts_with("HEAD") {
            answer.truncate(answer.len() - content.len());
        }
        (answer, false)
    }

    /// The answer of the server of large files.
    fn content(&self, head: &str) -> (Vec<u8>, bool) {
        let path = head.split(' ').nth(1).unwrap();
        let name = path.trim_start_matches('/').split('?').next().unwrap();
        let Some((name, content, _)) = self.file(name) else {
            return (answer(404, "", b""), false);
        };
        let mut content = content.clone();
        if self.0.behavior.corrupts == Some(name) {
            content[0] ^= 1;
        }
        let total = content.len();
        let from = head
            .split_once("range: bytes=")
            .map(|(_, rest)| rest.split('-').next().unwrap());
        let from: usize = from.map_or(0, |from| from.parse().unwrap());
        let (status, headers) = match from {
            0 => (200, String::new()),
            _ if from >= total => {
                return (
                    answer(416, &format!("Content-Range: bytes */{total}\r\n"), b""),
                    false,
                );
            }
            _ => (
                206,
                format!("Content-Range: bytes {from}-{}/{total}\r\n", total - 1),
            ),
        };
        let mut whole = answer(status, &headers, &content[from..]);
        let body = total - from;
        match self.0.behavior.most_bytes {
            Some(most) if most < body => {
                whole.truncate(whole.len() - body + most);
                (whole, true)
            }
            _ => (whole, false),
        }
    }

    fn file(&self, name: &str) -> Option<&File> {
        self.0.files.iter().find(|(known, ..)| *known == name)
    }
}

fn answer(status: u16, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let mut bytes =
        format!("HTTP/1.1 {status} Status\r\ncontent-length: {length}\r\n{headers}\r\n")
            .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

pub(crate) fn sha256(content: &[u8]) -> String {
    hex(&Sha256::digest(content))
}

/// The hash that git gives a file.
pub(crate) fn git_hash(content: &[u8]) -> String {
    let mut hasher = Sha1::new_with_prefix(format!("blob {}\0", content.len()));
    hasher.update(content);
    hex(&hasher.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
