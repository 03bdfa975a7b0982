//! Context of every command: where output goes, and the name of the program.

use crate::interrupt::Interrupt;
use crate::options::{Options, Typed};
use crate::printer::Printer;
use crate::program;
use crate::report::{OutputFormat, Report};
use crate::style::{self, TerminalStyle};

/// Options of every command.
#[derive(Debug, Clone, clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of the command line"
)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// Print the result as JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print only the result, without progress and notes.
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Log requests, retries and the engine; -vv logs more.
    #[arg(short, long, global = true, action = clap::ArgAction::Count, conflicts_with = "quiet")]
    pub(crate) verbose: u8,
    /// Print progress as lines, without bars and live views; the default without a terminal, with `NO_COLOR`, and
    /// with `TERM=dumb`.
    #[arg(long, global = true)]
    pub(crate) plain: bool,
    /// Print ASCII characters only; the default if the locale is not UTF-8.
    #[arg(long, global = true)]
    pub(crate) ascii: bool,
}

/// Context of a command.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// Prints results.
    pub(crate) report: Report,
    /// Prints progress and notes.
    pub(crate) printer: Printer,
    /// Ctrl-C, for the commands that do not print a notice of their own.
    pub(crate) interrupt: Interrupt,
    /// Shell words that start this program again.
    pub(crate) program: String,
    options: Options,
}

impl Context {
    /// Applies the options.
    pub(crate) fn new(output: &OutputArgs, options: Options) -> Self {
        let style = TerminalStyle::detect(output.ascii);
        let format = if output.json {
            OutputFormat::Json
        } else {
            OutputFormat::Text
        };
        Self {
            report: Report::new(format, style),
            printer: Printer {
                quiet: output.quiet,
                is_live: !output.plain && style::has_live_progress(),
                style,
            },
            interrupt: Interrupt::default(),
            program: program::name(),
            options,
        }
    }

    /// Whether an option, for example `--rank`, is on the command line.
    pub(crate) fn has_typed(&self, option: &str) -> bool {
        self.options.typed.iter().any(|name| name == option)
    }

    /// The arguments on the command line, with their values.
    pub(crate) fn typed(&self) -> &[Typed] {
        &self.options.values
    }

    /// The same context with more options that count as typed, those of a recipe file for example.
    pub(crate) fn with_typed(&self, options: Vec<String>) -> Self {
        let mut context = self.clone();
        context.options.typed.extend(options);
        context
    }

    /// Whether the command has an option.
    pub(crate) fn offers(&self, option: &str) -> bool {
        self.options.offered.iter().any(|name| name == option)
    }
}
