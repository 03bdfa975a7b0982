//! `tinker wait`: waits until a server does work, or until a run ends.

mod followed;

use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use tinker_client::transport::Class;
use tinker_client::transport::policy::Standard;
use tinker_client::{Config, Error, FinishReason, LoraConfig, ServiceClient};
use tokio::time::Instant;

use crate::connect::ServerArgs;
use crate::context::Context;
use crate::exit::{Interrupted, Usage};
use crate::format;
use crate::interrupt::Interrupt;
use crate::report::Printable;
use crate::style::TerminalStyle;

/// Time in which the client repeats a request. After it, the whole attempt is repeated here.
const BRIEF: Duration = Duration::from_secs(1);

/// Seconds to wait for a server by default.
const TIMEOUT: u64 = 600;

/// Pause between attempts.
const PAUSE: Duration = Duration::from_secs(1);

/// Interval of the lines on stderr.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// Wait until a server is ready to train, or follow a training run to its end.
///
/// Server: a health check is not enough, as some servers answer it long before their engine has loaded the model. This opens a
/// session, creates an adapter of rank 1, and removes it again. Run, given by its folder: Ctrl-C stops following, and the
/// run goes on.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 if the server is ready or the run has ended, 1 if the time is over or the server refuses; with
--exit-status also 1 if the run ended without a result.

Examples:
  tinker wait http://gpu-1:8000
  tinker wait http://gpu-1:8000 --timeout 1800 && tinker train data.jsonl --base-url http://gpu-1:8000
  tinker wait http://gpu-1:8000 --session-only --json
  tinker wait runs/chats --exit-status && tinker sample --model latest Hello")]
pub(crate) struct Args {
    /// Address or name of the server [default: as for the other commands], or the folder of a run.
    #[arg(value_name = "URL|NAME|RUN", conflicts_with_all = ["base_url", "server"])]
    target: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
    /// Give up after this many seconds [default: 600 for a server, none for a run].
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
    /// End with 1 if the run ended without a result: interrupted, failed or killed.
    #[arg(long, conflicts_with_all = ["base_url", "server", "session_only", "model"])]
    exit_status: bool,
    /// Base model of the adapter [default: the first that the server lists].
    #[arg(short, long, value_name = "MODEL")]
    model: Option<String>,
    /// Open a session only, for a server that has no room for another adapter.
    #[arg(long, conflicts_with = "model")]
    session_only: bool,
}

/// The server is ready.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Answer {
    url: String,
    /// Time until it was ready.
    seconds: f64,
    /// Models that the server lists.
    models: Vec<String>,
    /// Base model of the adapter that was created and removed.
    adapter: Option<String>,
}

impl Printable for Answer {
    const JSON_LINE: bool = true;

    fn to_text(&self, _: TerminalStyle) -> String {
        let time = format::duration(Duration::from_secs_f64(self.seconds));
        format!("{} is ready after {time}\n", self.url)
    }
}

/// The time is over.
#[derive(Debug, thiserror::Error)]
#[error("{url} is not ready after {time}: {reason}")]
struct NotReady {
    url: String,
    time: String,
    reason: String,
}

/// Waits, and prints that the server is ready.
pub(crate) async fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let folder = args
        .target
        .as_deref()
        .map(Path::new)
        .filter(|path| path.is_dir());
    if let Some(run) = folder {
        let limit = args.timeout.map(Duration::from_secs);
        return followed::follow(run, args.exit_status, limit, context).await;
    }
    if args.exit_status {
        let target = args.target.as_deref().unwrap_or("none");
        let message = format!("--exit-status follows a run; {target:?} is no folder of one");
        return Err(Usage(message).into());
    }
    let server = args.server.with_target(args.target.as_deref()).find()?;
    let server = server.ok_or_else(|| Usage("name a server to wait for".to_owned()))?;
    let config = server.config;
    let interrupt = Interrupt::listen(context.printer, "stopping; Ctrl-C again exits at once")?;
    let waiter = Waiter {
        args: &args,
        context,
        config: &config,
        started: Instant::now(),
    };
    tokio::select! {
        biased;
        () = interrupt.requested() => Err(Interrupted.into()),
        ready = Box::pin(waiter.wait()) => context.report.print(&ready?),
    }
}

struct Waiter<'a> {
    args: &'a Args,
    context: &'a Context,
    config: &'a Config,
    started: Instant,
}

