//! Promises of a recording.

use std::collections::BTreeSet;

use super::message::Message;
use super::vector::Vector;

/// An accepted operation.
#[derive(Debug)]
pub(crate) struct Promised {
    /// Its value of `X-Tinker-Request-Type`.
    pub(crate) kind: String,
    pub(crate) message: Message,
}

impl Promised {
    /// The promise of a submission; `None` for other exchanges.
    pub(crate) fn of(route: &[&str], message: &Message) -> Option<Self> {
        let kind = match route {
            ["create_model"] => "CreateModel",
            ["load_weights"] => "LoadWeights",
            ["optim_step"] => "OptimStep",
            ["save_weights"] => "SaveWeights",
            ["save_weights_for_sampler"] => "SaveWeightsForSampler",
            ["save_weights_external"] => "SaveWeightsExternal",
            ["create_custom_loss"] => "CreateCustomLoss",
            ["asample"] => "Sample",
            ["forward_backward"] => match message {
                Message::Pass(pass) if pass.forward_only => "Forward",
                _ => "ForwardBackward",
            },
            _ => return None,
        };
        Some(Self {
            kind: kind.to_owned(),
            message: message.clone(),
        })
    }
}

/// Kind and id of promises that a recording polls without containing their submission.
pub(crate) fn unannounced(vector: &Vector) -> Vec<(String, String)> {
    let announced: BTreeSet<&str> = vector
        .exchanges
        .iter()
        .filter_map(|exchange| exchange.response.as_ref()?.body.json())
        .filter_map(|body| body["request_id"].as_str())
        .collect();
    let mut found = Vec::new();
    for exchange in &vector.exchanges {
        let asked = &exchange.request;
        let body = asked
            .body
            .json()
            .filter(|_| asked.route() == ["retrieve_future"]);
        let id = body.and_then(|body| body["request_id"].as_str());
        let kind = asked.header("x-tinker-request-type");
        if let (Some(id), Some(kind)) = (id, kind) {
            let entry = (kind.to_owned(), id.to_owned());
            if !announced.contains(id) && !found.contains(&entry) {
                found.push(entry);
            }
        }
    }
    found
}
