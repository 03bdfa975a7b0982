//! Tokenizer and template that data are encoded with, and files that results are written to.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tinker_data::{Renderer, Tokenizer};

use crate::connect::{TemplateArgs, renderer_of_files};
use crate::exit::Usage;

/// The model whose tokenizer and template are used.
#[derive(Debug, clap::Args)]
pub(super) struct ModelArgs {
    /// Folder of a Hugging Face model or tokenizer, whose tokenizer and chat template encode the data [default: those of
    /// the built-in model].
    #[arg(short, long, visible_alias = "tokenizer", value_name = "FOLDER")]
    model: Option<PathBuf>,
    #[command(flatten)]
    template: TemplateArgs,
}

impl ModelArgs {
    /// The tokenizer and the template.
    pub(super) fn renderer(&self) -> anyhow::Result<Renderer> {
        match &self.model {
            Some(folder) => renderer_of_files(folder, &self.template),
            None => Ok(Renderer::new(Tokenizer::bytes(), self.template.plain()?)),
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
