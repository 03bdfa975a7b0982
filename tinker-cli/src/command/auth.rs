//! `tinker auth`: the stored key of the hosted service.

#![expect(clippy::doc_markdown, reason = "doc comments of options are help text")]

use std::io::IsTerminal as _;
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;
use tinker_client::{Config, CredentialsFile, KeyOrigin, ServiceClient, StoredKey};

use crate::connect::{Connection, ServerArgs};
use crate::context::Context;
use crate::exit::Usage;
use crate::report::Printable;
use crate::style::TerminalStyle;

/// Store and check the key.
///
/// The key is stored in ~/.tinker/credentials.json, which the official command line tool shares. It is used if
/// neither TINKER_API_KEY nor TINKER_CREDENTIAL_CMD is set.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tinker auth login
  pass show tinker | tinker auth login
  tinker auth status --server box
  tinker auth whoami
  tinker auth logout")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Check a key and store it as the default. Asks for the key, or reads it from stdin.
    Login(ServerArgs),
    /// Remove the stored default key.
    Logout(ServerArgs),
    /// Show where the key comes from and whether the server accepts it; exit code 1 if not.
    Status(ServerArgs),
    /// Show the holder of the key.
    Whoami(ServerArgs),
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Status {
    server: String,
    /// The setting that named the server.
    by: String,
    has_key: bool,
    is_accessible: bool,
    error: Option<String>,
}

