//! The one rule for commands that delete: they ask on a terminal, and need `--yes` elsewhere.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use anyhow::Context as _;

use crate::exit::Usage;
use crate::interrupt::Interrupt;

/// Options of commands that change or delete several objects.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct ConfirmArgs {
    /// Print what would be done, and do nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask. Needed without a terminal.
    #[arg(short, long)]
    pub(crate) yes: bool,
}

impl ConfirmArgs {
    /// Whether to act: after `--yes`, or a yes on the terminal. Not for a dry run.
    pub(crate) async fn confirm(
        self,
        question: &str,
        interrupt: &Interrupt,
    ) -> anyhow::Result<bool> {
        if self.dry_run {
            return Ok(false);
        }
        if self.yes {
            return Ok(true);
        }
        if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
            let message = "this cannot be undone, and there is no terminal to ask; add --yes, or see what would be done with --dry-run";
            return Err(Usage(message.to_owned()).into());
        }
        let mut stderr = anstream::stderr();
        write!(stderr, "{question} [y/N] ").and_then(|()| stderr.flush())?;
        // A read of the terminal cannot be cancelled: after Ctrl-C its thread ends with the program.
        let (sender, answer) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = std::io::stdin().lock().read_line(&mut line);
            sender.send(read.map(|_| line))
        });
        let answer = async { answer.await?.context("cannot read the answer") };
        let line: String = interrupt.or_stop(answer).await?;
        if matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
            return Ok(true);
        }
        anyhow::bail!("not confirmed; nothing was done")
    }
}
