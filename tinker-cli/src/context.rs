//! What every command needs: where results go, what may be said, how the program is called.

use crate::args::Output;
use crate::look::Look;
use crate::program;
use crate::report::{Format, Report};
use crate::talk::Talk;

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
