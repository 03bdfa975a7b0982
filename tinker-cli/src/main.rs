//! The `tinker` command: fine-tune, sample and serve language models.

#![expect(
    clippy::format_push_string,
    reason = "output is assembled from pieces; speed does not matter"
)]

#[cfg(feature = "local")]
mod address;
mod advice;
mod args;
mod clock;
mod command;
mod completion;
mod confirm;
mod connect;
mod context;
mod data_errors;
mod data_files;
mod encoding;
mod exit;
mod format;
mod interrupt;
mod listing;
mod log;
mod one_by_one;
mod options;
mod peft_folder;
mod plot;
mod printer;
mod program;
mod progress;
mod report;
#[cfg(test)]
mod schema;
mod shown_row;
mod style;
mod watched;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};

fn main() -> ExitCode {
    if let Some(is_answered) = completion::answer(args::Arguments::command) {
        return ExitCode::from(if is_answered { exit::OK } else { exit::ERROR });
    }
    let line = args::Arguments::command();
    let matches = line.clone().get_matches();
    let arguments = match args::Arguments::from_arg_matches(&matches) {
        Ok(arguments) => arguments,
        Err(error) => error.exit(),
    };
    log::install(arguments.output.verbose);
    printer::clear_on_panic();
    let options = options::Options::of(&line, &matches);
    let context = context::Context::new(&arguments.output, options);
    let result = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(command::run(arguments.command, line, &context)));
    match result {
        Ok(()) => ExitCode::from(exit::OK),
        Err(error) => {
            advice::report_error(&error, &context.program);
            ExitCode::from(advice::code(&error))
        }
    }
}
