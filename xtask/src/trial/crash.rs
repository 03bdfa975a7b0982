//! Kills of training runs, which are then continued.

use xshell::{Shell, cmd};

use crate::flags::Crash;
use crate::output::workspace_root;

/// Runs the crash tests with more kills.
pub(crate) fn crash(flags: &Crash) -> anyhow::Result<()> {
    let shell = Shell::new()?;
    shell.change_dir(workspace_root());
    let times = flags.times.unwrap_or(100).to_string();
    let _times = shell.push_env("TINKER_CRASHES", times);
    cmd!(
        shell,
        "cargo test -p tinker-cli --test it crash:: -- --nocapture --test-threads 1"
    )
    .run()?;
    Ok(())
}
