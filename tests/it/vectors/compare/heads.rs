//! Method, path, query and the headers with a meaning.

use std::collections::BTreeSet;

use crate::vectors::exchange::Exchange;
use crate::vectors::sent::Sent;
use crate::vectors::vector::Vector;
use crate::vectors::verdict::{Aspect, Mismatch};

/// Headers with measured values; only presence and form are compared.
const ROUND_TRIP: &str = "x-tinker-create-promise-roundtrip-time";

const METHOD: &str = "x-sdk-method";

/// Methods of the official client that are one method here: some exist twice, by path and by id,
/// and `compute_logprobs` has an option that is an option of `sample` here.
fn our_method(name: &str) -> &str {
    let paths = ["_from_tinker_path", "_by_tinker_path"];
    let name = paths
        .iter()
        .find_map(|end| name.strip_suffix(end))
        .unwrap_or(name);
    match name {
        "SamplingClient.compute_logprobs" => "SamplingClient.sample",
        name => name,
    }
}

pub(super) fn compare(vector: &Vector, sent: &[Sent], found: &mut Vec<Mismatch>) {
    for (_, exchange, sent) in vector.pairs(sent) {
        let mut differ = |what: String| {
            let what = format!("exchange {}, {}: {what}", exchange.n, exchange.request.path);
            found.push(Mismatch::new(Aspect::Head, what));
        };
        let asked = &exchange.request;
        if asked.query != sent.query {
            differ(format!(
                "expected the query {:?}, sent {:?}",
                asked.query, sent.query
            ));
        }
        for name in names(exchange, sent) {
            let (expected, sent) = (asked.header(&name), sent.header(&name));
            let is_same = match name.as_str() {
                ROUND_TRIP => {
                    expected.is_some() == sent.is_some()
                        && sent.is_none_or(|time| time.parse::<f64>().is_ok_and(|time| time >= 0.0))
                }
                METHOD => expected.map(our_method) == sent.map(our_method),
                _ => expected == sent,
            };
            if !is_same {
                differ(format!("expected {name} {expected:?}, sent {sent:?}"));
            }
        }
    }
}

/// Headers that are compared.
fn names(exchange: &Exchange, sent: &Sent) -> BTreeSet<String> {
    let is_ours = |name: &str| name.starts_with("x-tinker-") || name.starts_with("x-sdk-");
    let ours = sent.headers.keys().map(http::HeaderName::as_str);
    let recorded = exchange.request.headers.keys().map(String::as_str);
    let mut names: BTreeSet<String> = ours
        .chain(recorded)
        .filter(|name| is_ours(name) || is_configured(name))
        .map(str::to_owned)
        .collect();
    let fixed = ["accept", "content-type", "content-encoding", "x-api-key"];
    names.extend(fixed.map(str::to_owned));
    names
}

/// Headers that a client was configured to send.
fn is_configured(name: &str) -> bool {
    name.starts_with("cf-access-") || name == "x-extra"
}
