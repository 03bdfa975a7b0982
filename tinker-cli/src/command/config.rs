//! `tinker config`: named servers.

mod list;
mod set;

use anyhow::Context as _;
use serde::Serialize;
use tinker_client::profile::{ProfileFile, TEMPLATE};

use crate::connect::ServerArgs;
use crate::context::Context;
use crate::exit::Usage;
use crate::report::Printable;
use crate::style::TerminalStyle;

/// Show and change named servers (profiles).
///
/// A profile holds the address of a server, its key or a command that prints it, and where the server differs from the
/// hosted service. Settings are taken from options first, then from variables, then from the profile, then from a running
/// `tinker serve`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tinker config list
  tinker config set servers.box.like skyrl
  tinker config set servers.box.base_url http://gpu-box:8000
  tinker config set servers.box.key_command 'pass show box'
  tinker config set default box
  tinker sample --server box 'Once upon a time'
  tinker config edit")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List servers, and the one that would be used.
    List(ServerArgs),
    /// Print a setting, for example `servers.box.base_url`.
    Get {
        /// Name of the setting.
        setting: String,
    },
    /// Change a setting; comments in the file are kept.
    Set {
        /// Name of the setting.
        setting: String,
        /// New value; `-` reads it from stdin, which keeps a key out of the history of the shell.
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
    /// Remove a setting or a server.
    Unset {
        /// Name of the setting.
        setting: String,
    },
    /// Print the path of the profile file.
    Path,
    /// Open the profile file in an editor (VISUAL, EDITOR), and check it afterwards.
    Edit,
}

/// Result of the commands that print one value.
#[derive(Debug, Serialize)]
struct Value {
    value: String,
}

impl Printable for Value {
    fn to_text(&self, _: TerminalStyle) -> String {
        format!("{}\n", self.value)
    }
}

/// Runs the subcommand.
pub(crate) fn run(args: &Args, context: &Context) -> anyhow::Result<()> {
    let file = ProfileFile::of_user().context("the home folder is unknown; set XDG_CONFIG_HOME")?;
    match &args.action {
        Action::List(server) => list::run(server, &file, context),
        Action::Get { setting } => {
            let value = set::get(&file, setting)?;
            context.report.print(&Value { value })
        }
        Action::Set { setting, value } => {
            let value = match value.as_str() {
                "-" => read_value()?,
                value => value.to_owned(),
            };
            set::set(&file, setting, &value)?;
            note_path(&file, context);
            Ok(())
        }
        Action::Unset { setting } => {
            set::unset(&file, setting)?;
            note_path(&file, context);
            Ok(())
        }
        Action::Path => {
            let value = file.path().display().to_string();
            context.report.print(&Value { value })
        }
        Action::Edit => edit(&file, context),
    }
}

fn note_path(file: &ProfileFile, context: &Context) {
    let path = file.path().display().to_string();
    context.printer.print_labelled("written", &path);
}

fn read_value() -> anyhow::Result<String> {
    let mut line = String::new();
    std::io::stdin()
        .read_line(&mut line)
        .context("cannot read the value from stdin")?;
    Ok(line.trim().to_owned())
}

fn edit(file: &ProfileFile, context: &Context) -> anyhow::Result<()> {
    let variable = |name| {
        std::env::var(name)
            .ok()
            .filter(|value: &String| !value.trim().is_empty())
    };
    let editor = variable("VISUAL").or_else(|| variable("EDITOR"));
    let editor = editor.unwrap_or_else(|| "vi".to_owned());
    if file.read_text()?.is_none() {
        file.write(TEMPLATE)?;
    }
    // The variable may hold arguments, as in `code --wait`.
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or("vi");
    let status = std::process::Command::new(program)
        .args(words)
        .arg(file.path())
        .status()
        .with_context(|| format!("cannot start the editor {program}; set VISUAL or EDITOR"))?;
    if !status.success() {
        return Err(Usage(format!("the editor {program} ended with {status}")).into());
    }
    file.read()
        .context("the file was saved with an error; run `tinker config edit` again")?;
    note_path(file, context);
    Ok(())
}
