//! Fields that our client leaves out on purpose.
//!
//! In the official form our client sends what was recorded, which is compared elsewhere. In its default form it leaves
//! out optional fields at their defaults.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::error::Error;
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use serde_json::{Value, json};
use tinker_client::transport::Body;
use tinker_client::{Config, Dialect, LoraConfig, ModelInput, SamplingParams, ServiceClient};

use super::vector;

const REASON: &str = "servers that refuse unknown fields refuse it even at its default";

/// Route, field, default and reason.
const LEFT_OUT: &[(&str, &str, &str, &str)] = &[
    (
        "create_model",
        "optimizer_config",
        r#"{"type":"adamw"}"#,
        REASON,
    ),
    ("save_weights", "overwrite", "false", REASON),
    ("save_weights_for_sampler", "kind", r#""snapshot""#, REASON),
    ("asample", "prompt_logprobs", "false", REASON),
    ("asample", "topk_prompt_logprobs", "0", REASON),
    ("asample", "topk_sample_logprobs", "0", REASON),
    ("asample", "prompt_alt_tokens_k", "0", REASON),
    ("asample", "record_stability_info", "false", REASON),
];

type Bodies = BTreeMap<String, Value>;

/// Answers the calls of `sent`.
fn answer(route: &str, body: &Value) -> Value {
    match route {
        "create_session" => json!({"session_id": "s"}),
        "get_info" => json!({"model_id": "s:train:0", "model_data": {"model_name": "m"}}),
        "create_sampling_session" => json!({"sampling_session_id": "s:sample:0"}),
        "create_model" | "save_weights" | "save_weights_for_sampler" | "asample" => {
            json!({"request_id": route})
        }
        "retrieve_future" => match body["request_id"].as_str() {
            Some("create_model") => json!({"model_id": "s:train:0"}),
            Some("save_weights") => json!({"path": "tinker://s:train:0/weights/a"}),
            Some("save_weights_for_sampler") => {
                json!({"path": "tinker://s:train:0/sampler_weights/a"})
            }
            _ => json!({"sequences": [{"stop_reason": "stop", "tokens": [1]}]}),
        },
        _ => json!({}),
    }
}

/// The bodies of one call of each kind, by route.
async fn sent(is_official: bool) -> Result<Bodies, Box<dyn Error>> {
    let bodies = Arc::new(Mutex::new(Bodies::new()));
    let log = Arc::clone(&bodies);
    let leaf = tower::service_fn(move |request: Request<Body>| {
        let log = Arc::clone(&log);
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect(1 << 20).await.unwrap_or_default();
            let body: Value = serde_json::from_slice(&body).unwrap_or_default();
            let route = head.uri.path().trim_start_matches("/api/v1/").to_owned();
            let answer = answer(&route, &body);
            if let Ok(mut log) = log.lock() {
                log.insert(route, body);
            }
            Ok::<_, Infallible>(Response::new(Body::from(answer.to_string())))
        }
    });
    let dialect = Dialect::default().with_official_form(is_official);
    let config = Config::new("http://stand-in.test")
        .with_telemetry(false)
        .with_dialect(dialect);
    let service = ServiceClient::builder().config(config).leaf(leaf).build()?;
    let training = service.create_lora_training_client("m", LoraConfig::new(4));
    let training = training.await?;
    training.save_state("a").await?;
    training.save_weights_for_sampler("a").await?;
    let sampler = service.create_sampling_client("m").await?;
    let params = SamplingParams::default().with_max_tokens(1);
    sampler.sample(ModelInput::from_tokens([1]), params).await?;
    let bodies = bodies.lock().map_err(|_| "the log is poisoned")?;
    Ok(bodies.clone())
}

#[tokio::test]
async fn what_is_left_out_is_listed_and_nothing_else_is() -> Result<(), Box<dyn Error>> {
    let vectors = vector::load_all()?;
    let recorded = |route: &str, field: &str, value: &Value| {
        let mut exchanges = vectors.iter().flat_map(|vector| &vector.exchanges);
        exchanges.any(|exchange| {
            let body = exchange.request.body.json();
            exchange.request.route() == [route]
                && body.is_some_and(|body| body.get(field) == Some(value))
        })
    };
    let (official, mut ours) = (sent(true).await?, sent(false).await?);
    for (route, field, default, reason) in LEFT_OUT {
        let default: Value = serde_json::from_str(default)?;
        assert!(
            recorded(route, field, &default),
            "{route} {field}: not in the recordings"
        );
        let body = ours.get_mut(*route).and_then(Value::as_object_mut);
        let body = body.ok_or_else(|| format!("{route} was not called"))?;
        let earlier = body.insert((*field).to_owned(), default);
        assert_eq!(earlier, None, "{route} {field} is sent, though: {reason}");
    }
    for (route, body) in &official {
        assert_eq!(ours.get(route), Some(body), "{route}");
    }
    assert_eq!(official.len(), ours.len());
    Ok(())
}
