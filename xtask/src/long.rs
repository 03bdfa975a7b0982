//! `cargo xtask long`: the checks that CI leaves out because they take long or need more than a Rust toolchain.

use anyhow::Context as _;
use xshell::{Shell, cmd};

use crate::output::workspace_root;

/// A check.
struct Long {
    /// The words after `cargo xtask`.
    command: &'static str,
    /// Its result, and the page with the last figures.
    shows: &'static str,
    /// Whether it needs programs that are not installed by it.
    needs: Option<&'static str>,
}

const CHECKS: [Long; 16] = [
    Long {
        command: "packages",
        shows: "the tests of each library, from its packaged files",
        needs: None,
    },
    Long {
        command: "dist",
        shows: "binaries for Linux, with their list of crates and their installer",
        needs: Some("cargo-zigbuild, cargo-cyclonedx"),
    },
    Long {
        command: "book",
        shows: "the guide as web pages, without dead links",
        needs: Some("mdBook"),
    },
    Long {
        command: "msrv",
        shows: "crates that state an older Rust version compile with it",
        needs: Some("rustup"),
    },
    Long {
        command: "conformance --all",
        shows: "nine versions of the official client: docs/conformance.md",
        needs: Some("python3"),
    },
    Long {
        command: "fault-run",
        shows: "the same bits with faults in 30 of 100 requests: docs/faults.md",
        needs: None,
    },
    Long {
        command: "fault-run --tenants",
        shows: "a throttled client beside another one: docs/faults.md",
        needs: None,
    },
    Long {
        command: "load",
        shows: "64 clients beside the same work done sequentially: docs/robustness.md",
        needs: None,
    },
    Long {
        command: "kill",
        shows: "200 kills while checkpoints are saved: docs/robustness.md",
        needs: None,
    },
    Long {
        command: "crash",
        shows: "100 kills of training runs of each recipe: docs/training.md",
        needs: None,
    },
    Long {
        command: "fuzz",
        shows: "every decoder with random bytes: docs/robustness.md",
        needs: None,
    },
    Long {
        command: "golden --check",
        shows: "the engine beside PyTorch, transformers and peft: docs/engine.md",
        needs: Some("a Python with torch"),
    },
    Long {
        command: "taught",
        shows: "a model with a real tokenizer, in the engine and in transformers: docs/local-models.md",
        needs: Some("npm, a Python with torch"),
    },
    Long {
        command: "servers",
        shows: "SkyRL and TuFT: docs/servers.md",
        needs: Some("python3.12"),
    },
    Long {
        command: "bench engine",
        shows: "speed of the engine: docs/engine.md",
        needs: None,
    },
    Long {
        command: "bench client",
        shows: "cost of the client: docs/performance.md",
        needs: None,
    },
];

/// Prints the checks, and runs them if asked to. The first failure ends the run.
pub(crate) fn run(runs: bool) -> anyhow::Result<()> {
    for check in &CHECKS {
        let needs = check
            .needs
            .map_or_else(String::new, |needs| format!(" (needs {needs})"));
        eprintln!("cargo xtask {:<20} {}{needs}", check.command, check.shows);
    }
    if !runs {
        return Ok(());
    }
    let shell = Shell::new()?;
    shell.change_dir(workspace_root());
    for check in &CHECKS {
        let words = check.command.split(' ');
        cmd!(shell, "cargo xtask {words...}")
            .run()
            .with_context(|| format!("{} failed", check.command))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_one_of_xtask() {
        for check in &CHECKS {
            let words: Vec<std::ffi::OsString> = check.command.split(' ').map(Into::into).collect();
            let parsed = crate::flags::Xtask::from_vec(words);
            assert!(parsed.is_ok(), "{}", check.command);
        }
    }
}
