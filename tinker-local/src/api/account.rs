//! Who asks: on a local engine, whoever reaches it.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use serde_json::json;
use tinker_types::ExchangedToken;

use super::answer::{self, Answer};
use crate::identity;
use crate::refusal::Refusal;
use crate::shared::Shared;

/// Gives a short-lived token for any key, where tokens are demanded.
pub(super) fn exchange(shared: &Arc<Shared>) -> Result<Answer, Refusal> {
    let Some(lifetime) = shared.behavior().token_lifetime else {
        return Err(Refusal::new(
            StatusCode::UNAUTHORIZED,
            "a local engine gives no tokens; any API key is accepted as it is, so send it without an exchange",
        ));
    };
    let jwt = shared.signer.token(lifetime);
    Ok(answer::json(&ExchangedToken { jwt }))
}

/// Checks the token of a request, where tokens are demanded.
pub(super) fn check_token(shared: &Arc<Shared>, headers: &HeaderMap) -> Result<(), Refusal> {
    let key = headers.get("x-api-key").and_then(|key| key.to_str().ok());
    let token = key.ok_or_else(|| Refusal::token("is missing"))?;
    shared.signer.check_token(token).map_err(Refusal::token)
}

/// What is known of the key of a request: nothing, so all keys are the same.
pub(super) fn key() -> Answer {
    answer::json(&json!({
        "key_id": 0,
        "name": identity::NAME,
        "note": "a local engine accepts any key",
        "details": {
            "org_details": { "name": identity::NAME },
            "user_details": { "email": identity::EMAIL },
        },
    }))
}
