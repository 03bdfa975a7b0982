//! Access: the key, the models, the tokenizer, the session.

use futures_util::future::{BoxFuture, FutureExt as _};
use tinker_types::SupportedModel;

use super::finding::{Finding, told};
use super::subject::Subject;
use crate::error::Error;

pub(super) fn key(subject: &mut Subject) -> BoxFuture<'_, Finding> {
    async move {
        let config = subject.service.state().config();
        let kind = match (&config.api_key, &config.credential_command) {
            (Some(_), _) => "a key",
            (None, Some(_)) => "a key from a command",
            (None, None) => "no key",
        };
        match subject.service.check_access().await {
            Ok(()) => Finding::passed(
                format!("{kind} is sent and accepted"),
                "the server may be used",
            ),
            Err(error) => {
                let status = match &error {
                    Error::Status(error) => error.status().as_u16(),
                    _ => 0,
                };
                let (meaning, advice) = match status {
                    401 | 403 => ("the key was refused", "check the key: `tinker auth status`"),
                    402 => (
                        "the account cannot be charged",
                        "check that billing is set up",
                    ),
                    404 => (
                        "this is not a server of the Tinker API",
                        "check the address; leave out a path",
                    ),
                    _ => (
                        "the first calls fail",
                        "read the message; look at the server's log",
                    ),
                };
                let finding = subject.stop("key", &error, meaning);
                finding.with_advice(advice)
            }
        }
    }
    .boxed()
}

pub(super) fn capabilities(subject: &mut Subject) -> BoxFuture<'_, Finding> {
    async move {
        let capabilities = match subject.service.server_capabilities().await {
            Ok(capabilities) => capabilities,
            Err(error) => {
                return Finding::limited(told(&error), "models cannot be listed")
                    .with_advice("name the model with --model");
            }
        };
        let models = &capabilities.supported_models;
        let trainable = models.iter().find(|model| model.trainable != Some(false));
        let names: Vec<&str> = models
            .iter()
            .filter_map(|model| model.model_name.as_deref())
            .collect();
        let found = match names[..] {
            [] => "no models".to_owned(),
            [first] => format!("1 model, {first}"),
            [first, ..] => format!("{} models, {first} and others", names.len()),
        };
        if subject.model.is_none() {
            subject.model = trainable.and_then(|model| model.model_name.clone());
        }
        subject.capabilities = Some(capabilities);
        match &subject.model {
            Some(_) => Finding::passed(found, "models are listed"),
            None => Finding::limited(found, "no model can be chosen")
                .with_advice("name the model with --model"),
        }
    }
    .boxed()
}

/// The entry of the chosen model in the server's list.
fn listed(subject: &Subject) -> Option<&SupportedModel> {
    let models = subject.capabilities.as_ref()?.supported_models.iter();
    models
        .into_iter()
        .find(|listed| listed.model_name == subject.model)
}

pub(super) fn tokenizer(subject: &mut Subject) -> BoxFuture<'_, Finding> {
    let (Some(find), Some(model)) = (subject.tokenizer, subject.model.clone()) else {
        return async { Finding::skipped("no model, or no search for tokenizers") }.boxed();
    };
    let id = listed(subject).and_then(|model| model.tokenizer_id.clone());
    async move {
        match find(&model, id.as_deref().unwrap_or(&model)) {
            Ok(found) => Finding::passed(found, "texts can be encoded on this machine"),
            Err(why) => Finding::limited(why, "texts cannot be encoded; token ids can be used")
                .with_advice("name a tokenizer.json, or its folder, with --tokenizer"),
        }
    }
    .boxed()
}

pub(super) fn session(subject: &mut Subject) -> BoxFuture<'_, Finding> {
    async move {
        let state = subject.service.state().clone();
        let version = state.config().dialect.sdk_version.clone();
        match state.open(&state.session()).await {
            Ok(_) => Finding::passed(
                format!("opened, as version {version}"),
                "the server accepts the version of the protocol",
            ),
            Err(error) => {
                let is_version = told(&error).to_ascii_lowercase().contains("version");
                let finding = subject.stop("session", &error, "no session can be opened");
                if is_version {
                    finding.with_advice("claim another version: set TINKER_SDK_VERSION, or sdk_version in the profile")
                } else {
                    finding.with_advice("look at the server's log")
                }
            }
        }
    }
    .boxed()
}
