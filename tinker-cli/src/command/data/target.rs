//! Common parts of the subcommands: the model that data are encoded for, files that are written, errors of files.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tinker_data::{DatasetError, Renderer};

use crate::connect::{BUILT_IN_MODEL, TemplateArgs, WITHOUT_MESSAGES, renderer_of_name};
use crate::data_files::ReadArgs;
use crate::encoding::LearnArg;
use crate::exit::Usage;
use crate::printer::Printer;

/// The model whose tokenizer and template are used.
#[derive(Debug, clap::Args)]
pub(super) struct ModelArgs {
    /// Model whose tokenizer and chat template encode the data: a folder, or a name on the Hugging Face Hub, whose files
    /// are taken from its cache or fetched [default: the built-in model].
    #[arg(short, long, visible_alias = "tokenizer", value_name = "MODEL")]
    model: Option<PathBuf>,
    #[command(flatten)]
    template: TemplateArgs,
    /// Answers of a conversation to learn.
    #[arg(long, value_name = "ANSWERS", value_enum, default_value_t)]
    learn: LearnArg,
}

impl ModelArgs {
    /// The tokenizer and the template.
    pub(super) async fn renderer(
        &self,
        read: &ReadArgs,
        printer: Printer,
    ) -> anyhow::Result<Renderer> {
        let model = self.model.as_deref();
        let name = model.unwrap_or(Path::new(BUILT_IN_MODEL));
        let renderer = renderer_of_name("--model", name, &self.template, printer).await?;
        let renderer = renderer.with_learn(self.learn.into());
        Ok(renderer.with_empty_answers(read.allow_empty))
    }

    /// Refuses options without effect on these rows.
    pub(super) fn refuse_inert(&self, has_messages: bool) -> Result<(), Usage> {
        self.template.refuse_inert(has_messages, WITHOUT_MESSAGES)
    }

    /// Refuses all of the options.
    pub(super) fn refuse(&self, fix: &str) -> Result<(), Usage> {
        let model = self.model.as_ref().map(|_| "--model");
        match model.or(self.template.given()) {
            Some(option) => Err(Usage(format!("{option} has no effect: {fix}"))),
            None => Ok(()),
        }
    }

    /// Their name.
    pub(super) fn name(&self) -> String {
        match &self.model {
            Some(folder) => folder.display().to_string(),
            None => "the built-in model (a token is a byte)".to_owned(),
        }
    }
}

/// Prints the errors of files; the last one is the error of the command.
pub(super) fn finish(mut errors: Vec<DatasetError>, printer: Printer) -> anyhow::Result<()> {
    let last = errors.pop();
    for error in errors {
        printer.print_line(&error.to_string());
    }
    last.map_or(Ok(()), |error| Err(error.into()))
}

/// Creates a file for results. An existing one is kept, unless `force` is set; `-` is stdout.
pub(super) fn create(path: &Path, force: bool) -> anyhow::Result<Box<dyn Write>> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(BufWriter::new(std::io::stdout())));
    }
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    if !force {
        options.create_new(true);
    }
    match options.open(path) {
        Ok(file) => Ok(Box::new(BufWriter::new(file))),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let message = format!("{} exists; --force replaces it", path.display());
            Err(Usage(message).into())
        }
        Err(error) => Err(error).with_context(|| format!("cannot create {}", path.display())),
    }
}

/// Refuses to write into a file that is read.
pub(super) fn refuse_same(files: &[PathBuf], output: &Path) -> Result<(), Usage> {
    let canonical = |path: &Path| path.canonicalize().ok();
    let target = canonical(output);
    if target.is_some() && files.iter().any(|file| canonical(file) == target) {
        let message = format!(
            "{} is read and would be written; name another file",
            output.display()
        );
        return Err(Usage(message));
    }
    Ok(())
}
