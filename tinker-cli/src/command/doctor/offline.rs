//! `tinker doctor --offline`: the settings, and which of them win.

use serde::Serialize;
use tinker_client::profile::ProfileFile;
use tinker_client::{CredentialsFile, ENVIRONMENT};

use crate::connect::{ServerArgs, ServerOrEngine};
use crate::context::Context;
use crate::report::Printable;
use crate::style::TerminalStyle;

/// Variables whose values are not secret.
const SHOWN: [&str; 5] = [
    "TINKER_BASE_URL",
    "TINKER_PROJECT_ID",
    "TINKER_TAGS",
    "TINKER_TELEMETRY",
    "TINKER_SDK_VERSION",
];
/// Variables of the network.
const NETWORK: [&str; 6] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

#[derive(Debug, Serialize)]
struct Settings {
    /// The server that a command would use, and the setting that named it.
    server: String,
    /// How the key is found.
    key: &'static str,
    variables: Vec<Entry>,
    files: Vec<Entry>,
}

#[derive(Debug, Serialize)]
struct Entry {
    name: String,
    value: String,
    meaning: String,
}

impl Printable for Settings {
    fn to_text(&self, _: TerminalStyle) -> String {
        let mut text = format!("server     {}\nkey        {}\n\n", self.server, self.key);
        for entry in self.files.iter().chain(&self.variables) {
            text += &format!("{} = {}\n    {}\n", entry.name, entry.value, entry.meaning);
        }
        text
    }
}

/// Prints the settings.
pub(super) fn run(server: &ServerArgs, context: &Context) -> anyhow::Result<()> {
    let choice = ServerOrEngine::of(server)?;
    let own = ENVIRONMENT
        .iter()
        .map(|variable| (variable.name, variable.meaning));
    let network = NETWORK.iter().map(|name| (*name, "of the network"));
    let variables = own.chain(network).filter_map(|(name, meaning)| {
        let value =
            std::env::var_os(name).or_else(|| std::env::var_os(name.to_ascii_lowercase()))?;
        let value = value.to_string_lossy().into_owned();
        let value = match name {
            name if SHOWN.contains(&name) || name.ends_with("_PROXY") => {
                tinker_client::transport::without_user(&value)
            }
            name if name.starts_with("SSL_") => value,
            _ => "(set, not shown)".to_owned(),
        };
        Some(Entry {
            name: name.to_owned(),
            value,
            meaning: meaning.to_owned(),
        })
    });
    let file = |name: &str, path: std::path::PathBuf, meaning: &str| Entry {
        name: name.to_owned(),
        value: if path.exists() {
            path.display().to_string()
        } else {
            format!("{} (does not exist)", path.display())
        },
        meaning: meaning.to_owned(),
    };
    let files = [
        ProfileFile::of_user().map(|found| {
            file(
                "profiles",
                found.path().to_owned(),
                "named servers; `tinker config` changes it",
            )
        }),
        CredentialsFile::of_user().map(|found| {
            file(
                "credentials",
                found.path().to_owned(),
                "the stored key; `tinker auth` changes it",
            )
        }),
    ];
    context.report.print(&Settings {
        server: choice.describe(),
        key: choice.key(),
        variables: variables.collect(),
        files: files.into_iter().flatten().collect(),
    })
}