impl Printable for Status {
    fn to_text(&self, _: TerminalStyle) -> String {
        let word = |is: bool| if is { "yes" } else { "no" };
        let why = self.error.iter().map(|error| format!("  {error}\n"));
        format!(
            "server: {}, by {}\nkey available: {}\nserver accessible: {}\n{}",
            self.server,
            self.by,
            word(self.has_key),
            word(self.is_accessible),
            why.collect::<String>()
        )
    }
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Holder {
    email: Option<String>,
    user: Option<String>,
    organization: Option<String>,
    /// Name of the API key; absent for a token.
    key_name: Option<String>,
}

impl Printable for Holder {
    fn to_text(&self, _: TerminalStyle) -> String {
        let rows = [
            ("email", &self.email),
            ("user", &self.user),
            ("organization", &self.organization),
            ("key", &self.key_name),
        ];
        let rows = rows.iter().filter_map(|(name, value)| {
            Some(format!(
                "{name:13} {}\n",
                value.as_deref().filter(|text| !text.is_empty())?
            ))
        });
        rows.collect()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the server cannot be used with this key")]
struct NotAccessible;

/// Runs the subcommand.
pub(crate) async fn run(args: Args, context: &Context) -> anyhow::Result<()> {
    match args.action {
        Action::Login(server) => login(&server, context).await,
        Action::Logout(server) => logout(&server, context).await,
        Action::Status(server) => status(&server, context).await,
        Action::Whoami(server) => whoami(&server, context).await,
    }
}

fn store() -> anyhow::Result<CredentialsFile> {
    CredentialsFile::of_user().context("the home folder is unknown, so keys cannot be stored")
}

/// The chosen server, or the hosted service.
fn config(args: &ServerArgs) -> anyhow::Result<(Config, String)> {
    Ok(match args.named()? {
        Some(server) => (server.config, server.origin.to_string()),
        None => (Config::from_env()?, "default".to_owned()),
    })
}

async fn login(args: &ServerArgs, context: &Context) -> anyhow::Result<()> {
    let store = store()?;
    let mut stored = store.read()?;
    if let Some(key) = stored.default_key() {
        let message = format!(
            "a key is stored already ({}); `{} auth logout` removes it",
            key.name, context.program
        );
        return Err(Usage(message).into());
    }
    let (config, _) = config(args)?;
    context
        .printer
        .print_labelled("server", &config.shown_base_url());
    if config.is_official() {
        let console = tinker_client::console::sessions();
        context
            .printer
            .print_labelled("keys", &format!("are made in the console, {console}"));
    }
    let key = read_key()?;
    let config = config.with_api_key(&key);
    let service = ServiceClient::new(config.clone())?;
    let connection = Connection::watch(&service, &config.base_url, context.printer);
    let info = service.account().api_key().await;
    drop(connection);
    let info = info.context("the key was not stored")?;
    let mut entry = StoredKey::new(key, &info.name);
    entry.note = Some(info.note).filter(|note| !note.is_empty());
    let holder = format!(
        "{} ({})",
        info.details.user_details.email, info.details.org_details.name
    );
    entry.details = Some(info.details);
    let id = info.key_id.to_string();
    stored.keys.insert(id.clone(), entry);
    stored.default = Some(id);
    store.write(&stored)?;
    let text = format!(
        "logged in as {holder}; the key {:?} is stored as the default",
        info.name
    );
    context.printer.print_line(&text);
    Ok(())
}

/// Reads a key without showing it.
fn read_key() -> anyhow::Result<String> {
    let key = if std::io::stdin().is_terminal() {
        rpassword::prompt_password("API key (not shown): ").context("cannot read the key")?
    } else {
        let mut line = String::new();
        let read = std::io::stdin().read_line(&mut line);
        read.context("cannot read the key from stdin")?;
        line
    };
    let key = key.trim().to_owned();
    if key.is_empty() {
        return Err(Usage("the key is empty".to_owned()).into());
    }
    Ok(key)
}

async fn logout(args: &ServerArgs, context: &Context) -> anyhow::Result<()> {
    let store = store()?;
    let mut stored = store.read()?;
    let Some(id) = stored.default.clone() else {
        context.printer.print_line("no key is stored");
        return Ok(());
    };
    let Some(key) = stored.keys.get(&id) else {
        let what = "the stored default names a key that is not in the file; it was cleared";
        context.printer.print_line(what);
        stored.default = None;
        store.write(&stored)?;
        return Ok(());
    };
    let name = key.name.clone();
    // Older tools made keys of their own, which are useless afterwards.
    if key.origin == KeyOrigin::Generated {
        let config = config(args)?.0.with_api_key(key.token().expose());
        let service = ServiceClient::new(config)?;
        let deleted = service.account().delete_api_key().await;
        deleted.context("the key could not be deleted on the server and stays stored")?;
    }
    stored.keys.remove(&id);
    stored.default = None;
    store.write(&stored)?;
    context
        .printer
        .print_line(&format!("logged out; the key {name:?} is no longer stored"));
    Ok(())
}

/// Time that `auth status` waits for an answer.
const STATUS_LIMIT: Duration = Duration::from_secs(10);

async fn status(args: &ServerArgs, context: &Context) -> anyhow::Result<()> {
    let (config, by) = config(args)?;
    let server = config.shown_base_url();
    let has_key = config.api_key.is_some() || config.credential_command.is_some();
    let result = async {
        let service = ServiceClient::new(config.clone())?;
        let _connection = Connection::watch(&service, &config.base_url, context.printer);
        service.check_access().await
    };
    let error = match tokio::time::timeout(STATUS_LIMIT, result).await {
        Ok(result) => result.err().map(|error| error.to_string()),
        Err(_) => Some(format!("no answer within {} s", STATUS_LIMIT.as_secs())),
    };
    let is_accessible = error.is_none();
    context.report.print(&Status {
        server,
        by,
        has_key,
        is_accessible,
        error,
    })?;
    if is_accessible {
        return Ok(());
    }
    Err(NotAccessible.into())
}

async fn whoami(args: &ServerArgs, context: &Context) -> anyhow::Result<()> {
    let (config, _) = config(args)?;
    let service = ServiceClient::new(config.clone())?;
    let _connection = Connection::watch(&service, &config.base_url, context.printer);
    let account = service.account();
    let holder = match account.whoami().await {
        Ok(who) => Holder {
            email: who.email,
            user: Some(who.user_urn),
            organization: Some(who.org_urn),
            key_name: None,
        },
        // A plain key on a server that exchanges none.
        Err(tinker_client::Error::Config(_)) => {
            let key = account.api_key().await?;
            Holder {
                email: Some(key.details.user_details.email),
                user: None,
                organization: Some(key.details.org_details.name),
                key_name: Some(key.name),
            }
        }
        Err(error) => return Err(error.into()),
    };
    context.report.print(&holder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::check;

    #[test]
    fn results_have_the_schemas_in_the_tree() {
        check::<Status>("auth-status");
        check::<Holder>("auth-whoami");
    }
}
