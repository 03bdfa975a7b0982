//! A server that is killed while it writes, again and again.

use xshell::{Shell, cmd};

use crate::flags::Kill;
use crate::output::workspace_root;

/// Runs the test of kills with more of them.
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
