//! Accepted API keys, and tokens that are exchanged for them.

use std::time::Duration;

use serde_json::json;
use tinker_local::{Behavior, BuildError};

use crate::support::{Client, builder};
use crate::tenants::{KEYS, engine, tenants};

#[tokio::test]
async fn only_accepted_keys_get_in_and_probes_need_none() {
    let engine = engine(None);
    let nobody = Client::of(&engine);
    for wrong in [
        nobody.clone(),
        nobody.with_key("tml-alice2"),
        nobody.with_key(""),
    ] {
        for path in ["client/config", "auth/token", "create_session", "asample"] {
            let reply = wrong.post(path, json!({})).await;
            assert_eq!(reply.status, 401, "{path}");
            assert!(
                reply.detail().starts_with("x-api-key: is "),
                "{}",
                reply.detail()
            );
            let challenge = reply.headers["www-authenticate"].to_str().unwrap();
            assert!(!challenge.contains("invalid_token"), "would be sent again");
        }
        assert_eq!(wrong.get("auth/apikey/me").await.status, 401);
        assert_eq!(wrong.get("healthz").await.status, 200);
    }
    let [alice, _] = tenants(&engine);
    let me = alice.get("auth/apikey/me").await.json();
    assert!(!me.to_string().contains("any key"), "{me}");
    let unusable = builder().api_key("two words").build().unwrap_err();
    assert!(matches!(unusable, BuildError::ApiKey(_)));
    assert!(!unusable.to_string().contains("two words"));
    let shown = format!("{:?} {engine:?}", builder().api_key("tml-alice"));
    assert!(!shown.contains("alice"), "{shown}");
}

#[tokio::test]
async fn a_token_stands_for_the_key_it_was_exchanged_for() {
    let mut behavior = Behavior::default();
    behavior.token_lifetime = Some(Duration::from_mins(1));
    let engine = builder()
        .api_key(KEYS[0])
        .api_key(KEYS[1])
        .behavior(behavior);
    let engine = engine.build().unwrap();
    let [alice, bob] = tenants(&engine);
    assert_eq!(
        Client::of(&engine)
            .post("auth/token", json!({}))
            .await
            .status,
        401
    );
    assert_eq!(
        alice.get("sessions").await.status,
        401,
        "the key is no token"
    );
    let mut exchanged = Vec::new();
    for client in [&alice, &bob] {
        let token = client.post("auth/token", json!({})).await.json();
        let token = token["jwt"].as_str().unwrap().to_owned();
        exchanged.push(Client::of(&engine).with_key(token.leak()));
    }
    let session = exchanged[0].session().await;
    for (client, has) in exchanged.iter().zip([true, false]) {
        let sessions = client.get("sessions").await.json().to_string();
        assert_eq!(sessions.contains(&session), has, "{sessions}");
    }
}
