//! Development tasks of this workspace: `cargo xtask <task>`.

#![expect(
    clippy::print_stderr,
    reason = "a program for developers: it talks on stderr"
)]

mod base_model;
mod bench;
mod book;
mod check;
mod ci;
mod code;
mod codegen;
mod conformance;
mod cost;
mod example_data;
mod fault_run;
mod feature;
mod flags;
mod golden;
mod lines;
mod long;
mod msrv;
mod output;
mod page;
mod parity;
mod random_model;
mod release;
mod rules;
mod servers;
mod taught;
mod trial;
mod upstream;
mod workspace;

use flags::{BenchCmd, XtaskCmd};

fn main() -> anyhow::Result<()> {
    match flags::Xtask::from_env_or_exit().subcommand {
        XtaskCmd::Ci(flags) => ci::run(flags.skip_tests),
        XtaskCmd::Codegen(flags) => codegen::run(output::Mode::from_check(flags.check)),
        XtaskCmd::Book(_) => book::run(),
        XtaskCmd::Check(_) => check::run(),
        XtaskCmd::Cost(flags) => cost::run(flags.write),
        XtaskCmd::Features(_) => feature::run(),
        XtaskCmd::Lines(flags) => lines::run(flags.root),
        XtaskCmd::Load(flags) => trial::load(&flags),
        XtaskCmd::Soak(flags) => trial::soak(&flags),
        XtaskCmd::Kill(flags) => trial::kill(&flags),
        XtaskCmd::Crash(flags) => trial::crash(&flags),
        XtaskCmd::Fuzz(flags) => trial::fuzz(&flags),
        XtaskCmd::FaultRun(flags) => fault_run::run(&flags),
        XtaskCmd::Conformance(flags) => conformance::run(&flags),
        XtaskCmd::Golden(flags) => golden::run(output::Mode::from_check(flags.check), flags.python),
        XtaskCmd::Parity(flags) => parity::run(flags.python.as_deref()),
        XtaskCmd::BaseModel(flags) => base_model::run(&flags),
        XtaskCmd::Bench(flags) => match flags.subcommand {
            BenchCmd::Engine(flags) => bench::engine(&flags),
            BenchCmd::Client(flags) => bench::client(&flags),
        },
        XtaskCmd::Release(flags) => release::run(&flags),
        XtaskCmd::Dist(flags) => release::dist::run(&flags),
        XtaskCmd::Packages(flags) => release::packaged::run(flags.library.as_deref()),
        XtaskCmd::Long(flags) => long::run(flags.run),
        XtaskCmd::Msrv(_) => msrv::run(),
        XtaskCmd::RandomModel(flags) => random_model::run(&flags),
        XtaskCmd::Servers(flags) => servers::run(&flags),
        XtaskCmd::Upstream(flags) => upstream::run(&flags.python, flags.write),
        XtaskCmd::Taught(flags) => taught::run(flags.python),
        XtaskCmd::ExampleData(flags) => example_data::run(output::Mode::from_check(flags.check)),
    }
}
