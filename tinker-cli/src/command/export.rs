//! `tinker export`: checkpoints as files for other programs.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::ValueEnum;
use serde::Serialize;
use tinker_local::{BaseModelSource, ExportError, ExportTarget, Exported, SavedAdapter, Storage};
use tinker_types::CheckpointPath;

use crate::connect::{BUILT_IN_MODEL, TemplateArgs, engine, reference, renderer_of_files};
use crate::context::Context;
use crate::exit::Usage;
use crate::format;
use crate::peft_folder::PeftFolder;
use crate::report::Printable;
use crate::style::TerminalStyle;

/// Write a checkpoint of the built-in engine as files for other programs.
///
/// By default, writes the adapter alone, for Python's peft. With --merged, writes the whole model, for transformers and
/// other programs that read Hugging Face folders, such as `tinker serve --model`. Works with and without a running
/// engine.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tinker export tinker://RUN/weights/final --out my-adapter
  tinker export latest --out my-adapter
  tinker export tinker://RUN/weights/final --out my-model --merged
  tinker export tinker://RUN/weights/final --out my-model --merged --dtype f32 --force
  tinker export tinker-local/tiny --out tiny

In Python:
  PeftModel.from_pretrained(base, 'my-adapter')
  AutoModelForCausalLM.from_pretrained('my-model')")]
pub(crate) struct Args {
    /// Checkpoint: its tinker:// address, or a run id, a run folder or `latest` for the newest one of that run. Or
    /// tinker-local/tiny for the built-in model itself.
    #[arg(value_name = "CHECKPOINT", add = crate::completion::saved_checkpoints())]
    source: String,
    /// Folder to write. It must not exist, or be empty.
    #[arg(short, long, visible_alias = "output", value_name = "DIR")]
    out: PathBuf,
    /// Add the adapter to the weights of its base model, and write the whole model.
    #[arg(long)]
    merged: bool,
    /// Precision of the weights [default: that of the base model].
    #[arg(long, value_name = "DTYPE")]
    dtype: Option<Dtype>,
    /// Folder of the base model, if it was moved (with --merged only: an adapter is written without it).
    #[arg(long, value_name = "DIR", requires = "merged")]
    base: Option<PathBuf>,
    /// Replace an earlier export in the folder.
    #[arg(long)]
    force: bool,
    /// Folder of checkpoints [default: ~/.tinker/local].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dtype {
    F32,
    F16,
    Bf16,
}

impl From<Dtype> for Storage {
    fn from(dtype: Dtype) -> Self {
        match dtype {
            Dtype::F32 => Self::F32,
            Dtype::F16 => Self::F16,
            Dtype::Bf16 => Self::Bf16,
        }
    }
}

/// The files that were written.
#[derive(Debug, Serialize)]
struct Written {
    source: String,
    base_model: String,
    /// `adapter`, `merged` or `base`.
    kind: &'static str,
    folder: String,
    files: Vec<File>,
}

#[derive(Debug, Serialize)]
struct File {
    name: String,
    bytes: u64,
}

impl Printable for Written {
    fn to_text(&self, _: TerminalStyle) -> String {
        let width = self.files.iter().map(|file| file.name.len()).max();
        let width = width.unwrap_or(0);
        let mut text = format!("{}\n", self.folder);
        for File { name, bytes } in &self.files {
            text += &format!("  {name:width$}  {:>14} bytes\n", format::number(*bytes));
        }
        text
    }
}

/// Writes the files.
pub(crate) fn run(args: &Args, context: &Context) -> anyhow::Result<()> {
    let output = ExportTarget::new(&args.out).replacing(args.force);
    let storage = args.dtype.map(Storage::from);
    let mut source = args.source.clone();
    let (base_model, kind, exported) = if args.source == BUILT_IN_MODEL {
        let exported = BaseModelSource::Builtin.write(storage, &output);
        (BUILT_IN_MODEL.to_owned(), "base", exported)
    } else {
        let saved = args.open(context)?;
        source = saved.path().to_string();
        let base_model = saved.base_model().to_owned();
        if args.merged {
            let base = args.base.as_deref();
            if base.is_none() {
                reference::base_folder(&saved, "name its new place with --base FOLDER")?;
            }
            let exported = write_merged(&saved, base, args.dtype, &output);
            (base_model, "merged", exported)
        } else if storage.is_some() {
            let message = "--dtype applies to --merged weights and the base model; adapters are always written in f32";
            return Err(Usage(message.to_owned()).into());
        } else {
            (base_model, "adapter", saved.write_peft(&output))
        }
    };
    let Exported { folder, files, .. } =
        exported.with_context(|| format!("cannot export {source}"))?;
    if kind == "adapter" {
        for finding in PeftFolder::open(&folder)?.findings() {
            context.printer.print_note(&finding);
        }
    }
    let file = |(name, bytes)| File { name, bytes };
    context.report.print(&Written {
        source,
        base_model,
        kind,
        folder: folder.display().to_string(),
        files: files.into_iter().map(file).collect(),
    })
}

/// Writes the base model, from its folder at the time of training or another, with the adapter merged into it.
pub(crate) fn write_merged(
    saved: &SavedAdapter,
    base: Option<&Path>,
    dtype: Option<Dtype>,
    output: &ExportTarget,
) -> Result<Exported, ExportError> {
    let base = with_template_end(saved.base(base));
    saved.write_merged(&base, dtype.map(Storage::from), output)
}

/// The base with the token that its chat template writes after an answer among its end tokens.
fn with_template_end(base: BaseModelSource) -> BaseModelSource {
    let BaseModelSource::Folder(folder) = base else {
        return base;
    };
    match renderer_of_files(folder.path(), &TemplateArgs::default()) {
        Ok(renderer) => {
            let ends = renderer.end_tokens().iter().copied();
            BaseModelSource::Folder(folder.with_end_tokens(ends))
        }
        Err(error) => {
            tracing::info!(%error, "the end tokens are those of config.json");
            BaseModelSource::Folder(folder)
        }
    }
}

impl Args {
    /// Opens the checkpoint. Anything but an address is looked up, and the result is printed.
    fn open(&self, context: &Context) -> anyhow::Result<SavedAdapter> {
        let text = self.source.as_str();
        let data_dir = engine::data_dir(self.data_dir.as_deref())?;
        if CheckpointPath::is_address(text) {
            let path = text.parse();
            let path =
                path.map_err(|error| Usage(format!("{text} is not a checkpoint: {error}")))?;
            return Ok(SavedAdapter::open(&data_dir, &path)?);
        }
        let saved = if let Some(path) = reference::of_run_folder(text, &[])? {
            Some(SavedAdapter::open(&data_dir, &path)?)
        } else if reference::can_be_run(text) {
            reference::of_data_folder(text, &data_dir)?
        } else {
            None
        };
        let saved = saved.ok_or_else(|| {
            let folder = format::path(&data_dir);
            let what = reference::unknown(text);
            Usage(format!(
                "{what} with checkpoints in {folder}; {BUILT_IN_MODEL} is the built-in model"
            ))
        })?;
        let path = saved.path().to_string();
        context.printer.print_labelled("checkpoint", &path);
        Ok(saved)
    }
}
