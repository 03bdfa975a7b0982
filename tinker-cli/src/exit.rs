//! Exit codes. They are part of the interface: `tinker --help` lists them and scripts rely on them.

/// Done.
pub(crate) const OK: u8 = 0;
/// Something failed: the server, the engine, the disk.
pub(crate) const ERROR: u8 = 1;
/// The command line is wrong. The option parser uses the same number.
pub(crate) const USAGE: u8 = 2;
/// A data file is at fault; nothing was trained.
pub(crate) const DATA: u8 = 3;
/// Stopped by Ctrl-C or SIGTERM, after saving what there was to save.
pub(crate) const INTERRUPTED: u8 = 130;

/// The list for `--help`.
pub(crate) const HELP: &str = "\
Exit codes:
  0    done
  1    something failed: the server, the engine or the disk
  2    the command line is wrong
  3    a data file is at fault; nothing was trained
  130  stopped by Ctrl-C, after saving a checkpoint where there was one to save";

/// A command line that is wrong in a way the option parser cannot see.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// The user stopped the command.
#[derive(Debug, thiserror::Error)]
#[error("stopped by the user")]
pub(crate) struct Interrupted;
