//! A client in steady use whose server is killed and started again.

use xshell::{Shell, cmd};

use crate::flags::Soak;
use crate::output::workspace_root;

/// Builds the client and the server, runs them in real time, and prints the figures.
pub(crate) fn soak(flags: &Soak) -> anyhow::Result<()> {
    let shell = Shell::new()?;
    shell.change_dir(workspace_root());
    let lives = flags.lives.unwrap_or(10).to_string();
    let seconds = flags.seconds.unwrap_or(60).to_string();
    cmd!(
        shell,
        "cargo run --release -p tinker-tests --example soak -- {lives} {seconds}"
    )
    .run()?;
    Ok(())
}
