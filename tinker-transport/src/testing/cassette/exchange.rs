//! Recorded exchanges: one line of a cassette each.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::uri::PathAndQuery;
use http::{HeaderMap, Uri};
use serde_json::Value;
use serde_json::value::RawValue;

use super::content::Content;
use crate::error::{BoxError, Kind, Stage};

/// First line of a cassette; the number changes when older cassettes can no longer be read.
pub(super) const HEAD: &str = r#"{"tinker_cassette":1}"#;

/// A request and its result.
#[derive(Debug, Clone)]
pub(super) struct Exchange {
    pub(super) number: u64,
    pub(super) request: Sent,
    pub(super) end: End,
    pub(super) took: Duration,
}

#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) method: String,
    /// Path and query.
    pub(super) path: String,
    pub(super) headers: Headers,
    pub(super) body: Content,
}

#[derive(Debug, Clone)]
pub(super) enum End {
    Answered {
        status: u16,
        headers: Headers,
        body: Content,
        /// The body broke off, or was not read to its end.
        is_cut: bool,
    },
    Failed {
        kind: Kind,
        stage: Stage,
        what: String,
    },
}

/// Values by lowercase name.
pub(super) type Headers = BTreeMap<String, Vec<String>>;

pub(super) fn headers_of(map: &HeaderMap) -> Headers {
    let mut headers = Headers::new();
    for (name, value) in map {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        headers.entry(name.to_string()).or_default().push(value);
    }
    headers
}

impl Exchange {
    /// The line, without the line break.
    pub(super) fn line(&self) -> String {
        let mut line = String::new();
        // Writing into a string cannot fail.
        let _ = write!(line, r#"{{"n":{},"request":{{"method":"#, self.number);
        let Sent {
            method,
            path,
            headers,
            body,
        } = &self.request;
        let (method, path) = (Value::from(method.as_str()), Value::from(path.as_str()));
        let _ = write!(
            line,
            r#"{method},"path":{path},"headers":{}"#,
            written(headers)
        );
        body.write(&mut line);
        match &self.end {
            End::Answered {
                status,
                headers,
                body,
                is_cut,
            } => {
                let headers = written(headers);
                let _ = write!(
                    line,
                    r#"}},"answer":{{"status":{status},"headers":{headers}"#
                );
                body.write(&mut line);
                if *is_cut {
                    line.push_str(r#","cut":true"#);
                }
            }
            End::Failed { kind, stage, what } => {
                let what = Value::from(what.as_str());
                let _ = write!(
                    line,
                    r#"}},"failure":{{"kind":"{kind:?}","stage":"{stage:?}","what":{what}"#
                );
            }
        }
        let _ = write!(line, r#"}},"took_ms":{}}}"#, self.took.as_millis());
        line
    }

    pub(super) fn parse(line: &str) -> Result<Self, BoxError> {
        let fields = Fields::read(line)?;
        let request = fields.object("request")?;
        let end = match fields.0.get("failure") {
            Some(failure) => End::failure(&Fields::read(failure.get())?)?,
            None => End::answer(&fields.object("answer")?)?,
        };
        let took = fields.value("took_ms")?.as_u64().unwrap_or_default();
        Ok(Self {
            number: fields.value("n")?.as_u64().ok_or("`n` is not a number")?,
            request: Sent {
                method: request.text("method")?,
                path: request.text("path")?,
                headers: request.headers()?,
                body: request.content()?,
            },
            end,
            took: Duration::from_millis(took),
        })
    }
}

impl End {
    fn answer(fields: &Fields) -> Result<Self, BoxError> {
        let status = fields.value("status")?.as_u64();
        let status = status.and_then(|status| u16::try_from(status).ok());
        Ok(Self::Answered {
            status: status.ok_or("`status` is not a valid status")?,
            headers: fields.headers()?,
            body: fields.content()?,
            is_cut: fields.value("cut")? == true,
        })
    }

    fn failure(fields: &Fields) -> Result<Self, BoxError> {
        let (kind, stage) = (fields.text("kind")?, fields.text("stage")?);
        let kinds = [
            Kind::Config,
            Kind::Request,
            Kind::Credential,
            Kind::Connect,
            Kind::Timeout,
            Kind::Interrupted,
            Kind::Unavailable,
            Kind::Body,
            Kind::TooLarge,
            Kind::Layer,
        ];
        let stages = [
            Stage::NotBuilt,
            Stage::NotSent,
            Stage::MaybeReceived,
            Stage::Answered,
        ];
        let kind = kinds.into_iter().find(|known| format!("{known:?}") == kind);
        let stage = stages
            .into_iter()
            .find(|known| format!("{known:?}") == stage);
        Ok(Self::Failed {
            kind: kind.ok_or("`kind` is unknown")?,
            stage: stage.ok_or("`stage` is unknown")?,
            what: fields.text("what")?,
        })
    }
}

/// Fields of a JSON object, each as its text.
struct Fields(BTreeMap<String, Box<RawValue>>);

impl Fields {
    fn read(text: &str) -> Result<Self, BoxError> {
        Ok(Self(serde_json::from_str(text)?))
    }

    /// A field; null if it is missing.
    fn value(&self, name: &str) -> Result<Value, BoxError> {
        let text = self.0.get(name).map_or("null", |raw| raw.get());
        Ok(serde_json::from_str(text)?)
    }

    fn text(&self, name: &str) -> Result<String, BoxError> {
        match self.value(name)? {
            Value::String(text) => Ok(text),
            _ => Err(format!("`{name}` is missing or not a string").into()),
        }
    }

    fn object(&self, name: &str) -> Result<Self, BoxError> {
        let raw = self
            .0
            .get(name)
            .ok_or_else(|| format!("`{name}` is missing"))?;
        Self::read(raw.get())
    }

    fn headers(&self) -> Result<Headers, BoxError> {
        let Value::Object(fields) = self.value("headers")? else {
            return Ok(Headers::new());
        };
        let text = |value: Value| match value {
            Value::String(text) => Ok(text),
            _ => Err("a header is not a string"),
        };
        let values = |value| match value {
            Value::Array(values) => values.into_iter().map(text).collect(),
            one => text(one).map(|one| vec![one]),
        };
        fields
            .into_iter()
            .map(|(name, value)| Ok((name.to_lowercase(), values(value)?)))
            .collect()
    }

    fn content(&self) -> Result<Content, BoxError> {
        if let Some(raw) = self.0.get("json") {
            return Ok(Content::Json(raw.clone()));
        }
        if self.0.contains_key("text") {
            return Ok(Content::Text(self.text("text")?));
        }
        if self.0.contains_key("base64") {
            let bytes = STANDARD.decode(self.text("base64")?)?;
            return Ok(Content::Binary(bytes.into()));
        }
        Ok(Content::Empty)
    }
}

/// Headers as a JSON object; a name with a single value has no list.
fn written(headers: &Headers) -> Value {
    let values = |values: &Vec<String>| match values.as_slice() {
        [one] => Value::from(one.as_str()),
        many => Value::from(many),
    };
    Value::Object(
        headers
            .iter()
            .map(|(name, value)| (name.clone(), values(value)))
            .collect(),
    )
}

/// Path and query; preceded by the origin, if the URI has one.
pub(super) fn path_of(uri: &Uri) -> String {
    let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let Some(host) = uri.host() else {
        return path.to_owned();
    };
    // Not the authority, which may contain a password.
    let scheme = uri.scheme_str().unwrap_or("http");
    let port = uri
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    format!("{scheme}://{host}{port}{path}")
}
