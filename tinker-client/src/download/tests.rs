use std::collections::HashMap;
use std::fs;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Response};
use serde_json::json;
use sha2::{Digest, Sha256};
use tinker_transport::{Body, TransportError};

use super::*;
use crate::{Config, ServiceClient};

mod archive;

/// A server that keeps files elsewhere, with faults to order.
#[derive(Clone, Default)]
struct Server(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    files: HashMap<String, Vec<u8>>,
    etag: &'static str,
    /// The transfers that come break off after so many bytes.
    breaks: Vec<usize>,
    /// Checksums are of something else.
    lies: bool,
    /// Links made before this round are over.
    round: u32,
    valid_from: u32,
    /// `Range` of each request for a file.
    ranges: Vec<Option<String>>,
}

impl Server {
    fn with(files: &[(&str, Vec<u8>)]) -> Self {
        let server = Self::default();
        let files = files.iter().cloned();
        server.state(|state| {
            state.files = files
                .map(|(name, bytes)| (name.to_owned(), bytes))
                .collect();
            state.etag = "\"one\"";
        });
        server
    }

    fn state<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().unwrap())
    }

    fn checkpoints(&self) -> CheckpointClient {
        let server = self.clone();
        let leaf = tower::service_fn(move |request: Request<Body>| {
            let answer = server.answer(&request);
            async move { Ok::<_, TransportError>(answer) }
        });
        let config = Config::new("http://api.test").with_api_key("hunter2");
        let builder = ServiceClient::builder().config(config).leaf(leaf);
        builder.build().unwrap().checkpoints()
    }

    fn answer(&self, request: &Request<Body>) -> Response<Body> {
        let whole = |json: serde_json::Value| Response::new(Body::from(json.to_string()));
        match (request.uri().host(), request.uri().path()) {
            (Some("files.test"), path) => {
                assert!(!request.headers().contains_key("x-api-key"));
                self.file(request, path)
            }
            (_, path) if path.ends_with("/external_weights_urls") => self.state(|state| {
                state.round += 1;
                let link = |name: &String| {
                    let url = format!("http://files.test/{}/{name}", state.round);
                    (name.clone(), json!(url))
                };
                let urls: serde_json::Map<_, _> = state.files.keys().map(link).collect();
                whole(json!({"urls": urls, "expires": "2030-01-01T00:00:00Z"}))
            }),
            (_, path) if path.ends_with("/archive") => self.state(|state| {
                state.round += 1;
                let location = format!("http://files.test/{}/a.tar", state.round);
                let response = Response::builder().status(302).header("location", location);
                response.body(Body::empty()).unwrap()
            }),
            _ => whole(json!({})),
        }
    }

    fn file(&self, request: &Request<Body>, path: &str) -> Response<Body> {
        self.state(|state| {
            let (round, name) = path[1..].split_once('/').unwrap();
            let text = |name: &str| Some(request.headers().get(name)?.to_str().unwrap().to_owned());
            let range = text("range");
            state.ranges.push(range.clone());
            let mut response = Response::builder();
            if round.parse::<u32>().unwrap() < state.valid_from {
                return response.status(403).body(Body::empty()).unwrap();
            }
            let bytes = &state.files[name];
            let is_same = text("if-range").is_none_or(|tag| tag == state.etag);
            let start = range.filter(|_| is_same).map_or(0, |range| {
                let start = range.strip_prefix("bytes=").unwrap();
                start.strip_suffix('-').unwrap().parse().unwrap()
            });
            let digest = if state.lies {
                Sha256::digest(b"something else")
            } else {
                Sha256::digest(bytes)
            };
            response = response
                .header("etag", state.etag)
                .header(
                    "repr-digest",
                    format!("sha-256=:{}:", STANDARD.encode(digest)),
                )
                .header("content-length", bytes.len() - start);
            if start > 0 {
                let range = format!("bytes {start}-{}/{}", bytes.len() - 1, bytes.len());
                response = response.status(206).header("content-range", range);
            }
            let mut rest = bytes[start..].to_vec();
            let body = if state.breaks.is_empty() {
                Body::from(rest)
            } else {
                rest.truncate(state.breaks.remove(0));
                let pieces = [
                    Ok(Bytes::from(rest)),
                    Err(std::io::Error::other("broke off")),
                ];
                let frames = pieces.map(|piece| piece.map(http_body::Frame::data));
                Body::new(http_body_util::StreamBody::new(stream::iter(frames)))
            };
            response.body(body).unwrap()
        })
    }
}

fn path() -> CheckpointPath {
    "tinker://s:train:0/external_weights/e".parse().unwrap()
}

async fn fetch(checkpoints: &CheckpointClient, target: &Path) -> Result<Downloaded, Error> {
    let options = DownloadOptions::default();
    checkpoints.download(&path(), target, options).await
}

fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|n| (n % 251) as u8).collect()
}

#[tokio::test(start_paused = true)]
async fn a_transfer_that_breaks_off_goes_on_where_it_was() {
    let server = Server::with(&[("a.bin", bytes(1000))]);
    server.state(|state| state.breaks = vec![300, 0, 500]);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("weights");
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&told);
    let options = DownloadOptions::default().with_progress(move |progress| {
        heard
            .lock()
            .unwrap()
            .push((progress.received, progress.total, progress.all_received));
    });
    let downloaded = server
        .checkpoints()
        .download(&path(), &target, options)
        .await
        .unwrap();
    assert_eq!((downloaded.bytes, downloaded.files.len()), (1000, 1));
    assert_eq!(fs::read(target.join("a.bin")).unwrap(), bytes(1000));
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "unexpected files: {names:?}");
    assert_eq!(fs::read_dir(&target).unwrap().count(), 1);
    let ranges = server.state(|state| state.ranges.clone());
    let ranges: Vec<_> = ranges.iter().map(Option::as_deref).collect();
    assert_eq!(
        ranges,
        [
            None,
            Some("bytes=300-"),
            Some("bytes=300-"),
            Some("bytes=800-")
        ]
    );
    assert_eq!(told.lock().unwrap().last(), Some(&(1000, Some(1000), 1000)));
}

