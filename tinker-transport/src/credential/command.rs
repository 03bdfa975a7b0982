//! Credentials from a command.

use std::fmt;
use std::process::Stdio;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::jwt::{self, Claims};
use super::{Credential, CredentialError, CredentialFuture, Token, fingerprint};

/// Time limit of the command.
const PATIENCE: Duration = Duration::from_mins(1);
/// A JWT is used until this long before it expires; any other key for [`OPAQUE_LIFE`].
const MARGIN: Duration = Duration::from_mins(1);
const OPAQUE_LIFE: Duration = Duration::from_mins(1);

/// A shell command that prints the credential, for keys in a password store or from a cloud tool.
///
/// The key is the standard output without surrounding white space. Standard error and the exit status are ignored. The
/// output is cached: a JWT until a minute before it expires, any other key for a minute. Only one run is in progress at
/// a time, and it is ended after a minute.
pub struct Command {
    line: String,
    held: Mutex<Option<CachedKey>>,
}

struct CachedKey {
    token: Token,
    until: Instant,
}

impl Command {
    /// A command line for the shell (`sh -c`, `cmd /C` on Windows).
    pub fn new(line: impl Into<String>) -> Self {
        Self {
            line: line.into(),
            held: Mutex::new(None),
        }
    }

    async fn run(&self) -> Result<CachedKey, CredentialError> {
        let mut command = if cfg!(windows) {
            let mut command = tokio::process::Command::new("cmd");
            command.args(["/C", &self.line]);
            command
        } else {
            let mut command = tokio::process::Command::new("sh");
            command.args(["-c", &self.line]);
            command
        };
        command
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let output = tokio::time::timeout(PATIENCE, command.output())
            .await
            .map_err(|_| CredentialError::new("the credential command did not end within 60 s"))?
            .map_err(|error| {
                CredentialError::new("the credential command could not be started")
                    .with_source(error)
            })?;
        let text = String::from_utf8_lossy(&output.stdout);
        let key = text.trim();
        if key.is_empty() {
            let what = format!(
                "the credential command printed no credential ({})",
                output.status
            );
            return Err(CredentialError::new(what));
        }
        let life = if jwt::is_jwt(key) {
            let claims = Claims::read(key);
            if claims.expires.is_some() && claims.left().is_zero() {
                return Err(CredentialError::new(
                    "the credential command printed an expired JWT",
                ));
            }
            claims.left().saturating_sub(MARGIN)
        } else {
            OPAQUE_LIFE
        };
        Ok(CachedKey {
            token: Token::new(key),
            until: Instant::now() + life,
        })
    }
}

impl Credential for Command {
    fn token(&self) -> CredentialFuture<'_, Token> {
        Box::pin(async {
            let mut held = self.held.lock().await;
            if let Some(held) = held.as_ref().filter(|held| Instant::now() < held.until) {
                return Ok(held.token.clone());
            }
            let fresh = self.run().await?;
            let token = fresh.token.clone();
            *held = Some(fresh);
            Ok(token)
        })
    }

    fn renew<'a>(&'a self, rejected: &'a Token) -> CredentialFuture<'a, Option<Token>> {
        Box::pin(async move {
            self.held
                .lock()
                .await
                .take_if(|held| held.token == *rejected);
            let token = self.token().await?;
            Ok((token != *rejected).then_some(token))
        })
    }

    fn fingerprint(&self) -> Option<u64> {
        Some(fingerprint(&self.line))
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The command line is not shown, since it may hold a secret.
        f.write_str("Command([hidden])")
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_output_is_trimmed_and_kept_and_the_exit_status_ignored() {
        // `$$` is the shell's process id: another run would print another.
        let command = Command::new("echo \" key-$$ \"; echo noise >&2; exit 3");
        let first = command.token().await.unwrap();
        assert!(first.expose().starts_with("key-") && !first.expose().ends_with(' '));
        assert_eq!(command.token().await.unwrap(), first);

        let second = command.renew(&first).await.unwrap().unwrap();
        assert_ne!(second, first);
        assert_eq!(
            command.renew(&first).await.unwrap(),
            Some(second),
            "one renewal serves all"
        );
    }

    #[tokio::test]
    async fn no_output_and_an_old_jwt_are_errors() {
        let error = Command::new("exit 1").token().await.unwrap_err();
        assert!(
            error.to_string().contains("printed no credential"),
            "{error}"
        );
        let line = format!("echo {}", jwt::unsigned(1, 2));
        assert!(
            Command::new(line)
                .token()
                .await
                .unwrap_err()
                .to_string()
                .contains("expired")
        );
    }
}
