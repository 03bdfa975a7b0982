//! What every command needs: where results go, what may be said, how the program is called.

use crate::look::Look;
use crate::program;
use crate::report::{Format, Report};
use crate::talk::Talk;

/// Options of every command.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Output {
    /// Print the result as JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print the result and nothing else: no progress, no notes.
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Log what goes on between this program and the server; -vv logs more.
    #[arg(short, long, global = true, action = clap::ArgAction::Count, conflicts_with = "quiet")]
    pub(crate) verbose: u8,
    /// Draw with plain characters. Chosen by itself when the locale is not UTF-8.
    #[arg(long, global = true)]
    pub(crate) ascii: bool,
}

/// Given to every command.
#[derive(Debug)]
pub(crate) struct Context {
    /// Prints results.
    pub(crate) report: Report,
    /// Says things on the way.
    pub(crate) talk: Talk,
    /// The words that start this program again.
    pub(crate) program: String,
}

impl Context {
    /// As the options ask for.
    pub(crate) fn new(output: &Output) -> Self {
        let look = Look::of_terminal(output.ascii);
        let format = if output.json {
            Format::Json
        } else {
            Format::Text
        };
        Self {
            report: Report::new(format, look),
            talk: Talk {
                quiet: output.quiet,
                look,
            },
            program: program::name(),
        }
    }
}
