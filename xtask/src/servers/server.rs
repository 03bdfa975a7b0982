//! The servers: how each is started.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::bail;
use xshell::Shell;

use super::environment::{Environment, scripts};
use super::process::{Process, free_port};

/// Name of the model on each server: the built-in one of the engine, so that its tokenizer is known.
pub(super) const MODEL: &str = "tinker-local/tiny";

/// Adapters that a server holds at a time.
const ADAPTERS: usize = 8;

/// A server of another project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    SkyRl,
    Tuft,
}

impl Kind {
    pub(super) const ALL: [Self; 2] = [Self::SkyRl, Self::Tuft];

    /// The name on the command line, of the lock and of the folder.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::SkyRl => "skyrl",
            Self::Tuft => "tuft",
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::SkyRl => "SkyRL 0.3.0",
            Self::Tuft => "TuFT 0.2.2",
        }
    }

    /// The built-in profile of the server.
    pub(super) fn profile(self) -> &'static str {
        match self {
            Self::SkyRl => "skyrl-0.3",
            Self::Tuft => "tuft",
        }
    }

    /// The key that the server accepts.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::SkyRl => "tml-unused",
            Self::Tuft => "tml-local",
        }
    }

    pub(super) fn named(name: Option<&str>) -> anyhow::Result<Vec<Self>> {
        let Some(name) = name else {
            return Ok(Self::ALL.to_vec());
        };
        match Self::ALL.into_iter().find(|kind| kind.name() == name) {
            Some(kind) => Ok(vec![kind]),
            None => bail!("there is no server {name:?}; skyrl and tuft are"),
        }
    }
}

/// An installed server with a data folder and a port, which stay the same over restarts.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) kind: Kind,
    environment: Environment,
    model: PathBuf,
    data: PathBuf,
    port: u16,
    process: Option<Process>,
}

impl Server {
    /// Prepares an empty data folder. `model` is the folder of the base model.
    pub(super) fn new(
        kind: Kind,
        environment: Environment,
        model: &Path,
        data: &Path,
    ) -> anyhow::Result<Self> {
        Shell::new()?.remove_path(data)?;
        std::fs::create_dir_all(data)?;
        Ok(Self {
            kind,
            environment,
            model: model.to_owned(),
            data: data.to_owned(),
            port: free_port()?,
            process: None,
        })
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(super) fn log(&self) -> PathBuf {
        self.data.join("server.log")
    }

    /// Starts the server with the data of earlier starts. It is not ready yet.
    pub(super) fn start(&mut self) -> anyhow::Result<()> {
        self.stop();
        let mut command = match self.kind {
            Kind::SkyRl => self.skyrl()?,
            Kind::Tuft => self.tuft(),
        };
        command
            .current_dir(&self.data)
            .env("HOME", &self.data)
            .env("HF_HUB_OFFLINE", "1")
            .env("TRANSFORMERS_OFFLINE", "1")
            .env("DO_NOT_TRACK", "1")
            .env("PYTHONUNBUFFERED", "1");
        self.process = Some(Process::start(&mut command, &self.log())?);
        Ok(())
    }

    /// Stops the server and keeps its data.
    pub(super) fn stop(&mut self) {
        self.process = None;
    }

    /// Fails if the server has ended.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        let log = self.log();
        match &mut self.process {
            Some(process) => process.check(&log),
            None => bail!("the server was not started"),
        }
    }

    /// Leaves the server running, and returns its process id.
    pub(super) fn keep(&mut self) -> Option<u32> {
        self.process.take().map(Process::keep)
    }

    /// Its API accepts only `uv run` as its parent, and starts the engine as another child of `uv run`. The environment is
    /// a finished one, so uv installs nothing.
    fn skyrl(&self) -> anyhow::Result<Command> {
        // The server takes the name of the model for a path.
        let link = self.data.join(MODEL);
        if let Some(folder) = link.parent() {
            std::fs::create_dir_all(folder)?;
        }
        if !link.exists() {
            std::os::unix::fs::symlink(&self.model, &link)?;
        }
        let backend = serde_json::json!({
            "max_lora_adapters": ADAPTERS,
            "max_lora_rank": 32,
            // Batches of one size are compiled once.
            "sample_max_num_sequences": 16,
        });
        let folder = |name: &str| self.data.join(name);
        let cache = self.environment.folder.join("compiled");
        let bin = self.environment.folder.join("bin");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let paths = std::iter::once(bin).chain(std::env::split_paths(&path));
        let mut command = Command::new("nice");
        command
            .arg(self.environment.program("uv"))
            .args(["run", "--no-project", "--active", "-m", "skyrl.tinker.api"])
            .args([
                "--base-model",
                MODEL,
                "--backend",
                "jax",
                "--host",
                "127.0.0.1",
            ])
            .args(["--port", &self.port.to_string()])
            .args(["--backend-config", &backend.to_string()])
            .arg("--database-url")
            .arg(format!("sqlite:///{}", folder("tinker.db").display()))
            .arg("--checkpoints-base")
            .arg(folder("checkpoints"))
            .arg("--external-inference-lora-base")
            .arg(folder("lora"))
            .env("VIRTUAL_ENV", &self.environment.folder)
            .env("PATH", std::env::join_paths(paths)?)
            .env("UV_CACHE_DIR", self.environment.folder.join("uv-cache"))
            .env("UV_OFFLINE", "1")
            .env("UV_NO_CONFIG", "1")
            .env("UV_PYTHON_DOWNLOADS", "never")
            .env("JAX_PLATFORMS", "cpu")
            .env("JAX_COMPILATION_CACHE_DIR", cache)
            .env("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
            .env("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "0");
        Ok(command)
    }

    fn tuft(&self) -> Command {
        let mut command = Command::new("nice");
        command
            .arg(self.environment.python())
            .arg(scripts().join("tuft_cpu.py"))
            .args([&self.port.to_string(), MODEL])
            .arg(&self.model)
            .arg(self.data.join("data"));
        command
    }
}
