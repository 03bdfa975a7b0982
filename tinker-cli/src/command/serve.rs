//! `tinker serve`

use std::io::ErrorKind;
use std::net::IpAddr;

use anyhow::Context as _;
use serde::Serialize;
use tokio::net::TcpListener;

use crate::connect::EngineArgs;
use crate::connect::local::Choice;
use crate::context::Context;
use crate::interrupt::Interrupt;
use crate::look::{Look, STRONG, paint};
use crate::report::Answer;
use crate::words;

/// Serve the built-in engine over HTTP for this and other clients.
///
/// Any client of the Tinker API can use it, this program and the official Python client among them. Every API key is
/// accepted, so leave it on 127.0.0.1 unless everybody who can reach the port may use it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tinker serve
  tinker serve --port 0 --data-dir checkpoints
  TINKER_BASE_URL=http://127.0.0.1:8700 tinker sample 'Once upon a time'")]
pub(crate) struct Args {
    /// Address to listen on.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    host: IpAddr,
    /// Port to listen on; 0 takes any free one.
    #[arg(short, long, default_value_t = 8700)]
    port: u16,
    #[command(flatten)]
    engine: EngineArgs,
}

/// What a script that starts a server wants to know; the first and only output on stdout.
#[derive(Debug, Serialize)]
struct Listening {
    url: String,
    models: Vec<String>,
    data_dir: String,
}

impl Answer for Listening {
    const JSON_LINE: bool = true;

    fn to_text(&self, _: Look) -> String {
        format!("listening on {}\n", self.url)
    }
}

/// Serves until Ctrl-C or SIGTERM.
pub(crate) async fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let listener = listen(&args).await?;
    let engine = Choice::new(&args.engine)?.start()?;
    let interrupt = Interrupt::listen(context.talk, "stopping; once more stops at once")?;
    let url = format!(
        "http://{}",
        listener.local_addr().context("cannot tell the port")?
    );
    let listening = Listening {
        url,
        models: vec![engine.model().name.clone()],
        data_dir: engine.data_dir().display().to_string(),
    };
    context.report.print(&listening)?;
    introduce(&listening, &args, context, engine.data_dir());
    tinker_local::serve(listener, engine, async move { interrupt.asked().await })
        .await
        .context("the server failed")?;
    context.talk.say("stopped");
    Ok(())
}

fn introduce(listening: &Listening, args: &Args, context: &Context, data_dir: &std::path::Path) {
    let talk = context.talk;
    talk.tell("model", &listening.models.join(", "));
    talk.tell("checkpoints", &format!("in {}", words::path(data_dir)));
    let export = format!(
        "export TINKER_BASE_URL={} TINKER_API_KEY=tml-local",
        listening.url
    );
    talk.tell("clients", &paint(STRONG, export));
    if !args.host.is_loopback() {
        talk.note(&format!(
            "everybody who can reach {} may use the engine",
            listening.url
        ));
    }
    talk.tell("", "Ctrl-C stops it");
}

async fn listen(args: &Args) -> anyhow::Result<TcpListener> {
    TcpListener::bind((args.host, args.port))
        .await
        .map_err(|error| {
            let place = format!("{}:{}", args.host, args.port);
            match error.kind() {
                ErrorKind::AddrInUse => {
                    anyhow::anyhow!(
                        "{place} is in use; choose another --port, or 0 for any free one"
                    )
                }
                _ => anyhow::Error::from(error).context(format!("cannot listen on {place}")),
            }
        })
}
