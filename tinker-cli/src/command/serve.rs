//! `tinker serve`: the engine as an HTTP server.

mod keys;
mod plan;

use std::io::ErrorKind;
use std::net::IpAddr;
use std::num::NonZeroUsize;

use anyhow::Context as _;
use serde::Serialize;
use tinker_local::Limits;
use tinker_types::LossFn;
use tokio::net::TcpListener;

use self::keys::KeyArgs;
use crate::address::{AddressFile, ServerAddress};
use crate::connect::EngineArgs;
use crate::connect::engine::EngineSetup;
use crate::context::Context;
use crate::format;
use crate::interrupt::Interrupt;
use crate::report::Printable;
use crate::style::{STRONG, TerminalStyle, paint};

/// Serve models over HTTP: the built-in one, or Hugging Face folders.
///
/// Supports folders of the Llama, Qwen 2 and Qwen 3 families in bf16, f16 or f32.
///
/// Any client of the Tinker API can connect, for example this program or the official Python client. Every API key is
/// accepted unless keys are given: without them, listen on other addresses than 127.0.0.1 only if everyone who can reach
/// the port may use the server.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tinker serve
  tinker serve --port 0 --data-dir checkpoints
  tinker serve --model ~/models/Qwen3-0.6B --context 4096
  tinker serve --model small=models/a --model large=models/b --model tinker-local/tiny
  tinker serve --host 0.0.0.0 --api-key-file keys.txt
  tinker serve plan --server skyrl --model Qwen/Qwen3-8B --gpus 8 --nodes 2
  TINKER_BASE_URL=http://127.0.0.1:8700 tinker sample 'Once upon a time'")]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    plan: Option<Action>,
    /// Address to listen on.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    host: IpAddr,
    /// Port to listen on; 0 chooses a free one.
    #[arg(short, long, default_value_t = 8700)]
    port: u16,
    /// Model to serve: FOLDER or NAME=FOLDER of a Hugging Face model, or tinker-local/tiny; can be repeated [default:
    /// tinker-local/tiny].
    #[arg(short, long, value_name = "MODEL")]
    model: Vec<String>,
    /// Compute a loss that the engine does not offer as another one, for example `stable_reinforce=importance_sampling`; can
    /// be repeated. Sessions and metrics say that it was substituted.
    #[arg(long, value_name = "NAME=NAME", value_parser = substitute)]
    substitute_loss: Vec<(LossFn, LossFn)>,
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    keys: KeyArgs,
    #[command(flatten)]
    limits: LimitArgs,
}

/// Other actions than serving.
#[derive(Debug, clap::Subcommand)]
enum Action {
    Plan(plan::Args),
}

/// Memory limits. The server refuses requests beyond a limit with a message that names it.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
#[expect(
    clippy::struct_field_names,
    reason = "the fields have the names of the options"
)]
struct LimitArgs {
    /// Largest number of adapters in training [default: 64].
    #[arg(long, value_name = "N")]
    max_adapters: Option<NonZeroUsize>,
    /// Largest number of samplers; beyond it, the least recently used one is removed [default: 256].
    #[arg(long, value_name = "N")]
    max_samplers: Option<NonZeroUsize>,
    /// Memory for the weights of samplers, in MiB; beyond it, those least recently used wait in files [default: 1024].
    #[arg(long, value_name = "MIB")]
    max_sampler_memory: Option<NonZeroUsize>,
    /// Largest number of waiting training operations; beyond it, clients have to retry later (429) [default: 1024].
    #[arg(long, value_name = "N")]
    max_queued_operations: Option<NonZeroUsize>,
    /// Largest number of waiting sampling requests; beyond it, clients have to retry later (429) [default: 2048].
    #[arg(long, value_name = "N")]
    max_queued_samples: Option<NonZeroUsize>,
    /// Largest number of sequences generated at a time [default: 64].
    #[arg(long, value_name = "N")]
    max_sequences: Option<NonZeroUsize>,
    /// Memory for the keys and values of sequences, in MiB; beyond it, sequences wait [default: the size of the model's
    /// weights, at least 1024, and at least the need of its longest sequence].
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
        if let Some(mib) = self.max_sampler_memory {
            limits.sampler_bytes = mib.get().saturating_mul(MIB);
        }
        if let Some(mib) = self.max_request {
            limits.body_bytes = mib.get().saturating_mul(MIB);
        }
        // A request within the limit has to fit into the queue.
        limits.queued_bytes = limits.queued_bytes.max(limits.body_bytes);
        limits
    }
}