impl Waiter<'_> {
    fn limit(&self) -> Duration {
        Duration::from_secs(self.args.timeout.unwrap_or(TIMEOUT))
    }

    async fn wait(&self) -> anyhow::Result<Answer> {
        let limit = self.limit();
        let end = self.started + limit;
        let mut reported = self.started;
        let mut reason = "no answer yet".to_owned();
        loop {
            let attempt = tokio::time::timeout_at(end, Box::pin(self.attempt(&mut reason)));
            let error = match attempt.await {
                Ok(Ok(ready)) => return Ok(ready),
                Ok(Err(Failure::Final(error))) => return Err(error),
                Ok(Err(Failure::NotYet(error))) => Some(error),
                Err(_) => None,
            };
            if let Some(error) = error {
                reason = chain(&error);
            }
            if Instant::now() + PAUSE >= end {
                let not_ready = NotReady {
                    url: self.config.shown_base_url(),
                    time: format::duration(limit),
                    reason,
                };
                return Err(not_ready.into());
            }
            if reported == self.started || reported.elapsed() >= REPORT_INTERVAL {
                reported = Instant::now();
                self.report(&reason);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn report(&self, reason: &str) {
        let line = format!(
            "for {}, {} of {}: {reason}",
            self.config.shown_base_url(),
            format::duration(self.started.elapsed()),
            format::duration(self.limit()),
        );
        self.context.printer.print_labelled("waiting", &line);
    }

    /// One attempt. `stage` is set to what is waited for.
    async fn attempt(&self, stage: &mut String) -> Result<Answer, Failure> {
        let brief = Standard::new().with_time_limit(BRIEF);
        let service = ServiceClient::builder()
            .config(self.config.clone())
            .configure_transport(move |stack| {
                stack
                    .with_policy(Class::Session, brief)
                    .with_policy(Class::Rest, brief)
            })
            .build()
            .map_err(|error| Failure::Final(error.into()))?;
        let result = Box::pin(self.work(&service, stage)).await;
        // The adapter and the session are removed. If that fails, the server removes idle sessions.
        if let Err(error) = service.close(FinishReason::Success).await {
            tracing::info!(%error, "the session could not be closed");
        }
        result
    }

    async fn work(&self, service: &ServiceClient, stage: &mut String) -> Result<Answer, Failure> {
        let supported = service.server_capabilities().await?.supported_models;
        let models: Vec<String> = supported
            .into_iter()
            .filter_map(|model| model.model_name)
            .collect();
        let adapter = if self.args.session_only {
            service.check_access().await?;
            None
        } else {
            let model = self.args.model.as_ref().or(models.first());
            let model = model.cloned().ok_or_else(|| {
                let message = format!(
                    "{} names no models; choose one with --model, or use --session-only",
                    self.config.shown_base_url()
                );
                Failure::Final(Usage(message).into())
            })?;
            Box::pin(self.create(service, &model, stage)).await?;
            Some(model)
        };
        Ok(Answer {
            url: self.config.shown_base_url(),
            seconds: self.started.elapsed().as_secs_f64(),
            models,
            adapter,
        })
    }

    /// Creates an adapter, and reports while the server works on it.
    async fn create(
        &self,
        service: &ServiceClient,
        model: &str,
        stage: &mut String,
    ) -> Result<(), Error> {
        *stage = format!("it answers, but it has not created an adapter on {model}");
        let mut created = service.create_lora_training_client(model, LoraConfig::new(1));
        loop {
            match tokio::time::timeout(REPORT_INTERVAL, &mut created).await {
                Ok(created) => return created.map(drop),
                Err(_) => self.report(stage),
            }
        }
    }
}

/// Why an attempt failed.
enum Failure {
    /// The server may become ready.
    NotYet(Error),
    /// Waiting does not help.
    Final(anyhow::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let is_final = match &error {
            Error::Status(error) => {
                let status = error.status();
                status.is_client_error() && !matches!(status.as_u16(), 404 | 408 | 409 | 425 | 429)
            }
            Error::Transport(error) => error.is_auth(),
            Error::Invalid(_) | Error::Config(_) => true,
            _ => false,
        };
        if is_final {
            Self::Final(error.into())
        } else {
            Self::NotYet(error)
        }
    }
}

/// An error with its causes, on one line.
fn chain(error: &Error) -> String {
    format!("{error:#}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::check;

    #[test]
    fn results_have_the_schemas_in_the_tree() {
        check::<Answer>("wait");
    }
}
