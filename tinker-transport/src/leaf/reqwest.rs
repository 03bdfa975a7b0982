//! Network leaf on `reqwest`.

use std::fmt;
use std::sync::Arc;

use http::{Request, Response};
use reqwest::Client;

use super::client::{ClientError, Failure, HttpClient, KEEP_ALIVE, Setup};
use super::network::{Leaf, unusable};
use crate::body::Body;
use crate::error::TransportError;
use crate::service::always_ready;
use crate::stack::config::TransportConfig;

/// The leaf [`Network`](crate::Network) on `reqwest` instead of `hyper`, for programs that use reqwest anyway or compare
/// both. It costs more for each request and has no SOCKS proxies. Pass it to
/// [`TransportBuilder::leaf`](crate::TransportBuilder::leaf).
#[derive(Clone)]
pub struct ReqwestNetwork {
    leaf: Arc<Leaf<Client>>,
}

impl ReqwestNetwork {
    /// A leaf for the server, limits and certificates of `config`. Connects on first use.
    ///
    /// # Errors
    /// [`Kind::Config`](crate::Kind::Config) if the certificates or the proxy are invalid.
    pub fn from_config(config: &TransportConfig) -> Result<Self, TransportError> {
        let leaf = Arc::new(Leaf::from_config(config)?);
        Ok(Self { leaf })
    }
}

always_ready!(ReqwestNetwork, |network, request| {
    let leaf = Arc::clone(&network.leaf);
    Box::pin(async move { leaf.send(request).await })
});

impl fmt::Debug for ReqwestNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.leaf.describe("ReqwestNetwork", f)
    }
}

impl HttpClient for Client {
    type Body = reqwest::Body;

    fn build(setup: Setup<'_>) -> Result<Self, TransportError> {
        let client = Self::builder()
            .tls_backend_preconfigured(setup.tls)
            .connect_timeout(setup.connect_timeout)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .http2_keep_alive_timeout(KEEP_ALIVE)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false);
        let client = if setup.is_http2 {
            client.http2_prior_knowledge()
        } else {
            client
        };
        setup.proxy.configure(client)?.build().map_err(unusable)
    }

    fn streams(&self) -> Option<usize> {
        None
    }

    async fn send(&self, request: Request<Body>) -> Result<Response<reqwest::Body>, ClientError> {
        let request = reqwest::Request::try_from(request.map(outgoing)).map_err(failed)?;
        let response = self.execute(request).await.map_err(failed)?;
        Ok(response.into())
    }
}

fn failed(error: reqwest::Error) -> ClientError {
    let failure = match &error {
        error if error.is_builder() => Failure::Request,
        error if error.is_connect() && error.is_timeout() => Failure::ConnectTimeout,
        error if error.is_connect() => Failure::Connect,
        _ => Failure::Connection,
    };
    ClientError {
        failure,
        source: error.without_url().into(),
    }
}

/// A function, because an `impl From` would be public.
fn outgoing(body: Body) -> reqwest::Body {
    match body.as_bytes() {
        Some(bytes) => bytes.clone().into(),
        None => reqwest::Body::wrap(body),
    }
}
