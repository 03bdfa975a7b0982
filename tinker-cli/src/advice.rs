//! Hints and exit codes of known errors.

use std::error::Error as StdError;
use std::io::ErrorKind;

use tinker_client::Error;
use tinker_client::hub::{HubError, HubErrorKind};
use tinker_data::{ChatError, DatasetError};
use tinker_train::TrainError;
use tinker_types::{CreateSession, Endpoint as _, GetClientConfig, GetServerCapabilities};

use crate::exit::{self, Interrupted, Limited, Usage};
use crate::style::{BAD, FAINT, LABEL, paint};

/// Prints an error to stderr, with its causes and a hint.
pub(crate) fn report_error(error: &anyhow::Error, program: &str) {
    // Not errors: the user, or the reader of the output, stopped the program.
    if error.is::<Interrupted>() || code(error) == exit::OK {
        return;
    }
    anstream::eprintln!("{}", describe(error, program));
}

/// Exit code of an error.
pub(crate) fn code(error: &anyhow::Error) -> u8 {
    for cause in error.chain() {
        if cause.is::<Interrupted>() {
            return exit::INTERRUPTED;
        }
        if cause.is::<Usage>() {
            return exit::USAGE;
        }
        if cause.is::<Limited>() {
            return exit::LIMITED;
        }
        if cause.is::<DatasetError>() || cause.is::<ChatError>() {
            return exit::DATA;
        }
        let hub = cause.downcast_ref::<HubError>();
        if hub.is_some_and(|error| error.kind() == HubErrorKind::Invalid) {
            return exit::USAGE;
        }
        // A reader that stops early, as in `tinker sample ... | head`, is not a failure.
        if let Some(io) = cause.downcast_ref::<std::io::Error>()
            && io.kind() == std::io::ErrorKind::BrokenPipe
        {
            return exit::OK;
        }
    }
    exit::ERROR
}

fn describe(error: &anyhow::Error, program: &str) -> String {
    let mut text = format!("{} {error}", paint(BAD, "error:"));
    let mut previous = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        // Some libraries repeat their source.
        if !previous.contains(&cause) {
            text += &format!("\n  {} {cause}", paint(FAINT, "because"));
        }
        previous = cause;
    }
    if let Some(hint) = error.chain().find_map(|cause| hint(cause, program)) {
        text += &format!("\n{} {hint}", paint(LABEL, "hint:"));
    }
    text
}

