//! Shell completion: the program answers what can follow, with the runs and checkpoints that exist.

mod bash;
mod origin;

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap_complete::engine::{
    ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter as _,
};
use clap_complete::env::{CompleteEnv, Elvish, Fish, Powershell, Shells, Zsh};

use crate::connect::reference;
use bash::Bash;
use origin::Origin;

/// Variable that asks for completions, with the name of the shell. Set by the scripts of `tinker completions`.
const VARIABLE: &str = "TINKER_COMPLETE";

const SHELLS: Shells<'static> = Shells(&[&Bash, &Elvish, &Fish, &Powershell, &Zsh]);

/// Folder in which `tinker train` makes run folders.
const RUNS: &str = "runs";

/// Answers a completion request of a shell. `None` if there is none. On failure nothing is printed: the text would
/// end up in the line that the user is typing.
pub(crate) fn answer(line: impl Fn() -> clap::Command) -> Option<bool> {
    std::env::var_os(VARIABLE).filter(|shell| !shell.is_empty() && shell != "0")?;
    let words: Vec<OsString> = std::env::args_os().collect();
    let current_dir = std::env::current_dir().ok();
    let completion = CompleteEnv::with_factory(line)
        .var(VARIABLE)
        .shells(SHELLS)
        .try_complete(words, current_dir.as_deref());
    Some(completion.unwrap_or(false))
}

/// The script that makes a shell ask this program. `None` for a shell without one.
pub(crate) fn script(shell: &str) -> Option<Vec<u8>> {
    let mut script = Vec::new();
    let writer = SHELLS.completer(shell)?;
    writer
        .write_registration(VARIABLE, "tinker", "tinker", "tinker", &mut script)
        .ok()?;
    Some(script)
}

/// Completes checkpoints: addresses, and all that names a run.
pub(crate) fn checkpoints() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| candidates(current, &Origin::of_line(), true))
}

/// Completes runs.
pub(crate) fn runs() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| candidates(current, &Origin::of_line(), false))
}

/// Completes checkpoints of the built-in engine.
#[cfg(feature = "local")]
pub(crate) fn saved_checkpoints() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| candidates(current, &Origin::engine_of_line(), true))
}

/// Completes run folders.
pub(crate) fn run_folders() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| or_folders(current, folders(current)))
}

fn candidates(current: &OsStr, origin: &Origin, with_addresses: bool) -> Vec<CompletionCandidate> {
    let known = origin.read();
    let latest = (!known.runs.is_empty()).then(|| CompletionCandidate::new("latest"));
    let mut found: Vec<CompletionCandidate> = latest.into_iter().collect();
    found.extend(folders(current));
    found.extend(known.runs.iter().map(candidate));
    if with_addresses {
        found.extend(known.checkpoints.iter().map(candidate));
    }
    let begins = |candidate: &CompletionCandidate| {
        let value = candidate.get_value().as_encoded_bytes();
        value.starts_with(current.as_encoded_bytes())
    };
    found.retain(begins);
    or_folders(current, found)
}

fn candidate((value, model): &(String, String)) -> CompletionCandidate {
    CompletionCandidate::new(value).help(Some(model.clone().into()))
}

/// The folders of the disk, if nothing better was found.
fn or_folders(current: &OsStr, found: Vec<CompletionCandidate>) -> Vec<CompletionCandidate> {
    if found.is_empty() {
        return PathCompleter::dir().complete(current);
    }
    found
}

/// The run folders beside the typed path, or in `runs`.
fn folders(current: &OsStr) -> Vec<CompletionCandidate> {
    let typed = current.to_string_lossy();
    let parent = typed.rsplit_once('/').map_or(RUNS, |(parent, _)| parent);
    let Ok(entries) = std::fs::read_dir(if parent.is_empty() { "/" } else { parent }) else {
        return Vec::new();
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let paths = names.map(|name| format!("{parent}/{name}"));
    let mut paths: Vec<String> = paths
        .filter(|path| path.starts_with(&*typed) && reference::is_run_folder(Path::new(path)))
        .collect();
    paths.sort();
    paths.into_iter().map(CompletionCandidate::new).collect()
}
