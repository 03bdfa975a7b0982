//! `tinker doctor`: what a server can do, and what to do about the rest.

mod offline;
mod table;

use std::time::Duration;

use tinker_client::ServiceClient;
use tinker_client::doctor::{Examination, Report, Status};
use tinker_client::transport::Class;
use tinker_client::transport::policy::Standard;

use crate::connect::{Connection, ServerArgs, ServerOrEngine, find_tokenizer};
use crate::context::Context;
use crate::exit::{Interrupted, Limited};
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::report::{self, Printable};
use crate::style::TerminalStyle;

/// Time limit of the retries of one request.
const RETRIES: Duration = Duration::from_secs(10);

/// Check a server: network, key, training, sampling and checkpoints, on a throw-away adapter.
///
/// Prints what was found, what it means and what to do. What is saved on the server is deleted again. Without a server
/// the built-in engine is examined.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 nothing to do, 1 training or sampling does not work, 4 something else does not work.

Examples:
  tinker doctor
  tinker doctor http://127.0.0.1:8700
  tinker doctor skyrl
  tinker doctor tuft --markdown > tuft.md
  tinker doctor --offline")]
pub(crate) struct Args {
    /// Address or name of a server [default: as for the other commands].
    #[arg(value_name = "URL|NAME", conflicts_with_all = ["base_url", "server"])]
    target: Option<String>,
    /// Base model of the throw-away adapter [default: the first one of the server].
    #[arg(short, long, value_name = "MODEL")]
    model: Option<String>,
    /// Print a table in Markdown.
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
    /// Explain the settings without a call.
    #[arg(long, conflicts_with = "markdown")]
    offline: bool,
    #[command(flatten)]
    server: ServerArgs,
}

impl Printable for Report {
    fn to_text(&self, style: TerminalStyle) -> String {
        table::text(self, style)
    }
}

/// Examines and prints.
pub(crate) async fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let server = args.server.with_target(args.target.as_deref());
    if args.offline {
        return offline::run(&server, context);
    }
    let choice = ServerOrEngine::of(&server)?;
    let label = choice.describe();
    context.printer.print_labelled("server", &label);
    let service = choice.client(|builder| {
        builder.configure_transport(|stack| {
            let brief = Standard::new().with_time_limit(RETRIES);
            [Class::Session, Class::Train, Class::Sample, Class::Rest]
                .into_iter()
                .fold(stack, |stack, class| stack.with_policy(class, brief))
        })
    })?;
    let report = examine(&args, &service, choice.base_url(), context).await?;
    if args.markdown {
        report::write(report.to_markdown(&choice.title()).as_bytes())?;
    } else {
        context.report.print(&report)?;
    }
    match report.worst() {
        Status::Failed => Err(Unusable.into()),
        Status::Limited => {
            Err(Limited("some features of the server do not work".to_owned()).into())
        }
        _ => Ok(()),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("training or sampling does not work on this server; see the findings above")]
struct Unusable;

async fn examine(
    args: &Args,
    service: &ServiceClient,
    base_url: &str,
    context: &Context,
) -> anyhow::Result<Report> {
    let interrupt = Interrupt::listen(context.printer, "stopping; Ctrl-C again exits at once")?;
    let _narration = Connection::watch(service, base_url, context.printer);
    let checks = tinker_client::doctor::CHECKS;
    let mut progress = Progress::start(context.printer, "checking", checks.len());
    let mut done = 0;
    let mut examination = Examination::default().with_tokenizer(find_tokenizer);
    examination.model.clone_from(&args.model);
    let examined = examination.run(service, |_| {
        done += 1;
        progress.update(done, checks.get(done).unwrap_or(&""));
    });
    tokio::select! {
        biased;
        () = interrupt.requested() => Err(Interrupted.into()),
        report = Box::pin(examined) => Ok(report),
    }
}
