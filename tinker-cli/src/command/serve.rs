//! `tinker serve`

use std::io::ErrorKind;
use std::net::IpAddr;
use std::num::NonZeroUsize;

use anyhow::Context as _;
use serde::Serialize;
use tinker_local::Limits;
use tokio::net::TcpListener;

use crate::connect::EngineArgs;
use crate::connect::local::Choice;
use crate::context::Context;
use crate::interrupt::Interrupt;
use crate::look::{Look, STRONG, paint};
use crate::report::Answer;
use crate::words;

/// Serve models over HTTP for this and other clients: the built-in one, or those of Hugging Face folders.
///
/// Folders of the Llama, Qwen 2 and Qwen 3 families can be served, in bf16, f16 or f32.
///
/// Any client of the Tinker API can use it, this program and the official Python client among them. Every API key is
/// accepted, so leave it on 127.0.0.1 unless everybody who can reach the port may use it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tinker serve
  tinker serve --port 0 --data-dir checkpoints
  tinker serve --model ~/models/Qwen3-0.6B --context 4096
  tinker serve --model small=models/a --model large=models/b --model tinker-local/tiny
  TINKER_BASE_URL=http://127.0.0.1:8700 tinker sample 'Once upon a time'")]
pub(crate) struct Args {
    /// Address to listen on.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    host: IpAddr,
    /// Port to listen on; 0 takes any free one.
    #[arg(short, long, default_value_t = 8700)]
    port: u16,
    /// Folder of a Hugging Face model, FOLDER or NAME=FOLDER, or tinker-local/tiny; may be given several times
    /// [default: tinker-local/tiny].
    #[arg(short, long, value_name = "MODEL")]
    model: Vec<String>,
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    limits: LimitArgs,
}

/// Bounds of memory. What goes beyond one is refused with a message that names it.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
#[expect(
    clippy::struct_field_names,
    reason = "they are the names of the options"
)]
struct LimitArgs {
    /// Adapters in training at the same time [default: 64].
    #[arg(long, value_name = "N")]
    max_adapters: Option<NonZeroUsize>,
    /// Samplers that keep their weights in memory; beyond it the one that rested longest goes [default: 256].
    #[arg(long, value_name = "N")]
    max_samplers: Option<NonZeroUsize>,
    /// Training operations that wait; beyond it clients are told to try again later (429) [default: 1024].
    #[arg(long, value_name = "N")]
    max_queued_operations: Option<NonZeroUsize>,
    /// The same for sampling requests [default: 2048].
    #[arg(long, value_name = "N")]
    max_queued_samples: Option<NonZeroUsize>,
    /// Sequences generated at the same time [default: 64].
    #[arg(long, value_name = "N")]
    max_sequences: Option<NonZeroUsize>,
    /// Memory for the keys and values of these, in MiB; beyond it they wait [default: as large as a model's weights, at
    /// least 1024, at least what its longest sequence takes].
    #[arg(long, value_name = "MIB")]
    max_cache: Option<NonZeroUsize>,
    /// Largest request, in MiB [default: 32].
    #[arg(long, value_name = "MIB")]
    max_request: Option<NonZeroUsize>,
}

impl LimitArgs {
    fn to_limits(&self) -> Limits {
        let mut limits = Limits::default();
        for (limit, asked) in [
            (&mut limits.models, self.max_adapters),
            (&mut limits.samplers, self.max_samplers),
            (&mut limits.queued_operations, self.max_queued_operations),
            (&mut limits.queued_samples, self.max_queued_samples),
            (&mut limits.live_sequences, self.max_sequences),
        ] {
            if let Some(asked) = asked {
                *limit = asked.get();
            }
        }
        if let Some(mib) = self.max_cache {
            limits.cache_bytes = Some(mib.get().saturating_mul(MIB));
        }
        if let Some(mib) = self.max_request {
            limits.body_bytes = mib.get().saturating_mul(MIB);
        }
        // A request that is allowed must fit into the queue.
        limits.queued_bytes = limits.queued_bytes.max(limits.body_bytes);
        limits
    }
}

const MIB: usize = 1 << 20;

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
    let mut choice = Choice::new(&args.engine)?;
    for model in &args.model {
        choice.add(model)?;
    }
    let engine = choice.start(args.limits.to_limits())?;
    let interrupt = Interrupt::listen(context.talk, "stopping; once more stops at once")?;
    let url = format!(
        "http://{}",
        listener.local_addr().context("cannot tell the port")?
    );
    let listening = Listening {
        url,
        models: engine.models().map(|model| model.name.clone()).collect(),
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