const MIB: usize = 1 << 20;

/// Address and models of the server, for scripts that start it: the only output on stdout.
#[derive(Debug, Serialize)]
struct Listening {
    url: String,
    models: Vec<String>,
    data_dir: String,
}

impl Printable for Listening {
    const JSON_LINE: bool = true;

    fn to_text(&self, _: TerminalStyle) -> String {
        format!("listening on {}\n", self.url)
    }
}

/// Serves until Ctrl-C or SIGTERM.
pub(crate) async fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    if let Some(Action::Plan(args)) = &args.plan {
        return plan::run(args, context);
    }
    let keys = args.keys.read()?;
    let listener = listen(&args).await?;
    let mut setup = EngineSetup::new(&args.engine)?;
    for model in &args.model {
        setup.add(model)?;
    }
    let limits = args.limits.to_limits();
    let engine = setup.start_serving(limits, &args.substitute_loss, &keys)?;
    let interrupt = Interrupt::listen(context.printer, "stopping; Ctrl-C again exits at once")?;
    let url = format!(
        "http://{}",
        listener.local_addr().context("cannot read the port")?
    );
    let listening = Listening {
        url,
        models: engine.models().map(|model| model.name.clone()).collect(),
        data_dir: engine.data_dir().display().to_string(),
    };
    context.report.print(&listening)?;
    introduce(&listening, &args, keys.len(), context, engine.data_dir());
    let _address = publish(&listening, context);
    tinker_local::serve(listener, engine, async move { interrupt.requested().await })
        .await
        .context("the server failed")?;
    context.printer.print_line("stopped");
    Ok(())
}

/// Writes the address file, which is removed with the returned value. Without one, commands on this machine need the URL.
fn publish(listening: &Listening, context: &Context) -> Option<AddressFile> {
    let path = ServerAddress::path()?;
    let written = ServerAddress::of_this_process(&listening.url).write(path.clone());
    written
        .inspect_err(|error| {
            let path = format::path(&path);
            let note = format!("the address file {path} could not be written: {error}");
            context.printer.print_note(&note);
        })
        .ok()
}

/// Parses `NAME=NAME`.
fn substitute(text: &str) -> Result<(LossFn, LossFn), String> {
    match text.split_once('=') {
        Some((name, by)) if !name.is_empty() && !by.is_empty() => {
            Ok((LossFn::from_name(name), LossFn::from_name(by)))
        }
        _ => Err("give two losses, for example stable_reinforce=importance_sampling".to_owned()),
    }
}

fn introduce(
    listening: &Listening,
    args: &Args,
    keys: usize,
    context: &Context,
    data_dir: &std::path::Path,
) {
    let printer = context.printer;
    printer.print_labelled("model", &listening.models.join(", "));
    printer.print_labelled("checkpoints", &format!("in {}", format::path(data_dir)));
    let key = if keys == 0 { "tml-local" } else { "KEY" };
    let export = format!(
        "export TINKER_BASE_URL={} TINKER_API_KEY={key}",
        listening.url
    );
    printer.print_labelled("clients", &paint(STRONG, export));
    if keys > 0 {
        let keys = format!("{} accepted", format::count(keys, "key"));
        printer.print_labelled("API keys", &keys);
    }
    if !args.host.is_loopback() {
        let url = &listening.url;
        printer.print_note(&if keys == 0 {
            format!("everyone who can reach {url} can use the engine")
        } else {
            format!("{url} has no TLS: use it through a proxy with TLS or an SSH tunnel, or keys can be read on the way")
        });
    }
    printer.print_labelled("", "Ctrl-C stops it");
}

async fn listen(args: &Args) -> anyhow::Result<TcpListener> {
    TcpListener::bind((args.host, args.port))
        .await
        .map_err(|error| {
            let address = format!("{}:{}", args.host, args.port);
            match error.kind() {
                ErrorKind::AddrInUse => {
                    anyhow::anyhow!(
                        "{address} is in use; choose another --port, or 0 for a free one"
                    )
                }
                _ => anyhow::Error::from(error).context(format!("cannot listen on {address}")),
            }
        })
}
