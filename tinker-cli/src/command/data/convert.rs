//! `tinker data convert`: data files in another format.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Serialize;
use tinker_data::{DatasetError, Example, Index, Json, LengthLimit, LineError, Row};

use super::target::{ModelArgs, create, refuse_same};
use crate::context::Context;
use crate::data_files::{ReadArgs, print_notes, weight};
use crate::encoding::encode;
use crate::format::{self, labelled};
use crate::report::Printable;
use crate::style::{LABEL, TerminalStyle};

/// Write data files as JSON Lines in one format.
///
/// With several files and --mix, rows are taken by weight and shuffled.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tinker data convert sharegpt.json --to chat --output chats.jsonl
  tinker data convert faq.csv --to prompt-completion
  tinker data convert chats.jsonl --to tokens --model ~/models/Qwen3-0.6B --output tokens.jsonl
  tinker data convert math.jsonl prose.jsonl --mix 2,0.5 --output mixture.jsonl")]
pub(super) struct Args {
    /// Files, patterns, or `-` for standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Format to write; `same` keeps the format of each row.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = WrittenFormat::Same)]
    to: WrittenFormat,
    /// File to write; `-` is stdout.
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    /// Replace an existing file.
    #[arg(long)]
    force: bool,
    /// Number of times that the rows of each file are taken, in the order of the files: 2 takes them twice, 0.5 a random
    /// half.
    #[arg(long, value_name = "WEIGHTS", value_delimiter = ',', value_parser = weight)]
    mix: Vec<f64>,
    /// Random seed of the mixture.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    read: ReadArgs,
}

/// Formats that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum WrittenFormat {
    Same,
    Chat,
    PromptCompletion,
    Tokens,
}

/// Result of the conversion.
#[derive(Debug, Serialize)]
struct Converted {
    output: String,
    rows: usize,
}

/// Converts and writes.
pub(super) async fn run(args: &Args, context: &Context) -> anyhow::Result<()> {
    refuse_same(&args.files, &args.output)?;
    if args.to != WrittenFormat::Tokens {
        args.model
            .refuse("nothing is encoded; add --to tokens, or leave the option out")?;
    }
    let printer = context.printer;
    let mut has_messages = false;
    let mut read = args.read.index(&args.files, None, printer, &mut |row| {
        has_messages |= row.example.has_messages();
    })?;
    read.mix(&args.mix, args.seed)?;
    print_notes(read.rows.notes(), printer);
    let rows = if args.to == WrittenFormat::Tokens {
        args.model.refuse_inert(has_messages)?;
        let renderer = args.model.renderer(&args.read, context.printer).await?;
        let sequences = encode(&read.rows, &renderer, LengthLimit::Unknown, printer)?;
        let mut output = Output::create(args)?;
        for example in sequences.examples() {
            output.write(&Example::Tokens(example?.datum).to_json())?;
        }
        output.finish()?
    } else {
        // All rows are converted before the file is made, so that it is whole or absent.
        args.check(&read.rows)?;
        let mut output = Output::create(args)?;
        for row in read.rows.rows() {
            output.write(&args.converted(&row?).map_err(DatasetError::from)?)?;
        }
        output.finish()?
    };
    if args.output.as_os_str() == "-" {
        return Ok(());
    }
    context.report.print(&Converted {
        output: args.output.display().to_string(),
        rows,
    })
}

impl Args {
    /// Refuses rows that cannot be converted, all of them at once.
    fn check(&self, rows: &Index) -> Result<(), DatasetError> {
        let mut errors = Vec::new();
        for row in rows.rows() {
            errors.extend(self.converted(&row?).err());
        }
        let path = rows.paths().next().unwrap_or("".as_ref());
        DatasetError::new(path, errors).map_or(Ok(()), Err)
    }

    fn converted(&self, row: &Row) -> Result<Json, LineError> {
        Ok(match self.to {
            WrittenFormat::Chat => row.to_chat()?.to_json(),
            WrittenFormat::PromptCompletion => row.to_completion()?.to_json(),
            WrittenFormat::Same | WrittenFormat::Tokens => row.example.to_json(),
        })
    }
}

/// The file that is written.
struct Output<'a> {
    path: &'a Path,
    file: Box<dyn Write>,
    rows: usize,
}

impl<'a> Output<'a> {
    fn create(args: &'a Args) -> anyhow::Result<Self> {
        Ok(Self {
            path: &args.output,
            file: create(&args.output, args.force)?,
            rows: 0,
        })
    }

    fn write(&mut self, line: &Json) -> anyhow::Result<()> {
        self.rows += 1;
        let written = writeln!(self.file, "{line}");
        written.with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// Number of rows.
    fn finish(mut self) -> anyhow::Result<usize> {
        let written = self.file.flush();
        written.with_context(|| format!("cannot write {}", self.path.display()))?;
        Ok(self.rows)
    }
}

impl Printable for Converted {
    fn to_text(&self, _: TerminalStyle) -> String {
        let text = format!("{} to {}", format::count(self.rows, "row"), self.output);
        format!("{}\n", labelled(LABEL, "wrote", &text))
    }
}
