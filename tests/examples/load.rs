//! Concurrent clients of `tinker serve`: `load TINKER CLIENTS TRAINERS SECONDS`, where TINKER is the path of the program.
//!
//! `self` as TINKER serves the engine from a second process of this program, so the command need not be built.

#![expect(clippy::print_stdout, reason = "a table for people")]

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use tinker_local::LocalEngine;
use tinker_tests::load::{Plan, Server, repeat, run, table};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let mut next = || args.next().ok_or("load TINKER CLIENTS TRAINERS SECONDS");
    let tinker = match next()?.as_str() {
        "serve" => return serve().await,
        "self" => std::env::current_exe()?,
        tinker => PathBuf::from(tinker),
    };
    let (clients, trainers) = (next()?.parse()?, next()?.parse()?);
    let plan = Plan {
        clients,
        trainers,
        time: Duration::from_secs(next()?.parse()?),
    };
    let (first, second) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let server = Server::start(&tinker, first.path())?;
    let memory = server.watch();
    let together = run(&server.url, first.path(), plan).await?;
    let memory = memory.stop();
    drop(server);
    println!("| | |\n|---|---|\n{}", table(plan, &together, &memory));

    let server = Server::start(&tinker, second.path())?;
    let start = tokio::time::Instant::now();
    let differences = repeat(&server.url, second.path(), &together).await?;
    println!(
        "the same work one after another took {:.1} s; {} of {} results differ",
        start.elapsed().as_secs_f64(),
        differences.len(),
        together.samples() + 2 * together.trained.len()
    );
    if !differences.is_empty() || together.fairness() < 0.5 {
        return Err(format!(
            "not as it should be; the first that differ: {:?}",
            differences.iter().take(5)
        )
        .into());
    }
    Ok(())
}

/// Serves as `tinker serve --port 0 --data-dir FOLDER` does, until the process is killed.
async fn serve() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().next_back().unwrap_or_default();
    let engine = LocalEngine::builder().data_dir(folder).build()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    tinker_local::serve(listener, engine, std::future::pending()).await?;
    Ok(())
}
