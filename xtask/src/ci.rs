//! Everything a change must pass. A local run and the CI machine do the same.

use std::time::Instant;

use anyhow::Context;
use xshell::{Shell, cmd};

use crate::output::{Mode, workspace_root};
use crate::{check, codegen, example_data};

/// Runs every check and stops at the first that fails.
pub(crate) fn run(skip_tests: bool) -> anyhow::Result<()> {
    let shell = Shell::new()?;
    shell.change_dir(workspace_root());
    step("formatting", || {
        Ok(cmd!(shell, "cargo fmt --all --check").run()?)
    })?;
    step("generated files", || {
        codegen::run(Mode::Check)?;
        example_data::run(Mode::Check)
    })?;
    step("invariants", check::run)?;
    step("clippy", || {
        Ok(cmd!(
            shell,
            "cargo clippy --workspace --all-targets --all-features -- -D warnings"
        )
        .run()?)
    })?;
    if !skip_tests {
        step("tests and examples in the docs", || {
            Ok(cmd!(shell, "cargo test --workspace").run()?)
        })?;
    }
    step("documentation", || {
        let _strict = shell.push_env("RUSTDOCFLAGS", "-D warnings");
        Ok(cmd!(shell, "cargo doc --workspace --no-deps --all-features").run()?)
    })?;
    step("tinker-types alone", || {
        Ok(cmd!(shell, "cargo check -p tinker-types").run()?)
    })?;
    if cmd!(shell, "cargo deny --version")
        .quiet()
        .ignore_stdout()
        .ignore_stderr()
        .run()
        .is_ok()
    {
        step("licences and duplicates", || {
            Ok(cmd!(shell, "cargo deny --offline check licenses bans sources").run()?)
        })?;
    } else {
        eprintln!("cargo-deny is not installed: licences and duplicates were not checked");
    }
    eprintln!("all checks passed");
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "wall-clock time of a step, for people"
)]
fn step(name: &str, run: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let start = Instant::now();
    run().with_context(|| format!("{name} failed"))?;
    eprintln!("{name}: passed in {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}
