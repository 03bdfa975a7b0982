//! `tinker checkpoint publish|unpublish|ttl|copy`.

#![expect(clippy::doc_markdown, reason = "doc comments of options are help text")]

use std::time::Duration;

use serde::Serialize;
use tinker_client::{CheckpointPath, CopyOptions};

use crate::connect::{Service, ServiceArgs, reference};
use crate::context::Context;
use crate::exit::Usage;
use crate::listing::parse_duration;
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
struct Changed {
    change: String,
    is_dry_run: bool,
    tinker_paths: Vec<CheckpointPath>,
}

impl Printable for Changed {
    fn to_text(&self, _: TerminalStyle) -> String {
        let would = if self.is_dry_run { "would be " } else { "" };
        let line = |path| format!("{path} {would}{}\n", self.change);
        let lines: Vec<String> = self.tinker_paths.iter().map(line).collect();
        lines.concat()
    }
}

/// The copy of a checkpoint.
#[derive(Debug, Serialize)]
struct Copied {
    tinker_path: CheckpointPath,
}

impl Printable for Copied {
    fn to_text(&self, _: TerminalStyle) -> String {
        format!("{}\n", self.tinker_path)
    }
}

impl Args {
    async fn find(&self, context: &Context) -> anyhow::Result<(Service, Vec<CheckpointPath>)> {
        let service = self.service.open(context)?;
        let mut paths = Vec::new();
        for text in &self.checkpoints {
            paths.push(reference::checkpoint(text, &[], &service.client, context.printer).await?);
        }
        Ok((service, paths))
    }

    fn print(
        &self,
        change: String,
        tinker_paths: Vec<CheckpointPath>,
        context: &Context,
    ) -> anyhow::Result<()> {
        context.report.print(&Changed {
            change,
            is_dry_run: self.dry_run,
            tinker_paths,
        })
    }
}

/// Publishes checkpoints, or makes them private.
pub(super) async fn publish(args: Args, is_public: bool, context: &Context) -> anyhow::Result<()> {
    let (service, paths) = args.find(context).await?;
    let checkpoints = service.client.checkpoints();
    for path in paths.iter().filter(|_| !args.dry_run) {
        if is_public {
            checkpoints.publish(path).await?;
        } else {
            checkpoints.unpublish(path).await?;
        }
    }
    let change = if is_public {
        "published"
    } else {
        "made private"
    };
    args.print(change.to_owned(), paths, context)
}

/// Sets or removes the time of deletion.
pub(super) async fn set_ttl(args: TtlArgs, context: &Context) -> anyhow::Result<()> {
    let ttl = args.ttl.as_deref().map(duration).transpose()?;
    let (service, paths) = args.change.find(context).await?;
    for path in paths.iter().filter(|_| !args.change.dry_run) {
        service.client.checkpoints().set_ttl(path, ttl).await?;
    }
    let change = match &args.ttl {
        Some(ttl) => format!("deleted in {ttl}"),
        None => "kept".to_owned(),
    };
    args.change.print(change, paths, context)
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
