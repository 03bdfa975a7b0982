//! Runs of the fuzz targets.

use anyhow::{Context, bail};
use xshell::{Shell, cmd};

use crate::flags::Fuzz;
use crate::output::workspace_root;

/// Runs every target, or one of them, and prints a table.
pub(crate) fn fuzz(flags: &Fuzz) -> anyhow::Result<()> {
    let shell = Shell::new()?;
    shell.change_dir(workspace_root());
    if cmd!(shell, "cargo fuzz --version")
        .quiet()
        .ignore_stdout()
        .ignore_stderr()
        .run()
        .is_err()
    {
        bail!("cargo-fuzz is not installed; run `cargo install cargo-fuzz`");
    }
    let names = cmd!(
        shell,
        "cargo run -q -p tinker-tests --example seeds -- fuzz/corpus"
    )
    .read()?;
    if let Some(only) = &flags.target
        && !names.lines().any(|name| name == only)
    {
        bail!(
            "there is no target {only}; there are {}",
            names.replace('\n', ", ")
        );
    }
    let runs = flags.runs.unwrap_or(700_000);
    // Coverage needs no sanitizer, so a stable compiler is enough.
    let _unstable = shell.push_env("RUSTC_BOOTSTRAP", "1");
    shell.change_dir("fuzz");
    cmd!(shell, "cargo fuzz build --sanitizer none").run()?;
    let (mut all, mut rows) = (0, Vec::new());
    for name in names
        .lines()
        .filter(|name| flags.target.as_ref().is_none_or(|only| only == name))
    {
        // Targets with an engine or a client are slower by orders of magnitude.
        let runs = match name {
            "engine_request" | "client_answer" => runs / 10,
            _ => runs,
        };
        let options = [
            format!("-runs={runs}"),
            "-max_len=4096".into(),
            "-rss_limit_mb=2048".into(),
            "-timeout=20".into(),
        ];
        let output = cmd!(
            shell,
            "cargo fuzz run --sanitizer none {name} -- {options...}"
        )
        .ignore_status()
        .output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        let done = said
            .lines()
            .rev()
            .find_map(|line| line.strip_prefix("Done "));
        let done = done.with_context(|| format!("{name} found something:\n{said}"))?;
        let mut words = done.split(' ');
        let count: u64 = words.next().unwrap_or_default().parse()?;
        let seconds = words.nth(2).unwrap_or_default();
        all += count;
        rows.push(format!("| {name} | {count} | {seconds} s |"));
        eprintln!("{}", rows[rows.len() - 1]);
    }
    eprintln!("| all | {all} | |");
    Ok(())
}
