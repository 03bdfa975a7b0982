//! Raw calls: endpoints and HTTP requests that the clients have no method for.

use std::fmt;
use std::future::IntoFuture;

use futures_util::future::{BoxFuture, FutureExt};
use http::{Request, Response};
use serde_json::{Map, Value};
use tinker_transport::{Body, Call, Class, Replay};
use tinker_types::{Endpoint, InvalidValue, Method};

use super::client::ServiceClient;
use crate::error::Error;
use crate::wire::extra::Extended;

/// A call of an endpoint, made by [`ServiceClient::call`]. Await it for the answer.
#[must_use = "nothing is sent before the call is awaited"]
pub struct RawCall<'a, E> {
    service: &'a ServiceClient,
    request: &'a E,
    call: Call,
    extra: Map<String, Value>,
}

impl ServiceClient {
    /// Calls an endpoint through the whole stack: credential, limits, retries, observers. For endpoints, fields and
    /// settings that the clients have no method for.
    ///
    /// By default the call is of the class [`Class::Rest`], and only GET requests are repeated after a lost
    /// connection; see [`RawCall::with_call`]. Opens no session. Dropping the future abandons the request.
    ///
    #[doc = setup!(training)]
    /// use tinker_client::types::{ListTrainingRuns, AccessScope};
    ///
    /// let request = ListTrainingRuns {
    ///     limit: 5,
    ///     offset: 0,
    ///     access_scope: AccessScope::Owned,
    ///     project_id: None,
    /// };
    /// let page = service.call(&request).await?;
    /// assert_eq!(page.training_runs.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// An endpoint that this crate does not know implements [`Endpoint`] itself:
    ///
    #[doc = setup!(service)]
    /// use tinker_client::types::{Endpoint, Method};
    ///
    /// #[derive(serde::Serialize)]
    /// struct Health {}
    ///
    /// impl Endpoint for Health {
    ///     type Response = serde_json::Value;
    ///     const NAME: &'static str = "health";
    ///     const METHOD: Method = Method::Get;
    ///     const ROUTE: &'static str = "healthz";
    /// }
    ///
    /// let health = service.call(&Health {}).await?;
    /// assert_eq!(health["status"], "ok");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Status`] for an error status, [`Error::Decode`] for an answer that is not an `E::Response`,
    /// [`Error::Transport`] without an answer.
    pub fn call<'a, E: Endpoint>(&'a self, request: &'a E) -> RawCall<'a, E> {
        let replay = match E::METHOD {
            Method::Get => Replay::Safe,
            _ => Replay::Unsafe,
        };
        RawCall {
            service: self,
            request,
            call: Call::new(E::NAME, Class::Rest).with_replay(replay),
            extra: Map::new(),
        }
    }

    /// Sends an HTTP request through the whole stack and returns the response, whatever its status, with its body as
    /// a stream.
    ///
    /// A relative URI such as `/api/v1/healthz` is resolved against the base URL and gets the credential; a request to
    /// another origin gets neither credential nor configured headers. Class, timeout, retries and the name in logs
    /// come from a [`Call`] in the extensions of the request; the default is [`Class::Rest`], with retries for methods
    /// that are safe. Opens no session.
    ///
    #[doc = setup!(service)]
    /// use tinker_client::transport::Body;
    ///
    /// let request = http::Request::get("/api/v1/healthz").body(Body::empty())?;
    /// let response = service.send(request).await?;
    /// assert!(response.status().is_success());
    /// let body = response.into_body().collect(1 << 20).await?;
    /// assert!(body.starts_with(b"{"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Transport`] without a response.
    pub async fn send(&self, request: Request<Body>) -> Result<Response<Body>, Error> {
        let connection = self.state.connection().await?;
        Ok(connection.api.open(request).await?)
    }
}

impl<E> RawCall<'_, E> {
    /// Sets class, timeout, retries, caller and whatever else a [`Call`] holds.
    pub fn with_call(mut self, call: Call) -> Self {
        self.call = call;
        self
    }

    /// Adds a field to the JSON body, for fields that the request type does not have. The name must differ from
    /// those of the request's own fields.
    ///
    #[doc = setup!(training)]
    /// use tinker_client::types::GetWeightsInfo;
    ///
    /// let saved = training.save_state("first").await?.path;
    /// let request = GetWeightsInfo::new(&saved);
    /// let info = service.call(&request).with_extra("verbose", true).await?;
    /// assert_eq!(info.lora_rank, Some(4));
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_extra(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.extra.insert(name.into(), value.into());
        self
    }
}

impl<'a, E> IntoFuture for RawCall<'a, E>
where
    E: Endpoint + Sync,
    E::Response: Send,
{
    type Output = Result<E::Response, Error>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        async move {
            let has_body = !matches!(E::METHOD, Method::Get | Method::Delete);
            if !has_body && !self.extra.is_empty() {
                let why = format!("are set, but {} requests have no body", E::METHOD.as_str());
                return Err(InvalidValue::new("extra fields", why).into());
            }
            let state = &self.service.state;
            let connection = state.connection().await?;
            let request = Extended {
                request: self.request,
                extra: &self.extra,
            };
            state
                .events()
                .outcome(connection.api.call(&request, self.call).await)
        }
        .boxed()
    }
}

impl<E> fmt::Debug for RawCall<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawCall")
            .field("call", &self.call)
            .field("extra", &self.extra.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
