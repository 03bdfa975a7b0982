//! `tinker session export-trace`: a trace of a session as a file.

use std::path::PathBuf;

use serde::Serialize;
use tinker_types::SessionId;

use crate::connect::ServiceArgs;
use crate::context::Context;
use crate::exit::Usage;
use crate::format;
use crate::report::Printable;
use crate::style::TerminalStyle;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Id of the session.
    session: String,
    /// File to write [default: SESSION.pftrace].
    #[arg(short, long, value_name = "FILE", conflicts_with = "url_only")]
    output: Option<PathBuf>,
    /// Replace the file if it exists.
    #[arg(long)]
    force: bool,
    /// Print the signed URL of the trace and fetch nothing. Whoever has the URL can read the trace.
    #[arg(long)]
    url_only: bool,
    #[command(flatten)]
    service: ServiceArgs,
}

/// An exported trace.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Exported {
    session_id: SessionId,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_size_bytes: Option<u64>,
}

impl Printable for Exported {
    fn to_text(&self, _: TerminalStyle) -> String {
        let text = self.url.as_ref().or(self.destination.as_ref());
        text.map(|text| format!("{text}\n")).unwrap_or_default()
    }
}

/// Fetches a trace, or prints its URL.
pub(super) async fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let name = || format!("{}.pftrace", args.session.replace(['/', '\\'], "_"));
    let target = args.output.unwrap_or_else(|| name().into());
    if !args.url_only && !args.force && target.exists() {
        let message = format!(
            "{} exists; choose another --output, or add --force",
            target.display()
        );
        return Err(Usage(message).into());
    }
    let service = args.service.open(context)?;
    let sessions = service.client.sessions();
    let session_id = SessionId::from(args.session);
    if args.url_only {
        let url = sessions.export_trace(&session_id).await?;
        return context.report.print(&Exported {
            session_id,
            url: Some(url),
            destination: None,
            file_size_bytes: None,
        });
    }
    let bytes = sessions.download_trace(&session_id, &target).await?;
    context
        .printer
        .print_labelled("fetched", &format::bytes(bytes));
    context.report.print(&Exported {
        session_id,
        url: None,
        destination: Some(target.display().to_string()),
        file_size_bytes: Some(bytes),
    })
}
