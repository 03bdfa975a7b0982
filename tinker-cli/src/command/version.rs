//! `tinker version`

use serde::Serialize;

use crate::context::Context;
use crate::look::Look;
use crate::report::Answer;

#[derive(Debug, Serialize)]
struct Version {
    version: &'static str,
}

impl Answer for Version {
    fn to_text(&self, _: Look) -> String {
        format!("tinker {}\n", self.version)
    }
}

/// Prints the version.
pub(crate) fn run(context: &Context) -> anyhow::Result<()> {
    context.report.print(&Version {
        version: env!("CARGO_PKG_VERSION"),
    })
}
