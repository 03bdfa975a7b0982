//! Objects that are read again and again, and what has changed.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::clock;
use crate::context::Context;
use crate::exit::Usage;
use crate::report;

/// Clears the terminal and goes to its first line.
const CLEAR: &str = "\x1b[2J\x1b[H";

/// The option to watch.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct WatchArgs {
    /// Read again every N seconds (5), until Ctrl-C. A terminal shows the newest state; with --json each change is a line.
    #[arg(
        long,
        value_name = "N",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "5",
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    watch: Option<u64>,
}

/// The objects that were read at one time.
#[derive(Debug)]
pub(crate) struct Seen {
    /// The text for a terminal.
    pub(crate) text: Vec<u8>,
    /// The objects by their names.
    pub(crate) objects: BTreeMap<String, Value>,
    /// Whether these are all objects, so that the others no longer exist.
    pub(crate) is_whole: bool,
}

/// A change of an object: a line of `--watch --json`.
#[derive(Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Change {
    #[serde(rename = "change")]
    kind: ChangeKind,
    /// Time at which the change was seen.
    time: String,
    /// The object after the change; a removed one as it was last seen.
    object: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
enum ChangeKind {
    /// It exists, and was not seen before.
    Added,
    Changed,
    /// It no longer exists. Reported for complete lists only (`--limit 0`).
    Removed,
}

impl WatchArgs {
    /// The time between two reads. `None` to read once.
    pub(crate) fn every(self, context: &Context) -> Result<Option<Duration>, Usage> {
        let is_possible = !context.report.is_text() || std::io::stdout().is_terminal();
        match self.watch {
            Some(_) if !is_possible => {
                let message = "--watch needs a terminal, or --json";
                Err(Usage(message.to_owned()))
            }
            every => Ok(every.map(Duration::from_secs)),
        }
    }
}

/// Reads and prints until the caller stops.
pub(crate) async fn watch(
    every: Duration,
    context: &Context,
    read: impl AsyncFn() -> anyhow::Result<Seen>,
) -> anyhow::Result<()> {
    let mut known = BTreeMap::new();
    loop {
        let seen = read().await?;
        if context.report.is_text() {
            report::write(&[CLEAR.as_bytes(), &seen.text].concat())?;
            let line = format!("read at {}; Ctrl-C ends", clock::now());
            context.printer.print_line(&line);
        } else {
            let mut lines = Vec::new();
            for change in changes(&mut known, seen, &clock::now()) {
                serde_json::to_writer(&mut lines, &change)?;
                lines.push(b'\n');
            }
            report::write(&lines)?;
        }
        tokio::time::sleep(every).await;
    }
}

/// The changes since the last time. `known` becomes what is known now.
fn changes(known: &mut BTreeMap<String, Value>, seen: Seen, time: &str) -> Vec<Change> {
    let change = |kind, object: &Value| Change {
        kind,
        time: time.to_owned(),
        object: object.clone(),
    };
    let mut found = Vec::new();
    if seen.is_whole {
        known.retain(|name, object| {
            let is_there = seen.objects.contains_key(name);
            if !is_there {
                found.push(change(ChangeKind::Removed, object));
            }
            is_there
        });
    }
    for (name, object) in seen.objects {
        match known.get(&name) {
            Some(old) if *old == object => continue,
            Some(_) => found.push(change(ChangeKind::Changed, &object)),
            None => found.push(change(ChangeKind::Added, &object)),
        }
        known.insert(name, object);
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn changes_are_found_between_two_reads() {
        let mut known = BTreeMap::new();
        let mut read = |objects: &[(&str, u32)], is_whole| {
            let objects = objects.iter();
            let seen = Seen {
                text: Vec::new(),
                objects: objects
                    .map(|(name, value)| ((*name).to_owned(), json!(value)))
                    .collect(),
                is_whole,
            };
            let changes = changes(&mut known, seen, "now").into_iter();
            changes
                .map(|change| (change.kind, change.object))
                .collect::<Vec<_>>()
        };
        let (added, changed, removed) =
            (ChangeKind::Added, ChangeKind::Changed, ChangeKind::Removed);
        let first = read(&[("a", 1), ("b", 1)], true);
        assert_eq!(first, [(added, json!(1)), (added, json!(1))]);
        assert!(read(&[("a", 1), ("b", 1)], true).is_empty());
        assert_eq!(read(&[("b", 2)], false), [(changed, json!(2))]);
        // A missing object counts as removed only if the whole list was read.
        assert_eq!(read(&[("b", 2)], true), [(removed, json!(1))]);
        assert_eq!(read(&[("a", 1), ("b", 2)], true), [(added, json!(1))]);
    }

    #[test]
    fn changes_have_the_schema_in_the_tree() {
        crate::schema::check::<Change>("watch");
    }
}
