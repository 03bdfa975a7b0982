//! `tinker version`: the version of the program.

use serde::Serialize;

use crate::context::Context;
use crate::report::Printable;
use crate::style::TerminalStyle;

#[derive(Debug, Serialize)]
struct Version {
    version: &'static str,
}

impl Printable for Version {
    fn to_text(&self, _: TerminalStyle) -> String {
        format!("tinker {}\n", self.version)
    }
}

/// Prints the version.
pub(crate) fn run(context: &Context) -> anyhow::Result<()> {
    context.report.print(&Version {
        version: env!("CARGO_PKG_VERSION"),
    })
}
