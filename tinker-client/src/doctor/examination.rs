//! The order of the checks.

use std::time::Duration;

use futures_util::future::BoxFuture;
use tinker_types::FinishReason;

use super::finding::{Finding, Report};
use super::subject::{FindTokenizer, Subject};
use super::{access, adapter, agreement, checkpoints, network, sampling, speed};
use crate::service::client::ServiceClient;

/// Time limit of one check. Servers may load a model first.
const LIMIT: Duration = Duration::from_mins(5);

type Check = fn(&mut Subject) -> BoxFuture<'_, Finding>;

/// Name of a check, and its function.
const TABLE: [(&str, Check); 26] = [
    ("address", network::address),
    ("proxy", network::proxy),
    ("connection", network::connection),
    ("clock", network::clock),
    ("key", access::key),
    ("capabilities", access::capabilities),
    ("tokenizer", access::tokenizer),
    ("session", access::session),
    ("adapter", adapter::create),
    ("forward", adapter::forward),
    ("forward only", adapter::forward_only),
    ("training step", adapter::step),
    ("loss", adapter::loss),
    ("wire", adapter::wire),
    ("save", checkpoints::save),
    ("load", checkpoints::load),
    ("sample", sampling::sample),
    ("sampler and trainer", agreement::sampler),
    ("prompt log probabilities", agreement::prompt),
    ("temperature", agreement::temperature),
    ("list", checkpoints::list),
    ("expiry", checkpoints::expiry),
    ("copy", checkpoints::copy),
    ("archive", checkpoints::archive),
    ("delete", checkpoints::delete),
    ("speed", speed::speed),
];

/// Names of the checks, in order.
pub const CHECKS: [&str; TABLE.len()] = {
    let mut names = [""; TABLE.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = TABLE[index].0;
        index += 1;
    }
    names
};

/// An examination of a server.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Examination {
    /// Base model of the throw-away adapter. Default: the first one that the server lists as trainable.
    pub model: Option<String>,
    /// Token ids of the example, at least 8. Default: 16 small ids, which every vocabulary has.
    pub tokens: Option<Vec<u32>>,
    /// Finds the tokenizer of the model. Default: not checked.
    pub tokenizer: Option<FindTokenizer>,
}

impl Examination {
    tinker_types::setters! {
        /// Sets the base model.
        with_model(model: impl Into<String>) => model = Some(model.into());

        /// Sets the token ids of the example.
        with_tokens(tokens: Vec<u32>) => tokens = Some(tokens);

        /// Sets the search for the tokenizer.
        with_tokenizer(find: FindTokenizer) => tokenizer = Some(find);
    }

    /// Runs all checks, and closes the session of `service`. `watch` sees each finding as it is made.
    pub async fn run(self, service: &ServiceClient, mut watch: impl FnMut(&Finding)) -> Report {
        let enough = self.tokens.filter(|tokens| tokens.len() >= 8);
        let mut subject = Subject {
            service: service.clone(),
            model: self.model,
            tokens: enough.unwrap_or_else(|| (10..26).collect()),
            tokenizer: self.tokenizer,
            capabilities: None,
            training: None,
            before: None,
            after: None,
            state: None,
            sampler: None,
            sampler_path: None,
            copy: None,
            step_time: None,
            blocked_by: None,
        };
        let mut findings = Vec::with_capacity(TABLE.len());
        for (name, check) in TABLE {
            let mut finding = match subject.blocked_by {
                Some(blocker) => Finding::skipped(format!("needs {blocker}")),
                None => match tokio::time::timeout(LIMIT, check(&mut subject)).await {
                    Ok(finding) => finding,
                    Err(_) => unfinished(name, &mut subject),
                },
            };
            finding.check = name;
            watch(&finding);
            findings.push(finding);
        }
        // Its checkpoints are deleted.
        service.state().latest_session().keep_no_model();
        if let Err(error) = service.close(FinishReason::Success).await {
            tracing::info!(%error, "the session could not be closed");
        }
        Report {
            server: service.state().config().shown_base_url(),
            model: subject.model,
            findings,
        }
    }
}

fn unfinished(name: &'static str, subject: &mut Subject) -> Finding {
    subject.blocked_by = Some(name);
    let found = format!("no result within {} s", LIMIT.as_secs());
    Finding::failed(found, "the server does not finish this")
        .with_advice("look at the server's log")
}
