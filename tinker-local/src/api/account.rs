//! API keys and tokens. A local engine accepts any key.

use http::{HeaderMap, StatusCode};
use serde_json::json;
use tinker_types::ExchangedToken;
use tinker_types::wire::header;

use super::call::Call;
use super::response::{self, Response};
use crate::identity;
use crate::refusal::Refusal;
use crate::shared::Shared;

/// Exchanges any key for a short-lived token, if tokens are required.
pub(super) fn exchange(call: &Call<'_>) -> Result<Response, Refusal> {
    let Some(lifetime) = call.shared.behavior().token_lifetime else {
        return Err(Refusal::new(
            StatusCode::UNAUTHORIZED,
            "a local engine gives no tokens; any API key is accepted as it is, so send it without an exchange",
        ));
    };
    let jwt = call.shared.signer.token(lifetime);
    Ok(response::json(&ExchangedToken { jwt }))
}

/// Checks the token of a request, if tokens are required.
pub(super) fn check_token(shared: &Shared, headers: &HeaderMap) -> Result<(), Refusal> {
    let key = headers
        .get(header::API_KEY)
        .and_then(|key| key.to_str().ok());
    let token = key.ok_or_else(|| Refusal::token("is missing"))?;
    shared.signer.check_token(token).map_err(Refusal::token)
}

/// Information on an API key: the same for all keys.
pub(super) fn key() -> Response {
    response::json(&json!({
        "key_id": 0,
        "name": identity::NAME,
        "note": "a local engine accepts any key",
        "details": {
            "org_details": { "name": identity::NAME },
            "user_details": { "email": identity::EMAIL },
        },
    }))
}
