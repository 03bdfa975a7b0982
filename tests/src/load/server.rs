//! `tinker serve` in a separate process, with its memory use.

use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Bytes of a page, on every system whose `/proc` is read here.
const PAGE: u64 = 4096;

/// A server in a separate process, killed on drop.
#[derive(Debug)]
pub struct Server {
    /// Base URL.
    pub url: String,
    child: Child,
}

impl Server {
    /// Starts the program at `tinker` on a free port: one that takes the arguments of `tinker serve`.
    ///
    /// # Errors
    /// If the program cannot be started, or prints no address.
    pub fn start(tinker: &Path, data: &Path) -> io::Result<Self> {
        let mut child = Command::new(tinker)
            .args(["serve", "--port", "0", "--data-dir"])
            .arg(data)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut line)?;
        }
        let url = line
            .trim()
            .rsplit(' ')
            .next()
            .unwrap_or_default()
            .to_owned();
        if !url.starts_with("http") {
            let _gone = child.kill();
            return Err(io::Error::other(format!(
                "{} said {line:?}",
                tinker.display()
            )));
        }
        Ok(Self { url, child })
    }

    /// Starts to sample the memory of the process every second.
    pub fn watch(&self) -> Memory {
        let statm = format!("/proc/{}/statm", self.child.id());
        let stop = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&stop);
        let look = move || {
            let mut seen = Vec::new();
            while !ends.load(Ordering::Relaxed) {
                let text = std::fs::read_to_string(&statm).unwrap_or_default();
                let pages = text.split(' ').nth(1).and_then(|n| n.parse::<u64>().ok());
                seen.extend(pages.map(|pages| pages * PAGE));
                std::thread::sleep(Duration::from_secs(1));
            }
            seen
        };
        Memory {
            stop,
            thread: std::thread::spawn(look),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// Memory samples of a process, one a second.
#[derive(Debug)]
pub struct Memory {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<u64>>,
}

impl Memory {
    /// Resident bytes, one number a second.
    pub fn stop(self) -> Vec<u64> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }
}
