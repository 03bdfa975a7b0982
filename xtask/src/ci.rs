//! Every check that a change must pass, the same locally and in CI.

use std::time::Instant;

use anyhow::{Context, bail};
use xshell::{Shell, cmd};

use crate::output::{Mode, workspace_root};
use crate::{check, codegen, cost, example_data, feature, flags, release};

/// The version of cargo-deny that `.ci/run` installs.
const DENY: &str = "0.20.2";

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
    step("each feature of each library", feature::run)?;
    // The tests above are without this feature: its library takes longer to build than all of them.
    step("tests of Parquet files", || {
        let tests = [
            "--package",
            "tinker-data",
            "--features",
            "parquet",
            "--test",
            "it",
        ];
        Ok(cmd!(shell, "cargo test {tests...} parquet").run()?)
    })?;
    step("tests of the leaf on reqwest", || {
        let tests = [
            "--package",
            "tinker-transport",
            "--features",
            "reqwest",
            "--test",
            "it",
        ];
        Ok(cmd!(shell, "cargo test {tests...}").run()?)
    })?;
    step("counts of instructions and allocations", || {
        cost::run(false)
    })?;
    step("licences and sources", || check_licences(&shell))?;
    step("a release", || {
        release::run(&flags::Release {
            version: None,
            dry_run: true,
        })
    })?;
    eprintln!("all checks passed");
    Ok(())
}

/// Checks licences, bans and sources. Advisories are left out: they change without a change of this workspace.
fn check_licences(shell: &Shell) -> anyhow::Result<()> {
    let version = cmd!(shell, "cargo deny --version").quiet();
    if version.ignore_stdout().ignore_stderr().run().is_err() {
        bail!(
            "cargo-deny is not installed; run `cargo install cargo-deny --version {DENY} --locked`"
        );
    }
    // cargo-deny also reads the crates of other platforms, which a build does not download.
    cmd!(shell, "cargo fetch --locked --quiet").run()?;
    Ok(cmd!(
        shell,
        "cargo deny --offline --all-features check --hide-inclusion-graph licenses bans sources"
    )
    .run()?)
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_missing_cargo_deny_is_reported_with_the_command_that_installs_it() -> anyhow::Result<()> {
        let shell = Shell::new()?;
        // Cargo searches these two places for its subcommands.
        let empty = shell.create_temp_dir()?;
        let toolchain = Path::new(env!("CARGO")).parent();
        shell.set_var("PATH", toolchain.context("cargo has a folder")?);
        shell.set_var("CARGO_HOME", empty.path());
        let error = check_licences(&shell).err().context("it is missing")?;
        let install = format!("run `cargo install cargo-deny --version {DENY} --locked`");
        assert_eq!(
            error.to_string(),
            format!("cargo-deny is not installed; {install}")
        );
        Ok(())
    }
}
