//! The manner in which requests are written for a server.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request};
use serde_json::Value;
use tinker_transport::{Body, Call};
use tinker_types::{CheckpointPath, Endpoint, Method, wire::header};
use uuid::Uuid;

use crate::config::Config;
use crate::error::{ConfigError, Error};
use crate::wire::codec;
use crate::wire::lean::Lean;
use crate::wire::request::{Form, address, build};

const SDK_VERSION: HeaderName = HeaderName::from_static(header::SDK_VERSION);

/// Fields of requests that hold the address of a checkpoint.
const ADDRESSES: [&str; 4] = ["path", "model_path", "source_path", "tinker_path"];

/// Schemes of addresses that can be read.
const SCHEMES: [&str; 2] = ["tinker", "twinkle"];

const MODEL: &str = "{model}";
const REQUEST: &str = "{request}";

/// The part of a [`Dialect`](crate::Dialect) that every request depends on. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Manner(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    has_official_form: bool,
    sdk_version: String,
    /// Scheme of addresses, if it is not the usual one.
    scheme: Option<String>,
    version_header: HeaderValue,
    varying: Vec<(HeaderName, String)>,
}

impl Manner {
    /// The manner that a configuration asks for.
    pub(crate) fn of(config: &Config) -> Result<Self, Error> {
        let dialect = &config.dialect;
        let invalid =
            |what: String| ConfigError::new(format!("{what} is not a valid header value"));
        let version_header = HeaderValue::from_str(&dialect.sdk_version)
            .map_err(|_| invalid("the version to claim (sdk_version)".to_owned()))?;
        for (name, value) in &dialect.varying_headers {
            HeaderValue::from_str(value).map_err(|_| invalid(format!("the value of {name}")))?;
        }
        let scheme = &*dialect.path_scheme;
        if !SCHEMES.contains(&scheme) {
            let what = format!(
                "path_scheme: {scheme:?} is not known; use {}",
                SCHEMES.join(" or ")
            );
            return Err(ConfigError::new(what).into());
        }
        Ok(Self(Arc::new(Inner {
            has_official_form: config.has_official_form(),
            sdk_version: dialect.sdk_version.clone(),
            scheme: Some(scheme.to_owned()).filter(|scheme| scheme != SCHEMES[0]),
            version_header,
            varying: dialect.varying_headers.clone(),
        })))
    }

    /// Whether requests have the form of the official client.
    pub(crate) fn has_official_form(&self) -> bool {
        self.0.has_official_form
    }

    /// A message as a JSON body.
    pub(crate) fn to_json<E: Endpoint>(
        &self,
        operation: &'static str,
        message: &E,
    ) -> Result<Bytes, Error> {
        let body = if self.0.has_official_form {
            codec::to_json(operation, message)?
        } else {
            codec::to_json(operation, &Lean(message))?
        };
        Ok(self.with_scheme(body))
    }

    /// A JSON body whose addresses of checkpoints have the scheme of the server.
    fn with_scheme(&self, body: Bytes) -> Bytes {
        let Some(scheme) = &self.0.scheme else {
            return body;
        };
        let Ok(Value::Object(mut fields)) = serde_json::from_slice(&body) else {
            return body;
        };
        for name in ADDRESSES {
            if let Some(Value::String(text)) = fields.get_mut(name)
                && CheckpointPath::is_address(text)
                && let Some((_, rest)) = text.split_once("://")
            {
                *text = format!("{scheme}://{rest}");
            }
        }
        Value::Object(fields).to_string().into()
    }

    /// The request of a message, with a JSON body.
    pub(crate) fn request<E: Endpoint>(
        &self,
        message: &E,
        call: Call,
    ) -> Result<Request<Body>, Error> {
        let body = match E::METHOD {
            Method::Get | Method::Delete => Bytes::new(),
            Method::Post | Method::Put => self.to_json(call.operation, message)?,
        };
        let address = address(message)?;
        Ok(build(E::METHOD, address, Form::Json, body, call))
    }

    /// The version to claim.
    pub(crate) fn sdk_version(&self) -> &str {
        &self.0.sdk_version
    }

    /// Adds the headers of this manner to a request for the server.
    pub(crate) fn complete(&self, request: &mut Request<Body>) {
        let inner = &self.0;
        let call = request.extensions().get::<Call>();
        let names_method = call.is_some_and(|call| call.caller.is_some());
        let subject = call.and_then(|call| call.subject.clone());
        let headers = request.headers_mut();
        if names_method {
            headers.insert(SDK_VERSION, inner.version_header.clone());
        }
        for (name, template) in &inner.varying {
            let mut value = template.clone();
            if value.contains(MODEL) {
                let Some(subject) = &subject else {
                    continue;
                };
                value = value.replace(MODEL, subject);
            }
            if value.contains(REQUEST) {
                value = value.replace(REQUEST, &Uuid::new_v4().simple().to_string());
            }
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
    }
}
