//! `tinker checkpoint import`: an adapter of another program becomes a checkpoint.

#![expect(clippy::doc_markdown, reason = "doc comments of options are help text")]

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Serialize;
use tinker_client::CheckpointPath;

use crate::connect::ServiceArgs;
use crate::context::Context;
use crate::exit::Usage;
use crate::peft_folder::PeftFolder;
use crate::report::Printable;
use crate::style::TerminalStyle;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder with adapter_config.json and adapter_model.safetensors, as peft, TRL, unsloth, axolotl or LLaMA-Factory
    /// write it.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Base model of the adapter, or its folder [default: base_model_name_or_path of the adapter].
    #[arg(short, long, value_name = "MODEL")]
    model: Option<String>,
    #[command(flatten)]
    service: ServiceArgs,
}

/// The imported adapter.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Imported {
    #[cfg_attr(test, schemars(with = "String"))]
    tinker_path: CheckpointPath,
    base_model: String,
    lora_rank: u32,
}

impl Printable for Imported {
    fn to_text(&self, _: TerminalStyle) -> String {
        format!("{}\n", self.tinker_path)
    }
}

/// Imports an adapter.
pub(super) async fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    let adapter = PeftFolder::open(&args.folder)?;
    let named = args.model.as_deref().or_else(|| adapter.base_model());
    let named = named.ok_or_else(|| {
        Usage("the adapter does not name its base model; name it with --model".to_owned())
    })?;
    let lora = adapter.lora_config();
    let (service, base_model) = args.service.open_with_model(named, context)?;
    if Path::new(named).is_dir() && base_model == named {
        let message = format!(
            "{named} is a folder of this machine; name the model as {} does, with --model",
            service.name
        );
        return Err(Usage(message).into());
    }
    let files = adapter.files()?.into_iter();
    let files = files.map(|(name, bytes)| (name, bytes.into())).collect();
    let rank = lora.rank;
    let uploaded = service
        .client
        .checkpoints()
        .upload(&base_model, lora, files)
        .await;
    let tinker_path =
        uploaded.with_context(|| format!("{} cannot be imported", args.folder.display()))?;
    context
        .printer
        .print_labelled("imported", &format!("rank {rank}, base model {base_model}"));
    context.report.print(&Imported {
        tinker_path,
        base_model,
        lora_rank: rank,
    })
}
