//! `tinker data convert`: data files in another format.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use serde::Serialize;
use tinker_data::{Dataset, DatasetError, Example, Json, LengthLimit, LineError, Renderer, Row};

use super::target::{ModelArgs, create, refuse_same};
use crate::context::Context;
use crate::data_files::{ReadArgs, mixed, print_notes, weight};
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
pub(super) fn run(args: &Args, context: &Context) -> anyhow::Result<()> {
    refuse_same(&args.files, &args.output)?;
    let renderer = args.model.renderer()?;
    let (parts, _) = args.read.read(&args.files)?;
    let dataset = mixed(parts, &args.mix, args.seed)?;
    print_notes(&dataset.notes, context.printer);
    let lines = args.lines(&dataset, &renderer)?;
    let mut output = create(&args.output, args.force)?;
    let written = lines.iter().try_for_each(|line| writeln!(output, "{line}"));
    let written = written.and_then(|()| output.flush());
    written.with_context(|| format!("cannot write {}", args.output.display()))?;
    if args.output.as_os_str() == "-" {
        return Ok(());
    }
    context.report.print(&Converted {
        output: args.output.display().to_string(),
        rows: lines.len(),
    })
}

impl Args {
    /// The rows to write.
    fn lines(&self, dataset: &Dataset, renderer: &Renderer) -> anyhow::Result<Vec<Json>> {
        if self.to == WrittenFormat::Tokens {
            let encoded = dataset.encode(renderer, LengthLimit::Unknown)?;
            let examples = encoded.examples.into_iter();
            return Ok(examples
                .map(|example| Example::Tokens(example.datum).to_json())
                .collect());
        }
        let convert = |row: &Row| -> Result<Json, LineError> {
            Ok(match self.to {
                WrittenFormat::Chat => row.to_chat()?.to_json(),
                WrittenFormat::PromptCompletion => row.to_completion()?.to_json(),
                WrittenFormat::Same | WrittenFormat::Tokens => row.example.to_json(),
            })
        };
        let mut lines = Vec::new();
        let mut errors = Vec::new();
        for row in &dataset.rows {
            match convert(row) {
                Ok(line) => lines.push(line),
                Err(error) => errors.push(error),
            }
        }
        match DatasetError::new(&dataset.path, errors) {
            Some(error) => Err(error.into()),
            None => Ok(lines),
        }
    }
}

impl Printable for Converted {
    fn to_text(&self, _: TerminalStyle) -> String {
        let text = format!("{} to {}", format::count(self.rows, "row"), self.output);
        format!("{}\n", labelled(LABEL, "wrote", &text))
    }
}
