//! Time and memory of the HTTP layers of a server.
//!
//! ```text
//! in_flight SAMPLES ROUNDS [SERVER]
//! ```
//!
//! Each round draws SAMPLES samples of one token at once, each on a connection of its own. Then 64 connections request
//! the archive of a checkpoint and read nothing of it. SERVER is the program whose `serve` command is measured, for
//! example `tinker`; by default this one.

#![expect(clippy::print_stdout, reason = "a table for people")]

use std::error::Error;
use std::io::{BufRead as _, BufReader, Error as IoError};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures_util::future::try_join_all;
use serde_json::{Value, json};
use tinker_local::LocalEngine;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

type Outcome<T> = Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let mut args = std::env::args().skip(1);
    let mut next = || args.next().ok_or("in_flight SAMPLES ROUNDS [SERVER]");
    let samples = next()?;
    if samples == "serve" {
        return serve().await;
    }
    let (samples, rounds): (usize, usize) = (samples.parse()?, next()?.parse()?);
    let program = next().or_else(|_| std::env::current_exe().map(|p| p.display().to_string()))?;
    let server = Server::start(&program)?;
    let mut first = Client::connect(&server.address).await?;
    let session =
        json!({"tags": [], "user_metadata": {}, "sdk_version": "1", "type": "create_session"});
    let session = first.post("create_session", &session).await?["session_id"].clone();
    let sampler = json!({
        "session_id": session, "sampling_session_seq_id": 0, "base_model": "tinker-local/tiny",
        "type": "create_sampling_session",
    });
    let sampler =
        first.post("create_sampling_session", &sampler).await?["sampling_session_id"].clone();
    let mut clients = Vec::new();
    for _ in 0..samples {
        clients.push(Client::connect(&server.address).await?);
    }
    for round in 0..rounds {
        let (start, before) = (Instant::now(), server.processor_time()?);
        let draws = clients.iter_mut().enumerate().map(|(at, client)| {
            let number = round * samples + at;
            let sample = json!({
                "sampling_session_id": sampler, "seq_id": number, "num_samples": 1, "type": "sample",
                "prompt": {"chunks": [{"type": "encoded_text", "tokens": [97, 98, 99, 100]}]},
                "sampling_params": {"max_tokens": 1, "seed": number},
            });
            client.draw(sample)
        });
        try_join_all(draws).await?;
        let (time, processor) = (
            start.elapsed(),
            server.processor_time()?.saturating_sub(before),
        );
        println!(
            "{:.0} samples a second, {:.0} us of processor time each",
            samples as f64 / time.as_secs_f64(),
            processor.as_micros() as f64 / samples as f64
        );
    }
    let model = json!({
        "session_id": session, "model_seq_id": 0, "base_model": "tinker-local/tiny",
        "lora_config": {"rank": 32}, "type": "create_model",
    });
    let model = first.promised("create_model", &model).await?["model_id"].clone();
    let save = json!({"model_id": model, "path": "large", "seq_id": 1, "type": "save_weights"});
    first.promised("save_weights", &save).await?;
    let path = format!(
        "/api/v1/training_runs/{}/checkpoints/weights/large/archive",
        model.as_str().unwrap_or_default()
    );
    let (before, mut readers) = (server.memory()?, Vec::new());
    for _ in 0..64 {
        let link = first.send("GET", &path, "").await?;
        let link = link["url"]
            .as_str()
            .and_then(|url| url.split_once(&server.address))
            .ok_or("no link")?;
        let mut reader = Client::connect(&server.address).await?;
        reader.write("GET", link.1, "").await?;
        readers.push(reader);
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let more = server.memory()?.saturating_sub(before) >> 10;
    println!("64 slow readers: {more} KiB");
    Ok(())
}

struct Client {
    stream: TcpStream,
    host: String,
}

impl Client {
    async fn connect(address: &str) -> Outcome<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let host = address.to_owned();
        Ok(Self { stream, host })
    }

    async fn write(&mut self, method: &str, path: &str, body: &str) -> Outcome<()> {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.host,
            body.len()
        );
        Ok(self.stream.write_all(head.as_bytes()).await?)
    }

    async fn send(&mut self, method: &str, path: &str, body: &str) -> Outcome<Value> {
        self.write(method, path, body).await?;
        let (mut text, mut buffer) = (Vec::new(), vec![0; 4096]);
        loop {
            let count = self.stream.read(&mut buffer).await?;
            if count == 0 {
                return Err("the connection was closed".into());
            }
            text.extend_from_slice(&buffer[..count]);
            let Some(end) = text.windows(4).position(|four| four == b"\r\n\r\n") else {
                continue;
            };
            let head = std::str::from_utf8(&text[..end])?.to_ascii_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.ok_or("no content-length")?.parse()?;
            if text.len() - end - 4 >= length {
                let value = serde_json::from_slice(&text[end + 4..])?;
                if !head.starts_with("http/1.1 200") && !head.starts_with("http/1.1 302") {
                    return Err(format!("{path}: {head}\n{value}").into());
                }
                return Ok(value);
            }
        }
    }

    async fn post(&mut self, endpoint: &str, body: &Value) -> Outcome<Value> {
        self.send("POST", &format!("/api/v1/{endpoint}"), &body.to_string())
            .await
    }

    /// Submits an operation and polls its result.
    async fn promised(&mut self, endpoint: &str, body: &Value) -> Outcome<Value> {
        let submitted = self.post(endpoint, body).await?;
        let poll = json!({"request_id": submitted["request_id"], "allow_metadata_only": false});
        loop {
            let result = self.post("retrieve_future", &poll).await?;
            if result["type"] != "try_again" {
                return Ok(result);
            }
        }
    }

    async fn draw(&mut self, sample: Value) -> Outcome<()> {
        let result = self.promised("asample", &sample).await?;
        let tokens = result["sequences"][0]["tokens"].as_array();
        tokens.map(|_| ()).ok_or_else(|| result.to_string().into())
    }
}

/// A server in another process, killed on drop.
struct Server {
    address: String,
    child: Child,
    _data: tempfile::TempDir,
}

impl Server {
    fn start(program: &str) -> Outcome<Self> {
        let data = tempfile::tempdir()?;
        let mut child = Command::new(program)
            .args(["serve", "--port", "0", "--data-dir"])
            .arg(data.path())
            .stdout(Stdio::piped())
            .spawn()?;
        let out = child
            .stdout
            .take()
            .ok_or_else(|| IoError::other("no output"))?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        let address = line
            .trim()
            .rsplit("//")
            .next()
            .unwrap_or_default()
            .to_owned();
        Ok(Self {
            address,
            child,
            _data: data,
        })
    }

    /// Processor time of all threads. A tick is 10 ms.
    fn processor_time(&self) -> Outcome<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields = stat.rsplit_once(") ").ok_or("no name")?.1;
        // User and system time are fields 14 and 15; field 3 is the first after the name.
        let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<u64>);
        let ticks: u64 = ticks.sum::<Result<_, _>>()?;
        Ok(Duration::from_millis(10 * ticks))
    }

    /// Resident bytes.
    fn memory(&self) -> Outcome<u64> {
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", self.child.id()))?;
        let pages: u64 = statm.split(' ').nth(1).ok_or("no size")?.parse()?;
        Ok(pages * 4096)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// The same as `tinker serve --port 0 --data-dir FOLDER`.
async fn serve() -> Outcome<()> {
    let folder = std::env::args().next_back().unwrap_or_default();
    let engine = LocalEngine::builder().data_dir(folder).build()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    tinker_local::serve(listener, engine, std::future::pending()).await?;
    Ok(())
}
