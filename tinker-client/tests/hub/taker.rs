//! A server that takes commits as the Hub does, with the storage of large files on another address.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub(crate) const TOKEN: &str = "hf_secret";
pub(crate) const COMMIT: &str = "89abcdef0123456789abcdef0123456789abcdef";
/// The account of the token.
pub(crate) const ACCOUNT: &str = "me";

/// How the server differs from a usual Hub.
#[derive(Clone, Default)]
pub(crate) struct Habits {
    /// Large files are sent in parts of this size.
    pub(crate) part: Option<usize>,
    /// This many transfers to the storage end before the answer, with nothing stored.
    pub(crate) cut: usize,
    /// This many transfers to the storage are stored, and their answer is lost.
    pub(crate) lost: usize,
    /// Nothing may be written.
    pub(crate) is_read_only: bool,
    /// The content under a path, by its hash.
    pub(crate) has: Option<(&'static str, String)>,
}

/// A running server. It ends with the process.
#[derive(Clone)]
pub(crate) struct Taker(Arc<Shared>);

struct Shared {
    addresses: [String; 2],
    state: Mutex<State>,
}

#[derive(Default)]
pub(crate) struct State {
    habits: Habits,
    /// Whether each is private.
    pub(crate) repositories: BTreeMap<String, bool>,
    pub(crate) branches: Vec<String>,
    /// Contents by hash.
    pub(crate) stored: BTreeMap<String, Vec<u8>>,
    parts: BTreeMap<usize, Vec<u8>>,
    pub(crate) verified: Vec<String>,
    /// Bodies of commits.
    pub(crate) commits: Vec<String>,
    /// Heads of the requests to the Hub and to the storage.
    pub(crate) heads: [Vec<String>; 2],
}

impl Taker {
    pub(crate) fn start(habits: Habits) -> Self {
        let listeners = [0, 1].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
        let addresses = [0, 1].map(|i| format!("http://{}", listeners[i].local_addr().unwrap()));
        let state = Mutex::new(State {
            habits,
            ..State::default()
        });
        let taker = Self(Arc::new(Shared { addresses, state }));
        for (index, listener) in listeners.into_iter().enumerate() {
            let taker = taker.clone();
            std::thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let taker = taker.clone();
                    std::thread::spawn(move || taker.serve(index, &stream));
                }
            });
        }
        taker
    }

    pub(crate) fn url(&self) -> &str {
        &self.0.addresses[0]
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    /// Entries of the last commit, by path, without its header.
    pub(crate) fn committed(&self) -> BTreeMap<String, Value> {
        let state = self.state();
        let lines = state.commits.last().unwrap().lines().skip(1);
        let values = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
        let path = |entry: &Value| entry["value"]["path"].as_str().unwrap().to_owned();
        values.map(|entry| (path(&entry), entry)).collect()
    }

    fn serve(&self, index: usize, mut stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        loop {
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                if reader.read_line(&mut head).unwrap_or(0) == 0 {
                    return;
                }
            }
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("content-length").then_some(value)
            });
            let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
            if reader.read_exact(&mut body).is_err() {
                return;
            }
            let mut state = self.state();
            state.heads[index].push(head.clone());
            let mut words = head.split(' ').skip(1);
            let path = words.next().unwrap().to_owned();
            let answer = if index == 0 {
                Some(self.hub(&mut state, &head, &path, &body))
            } else {
                store(&mut state, &path, body)
            };
            drop(state);
            let Some((status, headers, body)) = answer else {
                return;
            };
            let length = body.len();
            let text = format!(
                "HTTP/1.1 {status} Status\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
            );
            if stream.write_all(text.as_bytes()).is_err() {
                return;
            }
        }
    }

    fn hub(&self, state: &mut State, head: &str, path: &str, body: &[u8]) -> (u16, String, String) {
        let plain = |status, body: Value| (status, String::new(), body.to_string());
        if !head.contains(&format!("Bearer {TOKEN}\r\n")) {
            return plain(401, json!({"error": "Invalid username or password."}));
        }
        if state.habits.is_read_only && !head.starts_with("GET") {
            return plain(403, json!({"error": "you have read access only"}));
        }
        let text = std::str::from_utf8(body).unwrap();
        let message = serde_json::from_str::<Value>(text).unwrap_or_default();
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match parts[..] {
            ["api", "repos", "create"] => {
                let owner = message["organization"].as_str().unwrap_or(ACCOUNT);
                let name = format!("{owner}/{}", message["name"].as_str().unwrap());
                let url = json!({"url": format!("{}/{name}", self.url())});
                if state.repositories.contains_key(&name) {
                    return plain(409, url);
                }
                let private = message["private"].as_bool().unwrap_or(false);
                state.repositories.insert(name, private);
                plain(200, url)
            }
            ["api", "models", owner, name, ..]
                if !state.repositories.contains_key(&format!("{owner}/{name}")) =>
            {
                plain(404, json!({"error": "Repository not found"}))
            }
            ["api", "models", _, _, "revision", branch] => {
                if branch == "main" || state.branches.iter().any(|known| known == branch) {
                    return plain(200, json!({"sha": COMMIT, "siblings": []}));
                }
                let code = "X-Error-Code: RevisionNotFound\r\n".to_owned();
                (404, code, "{}".to_owned())
            }
            ["api", "models", _, _, "branch", branch] => {
                state.branches.push(branch.to_owned());
                plain(200, json!({}))
            }
            ["api", "models", _, _, "preupload", _] => {
                let files = message["files"].as_array().unwrap().iter().map(|file| {
                    let path = file["path"].as_str().unwrap();
                    let is_large = path.ends_with(".safetensors");
                    let mode = if is_large { "lfs" } else { "regular" };
                    let known = state.habits.has.as_ref().filter(|(known, _)| *known == path);
                    json!({"path": path, "uploadMode": mode, "shouldIgnore": false, "oid": known.map(|(_, oid)| oid)})
                });
                plain(200, json!({"files": files.collect::<Vec<_>>()}))
            }
            ["api", "models", _, _, "commit", _] => {
                state.commits.push(text.to_owned());
                plain(
                    200,
                    json!({"success": true, "commitOid": COMMIT, "commitUrl": "x"}),
                )
            }
            [_, name, "info", "lfs", "objects", "batch"] if name.strip_suffix(".git").is_some() => {
                plain(200, self.batch(state, &message["objects"][0]))
            }
            ["verify"] => {
                let oid = message["oid"].as_str().unwrap();
                assert!(state.stored.contains_key(oid));
                state.verified.push(oid.to_owned());
                plain(200, json!({}))
            }
            ["complete"] => {
                let parts = message["parts"].as_array().unwrap().iter().enumerate();
                let mut whole = Vec::new();
                for (index, part) in parts {
                    assert_eq!(part["etag"], format!("\"part-{index}\""));
                    assert_eq!(part["partNumber"], index + 1);
                    whole.extend(&state.parts[&index]);
                }
                assert_eq!(message["oid"], sha256(&whole));
                state.stored.insert(sha256(&whole), whole);
                plain(200, json!({}))
            }
            _ => plain(404, json!({"error": path})),
        }
    }

    fn batch(&self, state: &State, object: &Value) -> Value {
        let oid = object["oid"].as_str().unwrap();
        if state.stored.contains_key(oid) {
            return json!({"transfer": "basic", "objects": [object]});
        }
        let [hub, storage] = &self.0.addresses;
        let size = object["size"].as_u64().unwrap() as usize;
        let (href, header) = match state.habits.part {
            None => (
                format!("{storage}/{oid}?signature=1"),
                json!({"x-kind": "basic"}),
            ),
            Some(part) => {
                let mut header = json!({"chunk_size": part.to_string()});
                for index in 0..size.div_ceil(part) {
                    let url = format!("{storage}/part/{index}?signature=1");
                    header[format!("{:05}", index + 1)] = url.into();
                }
                (format!("{hub}/complete"), header)
            }
        };
        let verify = json!({"href": format!("{hub}/verify")});
        let upload = json!({"href": href, "header": header});
        let actions = json!({"upload": upload, "verify": verify});
        json!({"objects": [{"oid": oid, "size": size, "actions": actions}]})
    }
}

/// The answer of the storage; nothing if the connection ends.
fn store(state: &mut State, path: &str, body: Vec<u8>) -> Option<(u16, String, String)> {
    if state.habits.cut > 0 {
        state.habits.cut -= 1;
        return None;
    }
    let name = path.trim_start_matches('/').split('?').next().unwrap();
    let tag = if let Some(part) = name.strip_prefix("part/") {
        state.parts.insert(part.parse().unwrap(), body);
        format!("part-{part}")
    } else {
        assert_eq!(sha256(&body), name, "the content of {name}");
        state.stored.insert(name.to_owned(), body);
        name.to_owned()
    };
    if state.habits.lost > 0 {
        state.habits.lost -= 1;
        return None;
    }
    Some((200, format!("ETag: \"{tag}\"\r\n"), String::new()))
}

pub(crate) fn sha256(content: &[u8]) -> String {
    Sha256::digest(content)
        .iter()
        .fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        })
}
