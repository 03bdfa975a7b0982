//! API keys and tokens.

use http::StatusCode;
use serde_json::json;
use tinker_types::ExchangedToken;

use super::call::Call;
use super::response::{self, Response};
use crate::identity;
use crate::refusal::Refusal;

/// Exchanges an accepted key for a short-lived token, if tokens are required.
pub(super) fn exchange(call: &Call<'_>) -> Result<Response, Refusal> {
    let Some(lifetime) = call.shared.behavior().token_lifetime else {
        return Err(Refusal::new(
            StatusCode::UNAUTHORIZED,
            "this engine gives no tokens; send the API key as it is, without an exchange",
        ));
    };
    let jwt = call.shared.signer.token(&call.tenant, lifetime);
    Ok(response::json(&ExchangedToken { jwt }))
}

/// Information on an API key: the same for all keys.
pub(super) fn key(call: &Call<'_>) -> Response {
    let note = if call.shared.keys.is_open() {
        "a local engine accepts any key"
    } else {
        "an accepted key of a local engine"
    };
    response::json(&json!({
        "key_id": 0,
        "name": identity::NAME,
        "note": note,
        "details": {
            "org_details": { "name": identity::NAME },
            "user_details": { "email": identity::EMAIL },
        },
    }))
}
