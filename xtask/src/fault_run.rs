//! Long tests under faults, which print their measurements.

use xshell::{Shell, cmd};

use crate::flags::FaultRun;
use crate::output::workspace_root;

/// Runs one of the tests in release mode.
pub(crate) fn run(flags: &FaultRun) -> anyhow::Result<()> {
    let test = if flags.tenants {
        "tenants::a_neighbour_in_real_time"
    } else if flags.real_time {
        "fault_run::full_in_real_time"
    } else {
        "fault_run::full"
    };
    let shell = Shell::new()?;
    shell.change_dir(workspace_root());
    let tests = ["--release", "--package", "tinker-tests", "--test", "it"];
    cmd!(
        shell,
        "cargo test {tests...} -- --ignored --exact --nocapture {test}"
    )
    .run()?;
    Ok(())
}
