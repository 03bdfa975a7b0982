//! A server process with its children.

use std::fs::File;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// Time in which a server ends after SIGTERM, before it is killed.
const GRACE: Duration = Duration::from_secs(15);

/// A server that runs. It is stopped with its children when this is dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    keep: bool,
}

impl Process {
    /// Starts a command at a low priority as a process group, with its output in a file.
    pub(super) fn start(command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        Ok(Self { child, keep: false })
    }

    /// Fails if the process has ended.
    pub(super) fn check(&mut self, log: &Path) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!(
                "the server ended ({status}); its output is in {}",
                log.display()
            ),
        }
    }

    /// Leaves the process running, and returns its id.
    pub(super) fn keep(mut self) -> u32 {
        self.keep = true;
        self.child.id()
    }

    fn signal(&self, signal: &str) {
        // The group: the server's children are stopped, too.
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill")
            .args([signal, "--", &group])
            .stderr(Stdio::null())
            .status();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        self.signal("-TERM");
        let end = Instant::now() + GRACE;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(100));
        }
        self.signal("-KILL");
        let _ = self.child.wait();
    }
}

/// A port that was free a moment ago.
pub(super) fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