fn hint(cause: &(dyn StdError + 'static), program: &str) -> Option<String> {
    if let Some(error) = cause.downcast_ref::<Error>() {
        return of_client(error, program);
    }
    if let Some(error) = cause.downcast_ref::<HubError>()
        && error.kind() == HubErrorKind::Unreachable
    {
        let hint =
            "check the network and HF_ENDPOINT; received data is kept, and the next call continues";
        return Some(hint.to_owned());
    }
    if let Some(TrainError::Diverged(_)) = cause.downcast_ref() {
        return Some("try again with a lower --learning-rate".to_owned());
    }
    if let Some(error) = cause.downcast_ref::<DatasetError>() {
        if error
            .lines()
            .iter()
            .all(|line| line.kind() == tinker_data::ErrorKind::File)
        {
            return None;
        }
        let hint = "nothing was trained; correct the lines, or leave them out with --skip-bad (--max-length leaves out long examples)";
        return Some(hint.to_owned());
    }
    #[cfg(feature = "local")]
    if let Some(tinker_local::StoreError::InUse { .. }) = cause.downcast_ref() {
        let hint =
            "if that is `tinker serve`, use it: set TINKER_BASE_URL to the address it printed";
        return Some(hint.to_owned());
    }
    #[cfg(feature = "local")]
    if let Some(tinker_local::ExportError::Taken { .. }) = cause.downcast_ref() {
        return Some("--force replaces an earlier export".to_owned());
    }
    let io = cause.downcast_ref::<std::io::Error>()?;
    let hint = match io.kind() {
        ErrorKind::StorageFull => "free some space on the disk",
        ErrorKind::PermissionDenied => "check who owns the file or folder",
        ErrorKind::NotFound => "check the spelling of the path",
        _ => return None,
    };
    Some(hint.to_owned())
}

/// The hint for an error of the client.
fn of_client(error: &Error, program: &str) -> Option<String> {
    let hint = match error {
        Error::Status(error) => match error.status().as_u16() {
            401 => "the server rejected the key; check TINKER_API_KEY",
            402 => "the account has a billing issue; check that billing is set up",
            404 => {
                "check the spelling; a checkpoint exists only on the server, or in the --data-dir, that saved it"
            }
            403 if is_about_key(error.operation(), error.detail()) => {
                "the key was refused; check TINKER_API_KEY"
            }
            400 if error.detail().to_ascii_lowercase().contains("https port") => {
                "this port speaks TLS; try https://"
            }
            407 => {
                "the proxy asks for a name and a password; put them into the address in HTTP_PROXY or HTTPS_PROXY"
            }
            403 => {
                "the key has no permission for this; contact the owner of the checkpoint or the project"
            }
            429 => "the server is overloaded; wait and try again",
            500.. => "the server failed; try again later",
            _ => return None,
        },
        Error::Transport(error) if error.is_auth() => {
            "check TINKER_API_KEY or TINKER_CREDENTIAL_CMD"
        }
        Error::Transport(error) if error.is_connect() => {
            return Some(format!(
                "check the address, or start a server with `{program} serve`; --local uses the built-in engine"
            ));
        }
        Error::Transport(_) | Error::Unreachable(_) => {
            "check the connection, and that the server is running"
        }
        Error::Gone(_) | Error::SessionLost(_) | Error::Closed(_) => {
            "the server no longer has this run; continue from a checkpoint with --resume"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

/// Whether a refusal concerns the key as such, and not one object.
fn is_about_key(operation: &str, detail: &str) -> bool {
    let first = [
        GetClientConfig::NAME,
        CreateSession::NAME,
        GetServerCapabilities::NAME,
    ];
    let is_first = first.contains(&operation);
    let detail = detail.to_ascii_lowercase();
    is_first || detail.contains("api key") || detail.contains("api_key")
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    fn shown(error: &anyhow::Error) -> String {
        anstream::adapter::strip_str(&describe(error, "tinker")).to_string()
    }

    #[test]
    fn causes_follow_the_error_and_the_hint_is_last() {
        let error = Err::<(), _>(std::io::Error::from(ErrorKind::PermissionDenied));
        let error = error.context("cannot create the run folder x").unwrap_err();
        assert_eq!(
            shown(&error),
            "error: cannot create the run folder x\n  because permission denied\nhint: check who owns the file or folder"
        );
    }

    #[test]
    fn repeated_causes_are_printed_once() {
        let error = anyhow::anyhow!("no such file").context("cannot read x: no such file");
        assert_eq!(shown(&error), "error: cannot read x: no such file");
    }

    #[test]
    fn divergence_suggests_a_lower_rate() {
        let error = anyhow::Error::from(TrainError::from(tinker_train::Diverged {
            step: 3,
            loss: f64::NAN,
            saved: None,
        }));
        assert!(shown(&error).ends_with("hint: try again with a lower --learning-rate"));
    }

    #[test]
    fn the_innermost_cause_decides() {
        let wrapped = |error: anyhow::Error| code(&error.context("outer").context("outermost"));
        assert_eq!(wrapped(Interrupted.into()), exit::INTERRUPTED);
        assert_eq!(wrapped(Usage("no".into()).into()), exit::USAGE);
        assert_eq!(
            wrapped(std::io::Error::from(std::io::ErrorKind::BrokenPipe).into()),
            exit::OK
        );
        assert_eq!(
            wrapped(std::io::Error::from(std::io::ErrorKind::NotFound).into()),
            exit::ERROR
        );
        assert_eq!(wrapped(anyhow::anyhow!("any other")), exit::ERROR);
    }
}
