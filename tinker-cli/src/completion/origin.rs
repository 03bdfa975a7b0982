//! The runs and checkpoints that a completed command could name.

use std::path::PathBuf;
use std::time::Duration;

use tinker_client::{ListOptions, ServiceClient};

use crate::connect::ServerArgs;

/// Time limit for the answers of a server: the user is typing.
const LIMIT: Duration = Duration::from_millis(800);
/// Number of runs and of checkpoints that a server is asked for.
const PAGE: u64 = 100;

/// Selection of the line: a server, or the built-in engine.
#[derive(Debug)]
pub(super) struct Origin {
    server: Option<ServerArgs>,
    data_dir: Option<PathBuf>,
}

/// Runs and checkpoints, each with its base model.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) runs: Vec<(String, String)>,
    pub(super) checkpoints: Vec<(String, String)>,
}

impl Origin {
    /// The selection of the line that is being completed.
    pub(super) fn of_line() -> Self {
        let words: Vec<String> = std::env::args_os()
            .map(|word| word.to_string_lossy().into_owned())
            .skip_while(|word| word != "--")
            .collect();
        let data_dir = value(&words, "--data-dir").map(PathBuf::from);
        let is_engine = data_dir.is_some() || words.iter().any(|word| word == "--local");
        let server = ServerArgs::new(value(&words, "--base-url"), value(&words, "--server"));
        Self {
            server: (!is_engine).then_some(server),
            data_dir,
        }
    }

    /// The built-in engine, with the data folder of the line.
    #[cfg(feature = "local")]
    pub(super) fn engine_of_line() -> Self {
        Self {
            server: None,
            ..Self::of_line()
        }
    }

    /// Reads the runs and checkpoints. None on failure.
    pub(super) fn read(&self) -> Known {
        let server = match &self.server {
            Some(args) => args.find(),
            None => Ok(None),
        };
        match server {
            Ok(Some(server)) => {
                // The command may ask the user for a password.
                let asks = server.config.credential_command.is_some();
                let client = (!asks).then(|| ServiceClient::new(server.config));
                client
                    .and_then(|client| of_server(&client.ok()?))
                    .unwrap_or_default()
            }
            Ok(None) => self.of_engine().unwrap_or_default(),
            Err(_) => Known::default(),
        }
    }

    #[cfg(feature = "local")]
    fn of_engine(&self) -> Option<Known> {
        let data_dir = crate::connect::engine::data_dir(self.data_dir.as_deref()).ok()?;
        let saved = tinker_local::SavedAdapter::list(data_dir).ok()?;
        let mut known = Known::default();
        for saved in &saved {
            let model = saved.base_model().to_owned();
            let run = (saved.path().run().to_string(), model.clone());
            if known.runs.last() != Some(&run) {
                known.runs.push(run);
            }
            known.checkpoints.push((saved.path().to_string(), model));
        }
        Some(known)
    }

    #[cfg(not(feature = "local"))]
    fn of_engine(&self) -> Option<Known> {
        None
    }
}

/// The newest runs and checkpoints of a server, as far as it answers in time.
fn of_server(client: &ServiceClient) -> Option<Known> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .ok()?;
    let answers = runtime.block_on(async {
        let options = || ListOptions::default().with_page_size(PAGE);
        let (runs, checkpoints) = (client.runs(), client.checkpoints());
        let runs = tokio::time::timeout(LIMIT, runs.page(options()));
        let checkpoints = tokio::time::timeout(LIMIT, checkpoints.page(options()));
        tokio::join!(runs, checkpoints)
    });
    // The lookup of an address cannot be cancelled, and is not waited for.
    runtime.shutdown_background();
    let mut known = Known::default();
    if let Ok(Ok(page)) = answers.0 {
        let runs = page.training_runs.into_iter();
        known.runs = runs
            .map(|run| (run.training_run_id.to_string(), run.base_model))
            .collect();
    }
    if let Ok(Ok(page)) = answers.1 {
        for checkpoint in page.checkpoints {
            let run = checkpoint.tinker_path.run().as_str();
            let mut runs = known.runs.iter();
            let model = runs
                .find(|(id, _)| id == run)
                .map(|(_, model)| model.clone());
            let address = checkpoint.tinker_path.to_string();
            known.checkpoints.push((address, model.unwrap_or_default()));
        }
    }
    Some(known)
}

/// The value of an option, given as `NAME VALUE` or `NAME=VALUE`.
fn value(words: &[String], name: &str) -> Option<String> {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == name {
            return words.next().cloned();
        }
        if let Some(value) = word.strip_prefix(name)
            && let Some(value) = value.strip_prefix('=')
        {
            return Some(value.to_owned());
        }
    }
    None
}
