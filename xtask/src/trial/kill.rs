//! Kills of a server while it writes checkpoints.

use xshell::{Shell, cmd};

use crate::flags::Kill;
use crate::output::workspace_root;

/// Runs the kill test with more kills.
pub(crate) fn kill(flags: &Kill) -> anyhow::Result<()> {
    let shell = Shell::new()?;
    shell.change_dir(workspace_root());
    let times = flags.times.unwrap_or(200).to_string();
    let _times = shell.push_env("TINKER_LOCAL_KILLS", times);
    cmd!(
        shell,
        "cargo test -p tinker-local --test it kill:: -- --nocapture --test-threads 1"
    )
    .run()?;
    Ok(())
}
