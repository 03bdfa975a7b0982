//! Loads in the older way.

use serde_json::{Value, json};

use super::*;
use crate::fixture::{FakeServer, Reply};
use crate::{Config, ServiceClient};

const PATH: &str = "tinker://r/weights/a";

/// An older server, which loads into existing models only.
fn older() -> FakeServer {
    let server = FakeServer::new();
    server.on("load_weights", |seen| {
        let refusal = json!({"detail": [{"loc": ["body", "model_id"], "msg": "Field required"}]});
        (seen.json()["model_id"] == Value::Null).then(|| Reply::status(422, refusal))
    });
    server.on("weights_info", |_| {
        Some(Reply::json(
            json!({"base_model": "base", "is_lora": true, "lora_rank": 8, "train_mlp": false}),
        ))
    });
    server
}

fn mine(server: &FakeServer) -> ServiceClient {
    let config = Config::new("http://fake")
        .with_telemetry(false)
        .with_api_key("tml-mine");
    server.builder().config(config).build().unwrap()
}

fn theirs() -> LoadOptions {
    LoadOptions::new(PATH).with_access_token("tml-theirs")
}

/// The keys of the requests of one path.
fn keys(server: &FakeServer, path: &str) -> Vec<String> {
    let seen = server.seen_at(path);
    let key = |seen: &crate::fixture::Seen| seen.header("x-api-key").unwrap_or("none").to_owned();
    seen.iter().map(key).collect()
}

#[tokio::test(start_paused = true)]
async fn an_access_token_is_the_key_of_the_question_and_part_of_the_load() {
    let server = older();
    let service = mine(&server);
    let client = service
        .create_training_client_from_state(theirs())
        .await
        .unwrap();
    assert_eq!(keys(&server, "weights_info"), ["tml-theirs"]);
    assert_eq!(keys(&server, "create_model"), ["tml-mine"]);
    let model = server.seen_at("create_model")[0].json();
    assert_eq!(
        (
            &model["lora_config"]["rank"],
            &model["lora_config"]["train_mlp"]
        ),
        (&json!(8), &json!(false))
    );
    assert_eq!(keys(&server, "load_weights"), ["tml-mine", "tml-mine"]);
    let load = server.seen_at("load_weights")[1].json();
    assert_eq!(
        load,
        json!({"model_id": client.model_id(), "seq_id": 1, "path": PATH, "optimizer": false,
               "weights_access_token": "tml-theirs", "type": "load_weights"})
    );
    client
        .optim_step(tinker_types::AdamParams::new(0.1))
        .await
        .unwrap();
    assert_eq!(server.seen_at("optim_step")[0].json()["seq_id"], 2);
}

#[tokio::test(start_paused = true)]
async fn where_keys_are_exchanged_the_load_carries_what_the_token_was_exchanged_for() {
    let server = older();
    server.always("client/config", 200, json!({"pjwt_auth_enabled": true}));
    server.on("auth/token", |seen| {
        let key = seen.header("x-api-key")?;
        Some(Reply::json(json!({"jwt": format!("jwt-of-{key}")})))
    });
    let service = mine(&server);
    service
        .create_training_client_from_state_with_optimizer(theirs())
        .await
        .unwrap();
    let mut exchanged = keys(&server, "auth/token");
    exchanged.sort_unstable();
    exchanged.dedup();
    assert_eq!(exchanged, ["tml-mine", "tml-theirs"]);
    assert_eq!(keys(&server, "weights_info"), ["jwt-of-tml-theirs"]);
    assert_eq!(keys(&server, "create_model"), ["jwt-of-tml-mine"]);
    let load = server.seen_at("load_weights")[1].json();
    assert_eq!(load["weights_access_token"], "jwt-of-tml-theirs");
    assert_eq!(load["optimizer"], true);
}

#[tokio::test(start_paused = true)]
async fn a_finished_transport_cannot_carry_another_key_and_says_so() {
    let server = older();
    let config = Config::new("http://fake").with_telemetry(false);
    let builder = ServiceClient::builder().config(config);
    let service = builder.transport(server.transport()).build().unwrap();
    let error = service
        .create_training_client_from_state(theirs())
        .await
        .unwrap_err();
    assert!(error.is_user_error(), "{error}");
    assert!(
        error
            .to_string()
            .contains("ServiceClientBuilder::transport"),
        "{error}"
    );
    assert!(server.seen_at("create_model").is_empty());
    // Without a token no delegated access is needed.
    service
        .create_training_client_from_state(PATH)
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_refused_ends_the_load() {
    let server = older();
    server.always("weights_info", 403, json!({"detail": "not yours"}));
    let error = mine(&server)
        .create_training_client_from_state(theirs())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("not yours"), "{error}");
    assert!(!format!("{error:?}").contains("theirs"), "{error:?}");
    assert!(server.seen_at("create_model").is_empty());
}
