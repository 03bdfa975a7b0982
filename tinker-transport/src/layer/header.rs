//! Header layer.

use http::header::{ACCEPT, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use std::sync::Arc;
use tinker_types::wire::header;

use super::around::{Around, tower_layer};
use super::base::is_at_home;
use crate::body::Body;
use crate::flow::class::Class;
use crate::request::call::Call;
use crate::request::outgoing::Outgoing;
use crate::service::{Answer, Inner};

/// Tells the server that this client waits and retries after a 429 on a sample.
const BACKPRESSURE: HeaderName = HeaderName::from_static(header::SAMPLING_BACKPRESSURE);

/// Adds missing headers.
///
/// Existing headers are not changed. Otherwise, in this order: the configured headers (not on a request to another
/// server), `User-Agent`, `Accept: application/json`, and `X-Tinker-Sampling-Backpressure: 1` on samples.
///
/// # Order
/// Inside [`BaseLayer`](super::BaseLayer), which marks requests to other servers.
#[derive(Debug, Clone)]
pub struct HeaderLayer {
    user_agent: HeaderValue,
    configured: Arc<HeaderMap>,
}

impl HeaderLayer {
    /// Adds this `User-Agent` and these headers; their values are marked as sensitive.
    pub fn new(user_agent: HeaderValue, mut configured: HeaderMap) -> Self {
        configured
            .values_mut()
            .for_each(|value| value.set_sensitive(true));
        Self {
            user_agent,
            configured: Arc::new(configured),
        }
    }

    fn complete(&self, request: &mut Request<Body>) {
        let is_sample = Call::find(request).class == Class::Sample;
        let at_home = is_at_home(request);
        let headers = request.headers_mut();
        if at_home {
            for name in self.configured.keys() {
                if !headers.contains_key(name) {
                    for value in self.configured.get_all(name) {
                        headers.append(name, value.clone());
                    }
                }
            }
        }
        headers
            .entry(USER_AGENT)
            .or_insert_with(|| self.user_agent.clone());
        headers
            .entry(ACCEPT)
            .or_insert(HeaderValue::from_static("application/json"));
        if is_sample {
            headers
                .entry(BACKPRESSURE)
                .or_insert(HeaderValue::from_static("1"));
        }
    }
}

tower_layer!(HeaderLayer makes Header);

impl Around for HeaderLayer {
    async fn around(&self, request: &mut Outgoing, inner: &impl Inner) -> Answer {
        self.complete(request);
        inner.run(request).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{request, scripted};

    #[tokio::test]
    async fn a_request_keeps_its_own_headers_and_gets_the_others() {
        let mut configured = HeaderMap::new();
        configured.insert("x-extra", "one".parse().unwrap());
        configured.insert("user-agent", "mine".parse().unwrap());
        let (leaf, seen) = scripted(&[]);
        let transport = leaf.layer(HeaderLayer::new(
            HeaderValue::from_static("default/1"),
            configured,
        ));

        let mut own = request(Call::new("retrieve", Class::Retrieve));
        own.headers_mut()
            .insert(ACCEPT, "application/x-protobuf".parse().unwrap());
        transport.call(own).await.unwrap();
        transport
            .call(request(Call::new("sample", Class::Sample)))
            .await
            .unwrap();

        let requests = seen.take();
        let (retrieve, sample) = (requests[0].headers(), requests[1].headers());
        assert_eq!(retrieve[ACCEPT], "application/x-protobuf");
        assert!(!retrieve.contains_key(BACKPRESSURE));
        assert_eq!(sample[ACCEPT], "application/json");
        assert_eq!(sample[BACKPRESSURE], "1");
        assert_eq!(sample[USER_AGENT], "mine");
        assert_eq!(sample["x-extra"], "one");
        assert_eq!(format!("{:?}", sample["x-extra"]), "Sensitive");
    }
}
