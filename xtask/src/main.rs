//! Development tasks of this workspace: `cargo xtask <task>`.

mod base_model;
mod example_data;
mod flags;
mod output;

use flags::XtaskCmd;

fn main() -> anyhow::Result<()> {
    match flags::Xtask::from_env_or_exit().subcommand {
        XtaskCmd::BaseModel(flags) => base_model::run(&flags),
        XtaskCmd::ExampleData(flags) => example_data::run(output::Mode::from_check(flags.check)),
    }
}