#[tokio::test(start_paused = true)]
async fn progress_counts_all_files_and_names_them_as_they_will_be() {
    let server = Server::with(&[("a/x.bin", bytes(100)), ("b.bin", bytes(1000))]);
    let folder = tempfile::tempdir().unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&told);
    let options = DownloadOptions::default()
        .with_parallel(1)
        .with_progress(move |progress| {
            let all = (progress.all_received, progress.all_total);
            let files = (progress.files_sized, progress.files);
            let mut heard = heard.lock().unwrap();
            heard.push((progress.file.to_owned(), all, files));
        });
    let target = folder.path().join("weights");
    let checkpoints = server.checkpoints();
    checkpoints
        .download(&path(), &target, options)
        .await
        .unwrap();
    let told = told.lock().unwrap();
    let first = told.iter().rfind(|(name, ..)| name == "a/x.bin").unwrap();
    assert_eq!((first.1, first.2), ((100, 100), (1, 2)));
    let last = ("b.bin".to_owned(), (1100, 1100), (2, 2));
    assert_eq!(told.last(), Some(&last));
}

#[tokio::test(start_paused = true)]
async fn a_later_call_goes_on_and_asks_only_for_what_is_missing() {
    let files = [("a/x.bin", bytes(100)), ("b.bin", bytes(1000))];
    let server = Server::with(&files);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("weights");
    let options = || DownloadOptions::default().with_parallel(1);
    // The first file arrives, the second one is interrupted until the attempts are used up.
    server.state(|state| {
        state.breaks = vec![100, 400];
        state.breaks.extend([0; 10]);
    });
    let error = server
        .checkpoints()
        .download(&path(), &target, options())
        .await
        .unwrap_err();
    assert!(error.is_retryable() && !target.exists(), "{error}");

    server.state(|state| {
        state.breaks.clear();
        state.ranges.clear();
    });
    let checkpoints = server.checkpoints();
    let done = checkpoints.download(&path(), &target, options()).await;
    assert_eq!(done.unwrap().bytes, 1100);
    for (name, bytes) in files {
        assert_eq!(fs::read(target.join(name)).unwrap(), bytes);
    }
    let last = server.state(|state| state.ranges.pop().unwrap());
    assert_eq!(last.as_deref(), Some("bytes=400-"));
    // An existing folder is not overwritten.
    let again = checkpoints.download(&path(), &target, options()).await;
    assert!(again.unwrap_err().to_string().contains("exists already"));
}

#[tokio::test(start_paused = true)]
async fn contents_that_changed_are_fetched_anew() {
    let server = Server::with(&[("a.bin", bytes(1000))]);
    server.state(|state| state.breaks = [&[300][..], &[0; 10]].concat());
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("weights");
    let checkpoints = server.checkpoints();
    assert!(fetch(&checkpoints, &target).await.is_err());
    server.state(|state| {
        state.breaks.clear();
        state.etag = "\"two\"";
        state.files.insert("a.bin".to_owned(), vec![7; 900]);
    });
    assert_eq!(fetch(&checkpoints, &target).await.unwrap().bytes, 900);
    assert_eq!(fs::read(target.join("a.bin")).unwrap(), [7; 900]);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_checksum_is_an_error_and_a_link_that_is_over_is_replaced() {
    let server = Server::with(&[("a.bin", bytes(10))]);
    server.state(|state| state.valid_from = 2);
    let folder = tempfile::tempdir().unwrap();
    let (good, bad) = (folder.path().join("good"), folder.path().join("bad"));
    let checkpoints = server.checkpoints();
    assert_eq!(fetch(&checkpoints, &good).await.unwrap().bytes, 10);

    server.state(|state| state.lies = true);
    let error = fetch(&checkpoints, &bad).await.unwrap_err();
    assert!(error.to_string().contains("SHA-256"), "{error}");
    assert!(!bad.exists());
}

#[tokio::test]
async fn no_name_leads_out_of_the_folder() {
    for name in [
        "../x",
        "/etc/x",
        "a/../../x",
        "a//x",
        "./x",
        "",
        "..",
        "c:\\x",
        "a\\..\\x",
        "x\0y",
    ] {
        assert!(name::check_name(name).is_err(), "{name:?}");
    }
    for name in ["x", "a/x.bin", "..x", "adapter_model.safetensors"] {
        assert!(name::check_name(name).is_ok(), "{name:?}");
    }
    let server = Server::with(&[("../escaped", bytes(10))]);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("weights");
    let error = fetch(&server.checkpoints(), &target).await.unwrap_err();
    assert!(
        error.to_string().contains("would leave the folder"),
        "{error}"
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn links_among_the_parts_are_not_followed() {
    let server = Server::with(&[("a.bin", bytes(10))]);
    let folder = tempfile::tempdir().unwrap();
    let outside = folder.path().join("outside");
    fs::write(&outside, "precious").unwrap();
    fs::create_dir(folder.path().join("weights.part")).unwrap();
    let planted = folder.path().join("weights.part/a.bin");
    std::os::unix::fs::symlink(&outside, planted).unwrap();
    let target = folder.path().join("weights");
    assert!(fetch(&server.checkpoints(), &target).await.is_err());
    assert_eq!(fs::read_to_string(&outside).unwrap(), "precious");
}
