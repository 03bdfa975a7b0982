//! A command that prints a key.

use std::fmt;
use std::process::Stdio;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::jwt::{self, Claims};
use super::{Credential, CredentialError, CredentialFuture, Token, fingerprint};

/// A command that runs longer than this is ended.
const PATIENCE: Duration = Duration::from_mins(1);
/// A printed JWT is used until this long before it expires; another key for [`OPAQUE_LIFE`].
const MARGIN: Duration = Duration::from_mins(1);
const OPAQUE_LIFE: Duration = Duration::from_mins(1);

/// A shell command whose output is the credential, for keys kept in a password store or made by a
/// cloud tool.
///
/// Standard output, without blanks round it, is the key. Standard error is dropped and the exit
/// status ignored. The output is kept: a JWT until a minute before it expires, any other key for a
/// minute. Only one run is under way at a time, and one that takes over a minute is ended.
pub struct Command {
    line: String,
    held: Mutex<Option<Held>>,
}

struct Held {
    token: Token,
    until: Instant,
}

impl Command {
    /// A command line for the shell (`sh -c`, on Windows `cmd /C`).
    pub fn new(line: impl Into<String>) -> Self {
        Self {
            line: line.into(),
            held: Mutex::new(None),
        }
    }

    async fn run(&self) -> Result<Held, CredentialError> {
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
                    "the credential command printed a JWT that has expired",
                ));
            }
            claims.left().saturating_sub(MARGIN)
        } else {
            OPAQUE_LIFE
        };
        Ok(Held {
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
        // The line itself may hold a secret.
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
