//! Network leaf on `reqwest`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt;
use reqwest::Client;

use super::failure::{Route, unsent};
use super::http2::Http2Servers;
use super::pool::{Lease, Pool};
use super::tls;
use crate::body::Body;
use crate::error::{Kind, Stage, TransportError};
use crate::flow::class::{Class, PerClass};
use crate::flow::limits::ClassLimits;
use crate::policy::is_edge_rejection;
use crate::request::call::Call;
use crate::service::always_ready;
use crate::stack::config::TransportConfig;

/// Interval and time limit of the keep-alive check of an HTTP/2 connection in use.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Leaf that speaks HTTP over TCP and TLS.
///
/// - rustls with ring; the system's root certificates; HTTP/2 if the server supports it, else HTTP/1.1;
/// - separate connections for each class, more of them under load (see
///   [`ClassLimits::per_connection`]); a connection that returned an empty 400 is not reused;
/// - `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY` and the system's proxy settings are respected;
/// - no retries, redirects, cookies or decompression; layers provide them.
///
/// Clones share connections. Dropping a call resets its HTTP/2 stream or closes its connection.
#[derive(Clone)]
pub struct Network {
    shared: Arc<Shared>,
}

struct Shared {
    /// Clients that accept the version a server offers.
    negotiating: PerClass<Arc<Pool<Client>>>,
    /// Clients for servers known to speak HTTP/2, with one connection each.
    multiplexing: PerClass<Arc<Pool<Client>>>,
    http2: Http2Servers,
    limits: PerClass<ClassLimits>,
    tls: rustls::ClientConfig,
    route: Route,
}

impl Network {
    /// A leaf for the server, limits and certificates of `config`. Connects on first use.
    ///
    /// # Errors
    /// [`Kind::Config`] if the certificates are invalid.
    pub fn from_config(config: &TransportConfig) -> Result<Self, TransportError> {
        let is_clear = config.base_url.trim_start().starts_with("http://");
        let tls = if is_clear && config.root_certificates.is_empty() {
            tls::unused_config()?
        } else {
            tls::client_config(&config.root_certificates)?
        };
        let pool = |class| Arc::new(Pool::new(config.limits.get(class).per_connection.get()));
        let shared = Shared {
            negotiating: PerClass::from_fn(pool),
            multiplexing: PerClass::from_fn(pool),
            http2: Http2Servers::default(),
            limits: config.limits.clone(),
            tls,
            route: Route::of_system(),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }
}

impl Shared {
    fn lease(&self, class: Class, is_http2: bool) -> Result<Lease<Client>, TransportError> {
        let pools = if is_http2 {
            &self.multiplexing
        } else {
            &self.negotiating
        };
        pools.get(class).lease(|| self.client(class, is_http2))
    }

    fn client(&self, class: Class, is_http2: bool) -> Result<Client, TransportError> {
        let mut tls = self.tls.clone();
        if is_http2 {
            tls.alpn_protocols.truncate(1);
        }
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .connect_timeout(self.limits.get(class).connect_timeout)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .http2_keep_alive_timeout(KEEP_ALIVE)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false);
        let client = if is_http2 {
            client.http2_prior_knowledge()
        } else {
            client
        };
        let what = "the HTTP client cannot be set up";
        client.build().map_err(|error| {
            TransportError::new(Kind::Config, Stage::NotBuilt, what).with_source(error)
        })
    }

    async fn send(&self, request: Request<Body>) -> Result<Response<Body>, TransportError> {
        let uri = request.uri().clone();
        let is_http2 = self.http2.knows(&uri);
        let lease = self.lease(Call::of(&request).class, is_http2)?;
        let request = reqwest::Request::try_from(request.map(outgoing)).map_err(unsent)?;
        let response = match lease.client().execute(request).await {
            Ok(response) => http::Response::<reqwest::Body>::from(response).map(Body::new),
            Err(error) => {
                let error = self.route.explain(error, &uri);
                if is_http2 && error.is_connect() {
                    self.http2.forget(&uri);
                    lease.retire();
                }
                return Err(error);
            }
        };
        self.route.note_answer();
        self.http2.learn(&uri, response.version());
        if is_edge_rejection(&response) {
            lease.retire();
        }
        Ok(response.map(|body| match body.as_bytes() {
            Some(_) => body,
            None => leased(body, lease),
        }))
    }
}

always_ready!(Network, |network, request| {
    let shared = Arc::clone(&network.shared);
    Box::pin(async move { shared.send(request).await })
});

/// A function, because an `impl From` would be public.
fn outgoing(body: Body) -> reqwest::Body {
    match body.as_bytes() {
        Some(bytes) => bytes.clone().into(),
        None => reqwest::Body::wrap(body),
    }
}

/// A body that marks its connection as busy until it is dropped.
fn leased(body: Body, lease: Lease<Client>) -> Body {
    Body::new(body.map_err(move |error| {
        let _held = &lease;
        error
    }))
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("limits", &self.shared.limits)
            .finish_non_exhaustive()
    }
}
