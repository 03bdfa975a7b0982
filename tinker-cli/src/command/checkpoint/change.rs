//! `tinker checkpoint publish|unpublish|ttl|copy`.

#![expect(clippy::doc_markdown, reason = "doc comments of options are help text")]

use std::time::Duration;

use serde::Serialize;
use tinker_client::{CheckpointPath, CopyOptions, Error, ServiceClient};

use crate::connect::{ServiceArgs, reference};
use crate::context::Context;
use crate::exit::Usage;
use crate::listing::parse_duration;
use crate::one_by_one::{Attempted, each};
use crate::report::Printable;
use crate::style::TerminalStyle;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The checkpoints.
    #[arg(required = true, value_name = "CHECKPOINT", add = crate::completion::checkpoints())]
    checkpoints: Vec<String>,
    /// Print what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    service: ServiceArgs,
}

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("time").required(true))]
pub(super) struct TtlArgs {
    #[command(flatten)]
    change: Args,
    /// Delete them after this time from now: seconds, or a number with a unit (15m, 12h, 7d, 2w).
    #[arg(long, value_name = "TIME", group = "time")]
    ttl: Option<String>,
    /// Keep them.
    #[arg(long, group = "time")]
    remove: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct CopyArgs {
    /// The checkpoint.
    #[arg(add = crate::completion::checkpoints())]
    checkpoint: String,
    /// Project of the copy [default: TINKER_PROJECT_ID].
    #[arg(long, value_name = "ID")]
    project: Option<String>,
    /// Delete the copy after this time from now: seconds, or a number with a unit (15m, 12h, 7d, 2w).
    #[arg(long, value_name = "TIME")]
    ttl: Option<String>,
    /// Variable that holds the access token for the checkpoint of another owner.
    #[arg(long, value_name = "VARIABLE")]
    token_env: Option<String>,
    #[command(flatten)]
    service: ServiceArgs,
}

/// Changed checkpoints.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Changed {
    change: String,
    is_dry_run: bool,
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    tinker_paths: Vec<CheckpointPath>,
    /// Checkpoints that were not changed, after a failure or an interruption.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    left: Vec<CheckpointPath>,
}

impl Printable for Changed {
    fn to_text(&self, _: TerminalStyle) -> String {
        let would = if self.is_dry_run { "would be " } else { "" };
        let line = |path| format!("{path} {would}{}\n", self.change);
        let left = self.left.iter().map(|path| format!("left {path}\n"));
        self.tinker_paths.iter().map(line).chain(left).collect()
    }
}

/// The copy of a checkpoint.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Copied {
    #[cfg_attr(test, schemars(with = "String"))]
    tinker_path: CheckpointPath,
}

impl Printable for Copied {
    fn to_text(&self, _: TerminalStyle) -> String {
        format!("{}\n", self.tinker_path)
    }
}

impl Args {
    /// Finds the checkpoints, changes one after another, and prints which are changed.
    async fn apply(
        &self,
        change: String,
        context: &Context,
        request: impl AsyncFn(&ServiceClient, &CheckpointPath) -> Result<(), Error>,
    ) -> anyhow::Result<()> {
        let interrupt = &context.interrupt;
        interrupt.listen_silently()?;
        let service = self.service.open(context)?;
        let client = &service.client;
        let mut paths = Vec::new();
        for text in &self.checkpoints {
            let found = reference::checkpoint(text, &[], client, context.printer);
            paths.push(interrupt.or_stop(found).await?);
        }
        let attempted = if self.dry_run {
            Attempted {
                done: paths,
                left: Vec::new(),
                end: Ok(()),
            }
        } else {
            let request = async |path: &CheckpointPath| Ok(request(client, path).await?);
            each(paths, context, request).await
        };
        if attempted.has_result() {
            context.report.print(&Changed {
                change,
                is_dry_run: self.dry_run,
                tinker_paths: attempted.done,
                left: attempted.left,
            })?;
        }
        attempted.end
    }
}

/// Publishes checkpoints, or makes them private.
pub(super) async fn publish(args: Args, is_public: bool, context: &Context) -> anyhow::Result<()> {
    let change = if is_public {
        "published"
    } else {
        "made private"
    };
    let request = async |client: &ServiceClient, path: &CheckpointPath| {
        let checkpoints = client.checkpoints();
        if is_public {
            checkpoints.publish(path).await
        } else {
            checkpoints.unpublish(path).await
        }
    };
    args.apply(change.to_owned(), context, request).await
}

/// Sets or removes the time of deletion.
pub(super) async fn set_ttl(args: TtlArgs, context: &Context) -> anyhow::Result<()> {
    let ttl = args.ttl.as_deref().map(duration).transpose()?;
    let change = match &args.ttl {
        Some(ttl) => format!("deleted in {ttl}"),
        None => "kept".to_owned(),
    };
    let request = async |client: &ServiceClient, path: &CheckpointPath| {
        client.checkpoints().set_ttl(path, ttl).await
    };
    args.change.apply(change, context, request).await
}

/// Copies a checkpoint.
pub(super) async fn copy(args: CopyArgs, context: &Context) -> anyhow::Result<()> {
    let ttl = args.ttl.as_deref().map(duration).transpose()?;
    let token = args.token_env.map(|name| {
        std::env::var(&name)
            .map_err(|_| Usage(format!("--token-env {name}: the variable is not set")))
    });
    let token = token.transpose()?;
    let service = args.service.open(context)?;
    let path =
        reference::checkpoint(&args.checkpoint, &[], &service.client, context.printer).await?;
    let mut options = CopyOptions::new(path);
    options.ttl = ttl;
    options.project_id = args.project;
    if let Some(token) = token {
        options = options.with_access_token(token);
    }
    let tinker_path = service.client.checkpoints().copy(options).await?;
    context.report.print(&Copied { tinker_path })
}

fn duration(text: &str) -> Result<Duration, Usage> {
    let time = parse_duration(text).and_then(|time| Duration::try_from(time).ok());
    let time = time.filter(|time| !time.is_zero());
    time.ok_or_else(|| {
        Usage(format!(
            "--ttl {text}: give seconds, or a number with a unit: 15m, 12h, 7d, 2w"
        ))
    })
}
