//! Exit codes. They are part of the interface: `tinker --help` lists them, and scripts rely on them.

/// Success.
pub(crate) const OK: u8 = 0;
/// Failure of the server, the engine or the disk.
pub(crate) const ERROR: u8 = 1;
/// Invalid command line. The option parser uses the same code.
pub(crate) const USAGE: u8 = 2;
/// Invalid data file, chat template or tokenizer; nothing was trained.
pub(crate) const DATA: u8 = 3;
/// The examined server works with limits.
pub(crate) const LIMITED: u8 = 4;
/// Stopped by Ctrl-C or SIGTERM, after saving a checkpoint where possible.
pub(crate) const INTERRUPTED: u8 = 130;

/// The list for `--help`.
pub(crate) const HELP: &str = "\
Exit codes:
  0    success
  1    failure of the server, the engine or the disk
  2    invalid command line
  3    invalid data file, chat template or tokenizer; nothing was trained
  4    the examined server works with limits
  130  stopped by Ctrl-C, after saving a checkpoint where possible";

/// An invalid command line that the option parser accepts.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// The command is done; its result has limits.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Limited(pub(crate) String);

/// The user stopped the command.
#[derive(Debug, thiserror::Error)]
#[error("stopped by the user")]
pub(crate) struct Interrupted;
