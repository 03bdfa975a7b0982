//! `tinker serve plan`: how to start another server, for models that need GPUs.

mod deployment;
mod layout;
mod outline;
mod skyrl;
mod tuft;

use std::num::NonZeroU16;
use std::path::Path;

use tinker_client::profile::{BUILT_IN, BuiltIn};

use crate::context::Context;
use crate::exit::Usage;
use crate::format::shell_word;
use deployment::Deployment;
use layout::Layout;
use outline::{Plan, Step};

/// Print the commands, settings and ports that start another server.
///
/// For models that need GPUs. Nothing is installed, written or started.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tinker serve plan --server skyrl --model Qwen/Qwen3-8B --gpus 8 --nodes 2
  tinker serve plan --server tuft --model ./merged --gpus 4
  tinker serve plan --server skyrl --model Qwen/Qwen3-8B --json")]
pub(crate) struct Args {
    /// The server; an unknown name prints the list.
    #[arg(long, value_name = "NAME")]
    server: String,
    /// Base model: a name on Hugging Face, or a folder, as `tinker export --merged` writes it.
    #[arg(short, long, value_name = "MODEL")]
    model: String,
    /// GPUs of each machine [default: 1].
    #[arg(long, value_name = "N")]
    gpus: Option<NonZeroU16>,
    /// Number of machines [default: 1].
    #[arg(long, value_name = "N")]
    nodes: Option<NonZeroU16>,
    /// GPUs that share one copy of the model for sampling [default: 1].
    #[arg(long, value_name = "N")]
    tensor_parallel: Option<NonZeroU16>,
    /// Port of the API [default: that of the server].
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
}

/// Prints the plan.
pub(crate) fn run(args: &Args, context: &Context) -> anyhow::Result<()> {
    let server = BuiltIn::find(&args.server).filter(|server| !server.start.is_empty());
    let server = server.ok_or_else(|| unknown(&args.server))?;
    let deployment = args.deployment()?;
    let mut plan = match server.name {
        "skyrl" => skyrl::plan(&deployment, server)?,
        "tuft" => tuft::plan(&deployment, server)?,
        _ => documented(args, deployment, server)?,
    };
    plan.notes
        .extend(server.notes.iter().map(|&note| note.to_owned()));
    plan.steps.push(connect(args, server, &context.program));
    context.report.print(&plan)
}

fn unknown(name: &str) -> Usage {
    let known = BUILT_IN.iter().filter(|server| !server.start.is_empty());
    let known: Vec<&str> = known.map(|server| server.name).collect();
    Usage(format!(
        "no plan for a server {name:?}; there is one for {}",
        known.join(", ")
    ))
}

/// A server whose documented start command is all that is known.
fn documented(
    args: &Args,
    deployment: Deployment,
    server: &'static BuiltIn,
) -> Result<Plan, Usage> {
    for (option, is_given) in [
        ("--gpus", args.gpus.is_some()),
        ("--nodes", args.nodes.is_some()),
        ("--tensor-parallel", args.tensor_parallel.is_some()),
        ("--port", args.port.is_some()),
    ] {
        if is_given {
            return Err(Usage(format!(
                "{option} has no effect on the plan of {}; set it in the configuration of that server",
                server.title
            )));
        }
    }
    let mut notes: Vec<String> = deployment.folder_note().into_iter().collect();
    let Deployment { model, .. } = deployment;
    let word = shell_word(&model);
    let start = server.start.iter().map(|line| line.replace("MODEL", &word));
    if !server.start.iter().any(|line| line.contains("MODEL")) {
        notes.push(format!(
            "set the model, {model}, in the configuration or the script of the server"
        ));
    }
    Ok(Plan {
        server: server.name,
        title: server.title,
        model,
        gpus: None,
        files: Vec::new(),
        steps: vec![Step {
            purpose: format!("In the environment of {}, start the server", server.title),
            commands: start.collect(),
        }],
        ports: Vec::new(),
        notes,
    })
}

impl Args {
    fn deployment(&self) -> Result<Deployment, Usage> {
        let number = |given: Option<NonZeroU16>| given.map_or(1, u16::from);
        Ok(Deployment {
            name: self.model.clone(),
            model: self.model()?,
            layout: Layout {
                gpus: number(self.gpus),
                nodes: number(self.nodes),
                tensor_parallel: number(self.tensor_parallel),
            },
            port: self.port,
        })
    }

    /// The model as the server reads it: a folder by its absolute path.
    fn model(&self) -> Result<String, Usage> {
        let path = Path::new(&self.model);
        if path.is_dir() {
            let full = std::fs::canonicalize(path)
                .map_err(|error| Usage(format!("--model {}: {error}", self.model)))?;
            return Ok(full.display().to_string());
        }
        let looks_like_path = path.is_absolute() || self.model.starts_with('.');
        if looks_like_path || self.model.starts_with("tinker://") {
            return Err(Usage(format!(
                "--model {}: not a folder; give a name on Hugging Face or the folder of a model, as `tinker export --merged` \
                 writes it",
                self.model
            )));
        }
        Ok(self.model.clone())
    }
}

/// Commands that wait for the server and use it.
fn connect(args: &Args, server: &BuiltIn, program: &str) -> Step {
    let port = args.port.or_else(|| server.port()).unwrap_or(80);
    let url = format!("http://HEAD:{port}");
    let mut commands = Vec::new();
    if let Some(key) = server.key {
        commands.push(format!("export TINKER_API_KEY={key}"));
    }
    commands.push(format!("{program} wait {url} --timeout 1800"));
    commands.push(format!(
        "{program} train DATA.jsonl --base-url {url} --save-every 50"
    ));
    Step {
        purpose: "Here, wait until it is ready, and train; HEAD is the machine of the API"
            .to_owned(),
        commands,
    }
}
