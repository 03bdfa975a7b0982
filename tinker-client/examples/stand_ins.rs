//! Examinations of stand-ins: the engine of this project behind layers that speak the dialects of servers that cannot run
//! here. Prints sections of a page.
//!
//! ```sh
//! cargo run -p tinker-client --all-features --example stand_ins
//! ```

#![expect(clippy::print_stdout, reason = "the page is the result")]

use std::sync::Arc;

use http::{HeaderMap, Request, Response, StatusCode};
use serde_json::{Value, json};
use tinker_client::doctor::Examination;
use tinker_client::profile::BuiltIn;
use tinker_client::transport::layer::from_fn;
use tinker_client::transport::{Body, TransportError};
use tinker_client::{Config, Dialect, ForwardOnly, ServiceClient};
use tinker_local::{LocalEngine, LocalService};
use tinker_types::proto;

/// Largest body.
const LIMIT: u64 = 1 << 24;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A request as a stand-in sees it.
struct Asked {
    path: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Asked {
    fn is_about_a_model(&self) -> bool {
        self.body.windows(10).any(|part| part == b"\"model_id\"")
    }

    fn is_protobuf(&self) -> bool {
        let form = self.headers.get(http::header::CONTENT_TYPE);
        form.is_some_and(|form| form == proto::CONTENT_TYPE)
    }

    fn replace(&mut self, from: &str, to: &str) {
        self.body = replaced(&self.body, from, to);
    }
}

fn replaced(body: &[u8], from: &str, to: &str) -> Vec<u8> {
    match std::str::from_utf8(body) {
        Ok(text) => text.replace(from, to).into_bytes(),
        Err(_) => body.to_vec(),
    }
}

/// A dialect: what it does to requests, or a refusal, and to answers.
struct StandIn {
    title: &'static str,
    config: Config,
    asked: fn(&mut Asked) -> Option<(u16, Value)>,
    answered: fn(&str, Vec<u8>) -> Vec<u8>,
}

fn profile(name: &str) -> Result<Config> {
    let row = BuiltIn::find(name).ok_or("no such profile")?;
    Ok(row.to_profile().to_config()?)
}

/// Routes of newer versions, which older servers do not have.
fn is_new(path: &str) -> bool {
    ["client/", "/finish", "external_weights"]
        .iter()
        .any(|part| path.contains(part))
}

fn missing() -> (u16, Value) {
    (404, json!({"detail": "Not Found"}))
}

fn stand_ins() -> Result<Vec<StandIn>> {
    let tested = Dialect::default().with_forward_only(ForwardOnly::Tested);
    Ok(vec![
        StandIn {
            title: "Twinkle-kit 0.5",
            config: profile("twinkle")?.with_api_key("key"),
            asked: |asked| {
                let headers = ["x-request-id", "serve_multiplexed_model_id"];
                let needed = if asked.is_about_a_model() { 2 } else { 1 };
                let absent = headers
                    .iter()
                    .take(needed)
                    .find(|name| !asked.headers.contains_key(**name));
                if let Some(name) = absent {
                    return Some((
                        400,
                        json!({"detail": format!("the header {name} is missing")}),
                    ));
                }
                if is_new(&asked.path) {
                    return Some(missing());
                }
                if asked.body.windows(9).any(|part| part == b"tinker://") {
                    return Some((422, json!({"detail": "paths begin with twinkle://"})));
                }
                if asked.is_protobuf() {
                    return Some((415, json!({"detail": "application/json is expected"})));
                }
                asked.replace("twinkle://", "tinker://");
                None
            },
            answered: |_, body| replaced(&body, "tinker://", "twinkle://"),
        },
        StandIn {
            title: "servers for SDK 0.12",
            config: profile("hosted-tinker")?,
            asked: |asked| {
                if asked.is_protobuf() {
                    return Some((415, json!({"detail": "application/json is expected"})));
                }
                is_new(&asked.path).then(missing)
            },
            answered: |_, body| body,
        },
        StandIn {
            title: "verl-tinker",
            config: profile("verl")?.with_api_key("tml-key"),
            asked: |asked| {
                if asked.is_protobuf() {
                    return Some((415, json!({"detail": "application/json is expected"})));
                }
                // The rank is that of the server's configuration.
                asked.replace("\"rank\":8", "\"rank\":4");
                is_new(&asked.path).then(missing)
            },
            answered: |_, body| body,
        },
        StandIn {
            title: "a server that ignores the flag of passes without gradients",
            config: Config::new("http://in-process").with_dialect(tested),
            asked: |asked| {
                if asked.path.ends_with("/forward") {
                    return Some(missing());
                }
                if asked.is_protobuf()
                    && let Ok(pass) = proto::decode_request(asked.body.clone().into())
                    && let Ok(body) = proto::encode_request(&pass.with_forward_only(false))
                {
                    asked.body = body.to_vec();
                }
                None
            },
            answered: |_, body| body,
        },
    ])
}

async fn examine(stand_in: StandIn, engine: LocalService) -> Result<String> {
    let StandIn {
        title,
        config,
        asked,
        answered,
    } = stand_in;
    let is_json = config.dialect.wire == tinker_client::Wire::Json;
    let layer = from_fn(move |request: Request<Body>, next| async move {
        let (mut head, body) = request.into_parts();
        let mut seen = Asked {
            path: head.uri.path().to_owned(),
            headers: head.headers.clone(),
            body: body.collect(LIMIT).await?.to_vec(),
        };
        if let Some((status, detail)) = asked(&mut seen) {
            let mut refusal = Response::new(Body::from(detail.to_string()));
            *refusal.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
            return Ok(refusal);
        }
        head.headers.remove(http::header::CONTENT_LENGTH);
        if is_json {
            // Without the header, results come as JSON.
            head.headers.remove(http::header::ACCEPT);
        }
        let answer = next
            .run(Request::from_parts(head, seen.body.into()))
            .await?;
        let (mut head, body) = answer.into_parts();
        let body = answered(&seen.path, body.collect(LIMIT).await?.to_vec());
        head.headers.remove(http::header::CONTENT_LENGTH);
        Ok::<_, TransportError>(Response::from_parts(head, body.into()))
    });
    let service = ServiceClient::builder()
        .config(config)
        .leaf(engine)
        .attempt_layer(layer);
    let service = service.build()?;
    let report = Box::pin(Examination::default().run(&service, |_| {})).await;
    Ok(report.to_markdown(&format!("{title} (stand-in)")))
}

#[tokio::main]
async fn main() -> Result<()> {
    let engine = Arc::new(LocalEngine::builtin()?);
    for stand_in in stand_ins()? {
        println!("{}", Box::pin(examine(stand_in, engine.service())).await?);
    }
    Ok(())
}
