//! The list of servers.

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use tinker_client::profile::{BuiltIn, KeySource, Profile, ProfileFile};
use tinker_client::transport::without_user;

use crate::connect::{Server, ServerArgs};
use crate::context::Context;
use crate::report::Printable;
use crate::style::TerminalStyle;

/// Result of the command.
#[derive(Debug, Serialize)]
struct List {
    /// Path of the profile file.
    file: String,
    has_file: bool,
    servers: Vec<Entry>,
    /// The server that a command with the same options would use.
    chosen: Chosen,
}

#[derive(Debug, Serialize)]
struct Entry {
    name: String,
    base_url: Option<String>,
    key: String,
    /// `file` or `built in`.
    from: &'static str,
    title: Option<&'static str>,
    is_default: bool,
}

#[derive(Debug, Serialize)]
struct Chosen {
    /// Address, or `the local engine`.
    place: String,
    /// The setting that named it.
    by: String,
}

/// Prints the servers, and the one that would be used.
pub(super) fn run(args: &ServerArgs, file: &ProfileFile, context: &Context) -> anyhow::Result<()> {
    let profiles = file.read()?;
    let mut servers = Vec::new();
    for name in profiles.names() {
        let profile = profiles.get(&name)?;
        servers.push(Entry {
            base_url: profile.base_url.as_deref().map(without_user),
            key: key(&profile),
            from: if profiles.servers.contains_key(&name) {
                "file"
            } else {
                "built in"
            },
            title: profile
                .like
                .as_deref()
                .and_then(BuiltIn::find)
                .map(|row| row.title),
            is_default: profiles.default.as_ref() == Some(&name),
            name,
        });
    }
    context.report.print(&List {
        file: file.path().display().to_string(),
        has_file: file.path().exists(),
        servers,
        chosen: chosen(args)?,
    })
}

fn chosen(args: &ServerArgs) -> anyhow::Result<Chosen> {
    Ok(match args.find()? {
        Some(Server { config, origin, .. }) => Chosen {
            place: config.shown_base_url(),
            by: origin.to_string(),
        },
        None => Chosen {
            place: "the local engine".to_owned(),
            by: "no option, variable, default profile or running server".to_owned(),
        },
    })
}

fn key(profile: &Profile) -> String {
    match profile.key_source() {
        KeySource::Inline => "in the file".to_owned(),
        KeySource::Variable => profile.key_env.clone().unwrap_or_default(),
        KeySource::Command => "command".to_owned(),
        _ => "-".to_owned(),
    }
}

impl Printable for List {
    fn to_text(&self, style: TerminalStyle) -> String {
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(style.width.min(80) as u16)
            .set_header(["name", "address", "key", "server"]);
        for server in &self.servers {
            let mark = if server.is_default { " (default)" } else { "" };
            table.add_row([
                format!("{}{mark}", server.name),
                server.base_url.clone().unwrap_or_else(|| "-".to_owned()),
                server.key.clone(),
                server.title.unwrap_or("-").to_owned(),
            ]);
        }
        let missing = if self.has_file {
            ""
        } else {
            " (does not exist)"
        };
        format!(
            "{table}\n\nfile: {}{missing}\nused: {}, by {}\n",
            self.file, self.chosen.place, self.chosen.by
        )
    }
}
