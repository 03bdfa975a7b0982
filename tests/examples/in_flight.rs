//! Cost of the HTTP layers of `tinker serve`: `in_flight SAMPLES ROUNDS [SERVER]`.
//!
//! Each round draws SAMPLES small samples at once over a socket. Then 64 connections request the archive of a checkpoint
//! and read nothing. SERVER is a build of this program whose server is measured, by default this one.

#![expect(clippy::print_stdout, reason = "a table for people")]

use std::error::Error;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::try_join_all;
use tinker_client::{Config, LoraConfig, ModelInput, SamplingParams, ServiceClient};
use tinker_local::LocalEngine;
use tinker_tests::load::Server;
use tokio::net::TcpListener;
use tokio::time::Instant;

const MODEL: &str = "tinker-local/tiny";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let mut next = || args.next().ok_or("in_flight SAMPLES ROUNDS [SERVER]");
    let samples = next()?;
    if samples == "serve" {
        return serve().await;
    }
    let (samples, rounds): (u64, u64) = (samples.parse()?, next()?.parse()?);
    let program =
        next().map_or_else(|_| std::env::current_exe(), |path| Ok(PathBuf::from(path)))?;
    let data = tempfile::tempdir()?;
    let server = Server::start(&program, data.path())?;
    let service = ServiceClient::new(Config::new(&server.url).with_api_key("any"))?;
    let sampler = service.create_sampling_client(MODEL).await?;
    let draw = |number: u64| {
        let prompt = ModelInput::from_tokens([97, 98, 99, 100]);
        let params = SamplingParams::default()
            .with_max_tokens(1)
            .with_seed(number);
        sampler.sample(prompt, params)
    };
    for round in 0..=rounds {
        let (start, before) = (Instant::now(), server.processor_time()?);
        try_join_all((0..samples).map(draw)).await?;
        let (time, processor) = (start.elapsed(), server.processor_time()? - before);
        // The first round opens the connections.
        if round > 0 {
            println!(
                "{samples} samples in {time:.2?}, {:.0} a second, {:.0} us of processor time each",
                samples as f64 / time.as_secs_f64(),
                processor.as_micros() as f64 / samples as f64
            );
        }
    }
    let training = service
        .create_lora_training_client(MODEL, LoraConfig::new(32))
        .await?;
    let saved = training.save_state("large").await?;
    let path = saved.path.to_string();
    let path = path
        .trim_start_matches("tinker://")
        .replacen('/', "/checkpoints/", 1);
    let host = server.url.trim_start_matches("http://").to_owned();
    let url = format!("/api/v1/training_runs/{path}/archive");
    let before = server.memory()?;
    let mut readers = Vec::new();
    for _ in 0..64 {
        let mut redirect = String::new();
        request(&host, &url)?.read_to_string(&mut redirect)?;
        let link = redirect
            .lines()
            .find_map(|line| line.strip_prefix("location: "));
        let link = link
            .and_then(|link| link.split_once(&host))
            .ok_or("no link")?
            .1;
        readers.push(request(&host, link)?);
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    println!(
        "64 slow readers take {} KiB",
        server.memory()?.saturating_sub(before) >> 10
    );
    Ok(())
}

fn request(host: &str, path: &str) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(host)?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
    )?;
    Ok(stream)
}

/// What `tinker serve --port 0 --data-dir FOLDER` does, until it is killed.
async fn serve() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().next_back().unwrap_or_default();
    let engine = LocalEngine::builder().data_dir(folder).build()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    tinker_local::serve(listener, engine, std::future::pending()).await?;
    Ok(())
}
