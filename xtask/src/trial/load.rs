//! Concurrent clients of one server.

use xshell::{Shell, cmd};

use crate::flags::Load;
use crate::output::workspace_root;

/// Builds the clients and the server, runs them, and prints the table.
pub(crate) fn load(flags: &Load) -> anyhow::Result<()> {
    let shell = Shell::new()?;
    shell.change_dir(workspace_root());
    let clients = flags.clients.unwrap_or(64).to_string();
    let trainers = flags.trainers.unwrap_or(8).to_string();
    let seconds = flags.seconds.unwrap_or(120).to_string();
    cmd!(
        shell,
        "cargo run --release -p tinker-tests --example load -- self {clients} {trainers} {seconds}"
    )
    .run()?;
    Ok(())
}
