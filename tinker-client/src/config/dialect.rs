//! The dialect of a server: where it differs from the hosted service.

use http::HeaderName;
use tinker_types::wire::header;

use crate::wire::request::PROTOCOL_VERSION;

/// The dialect of a server. The default finds out by itself what can be found out.
///
/// ```
/// use tinker_client::{Config, Dialect, Wire};
///
/// let dialect = Dialect::default().with_wire(Wire::Json).with_path_scheme("twinkle");
/// let config = Config::new("http://localhost:8000").with_dialect(dialect);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dialect {
    /// Form of training passes. Default: [`Wire::Auto`].
    pub wire: Wire,
    /// Form of passes without gradients. Default: [`ForwardOnly::Auto`].
    pub forward_only: ForwardOnly,
    /// Whether requests have the form of the official client, which also sends optional fields at their defaults and
    /// a single stop text as it is. Servers that refuse unknown fields need `false`. Default `None`: only for the
    /// hosted service.
    pub official_form: Option<bool>,
    /// Version of the official client that is claimed in `sdk_version` fields and in a header. Servers may refuse
    /// versions that they no longer support. Default: [`PROTOCOL_VERSION`].
    pub sdk_version: String,
    /// Scheme of checkpoint paths, without `://`: `tinker` or `twinkle`. Paths are sent with this scheme, and read with
    /// either. Default `tinker`.
    pub path_scheme: String,
    /// Header of the API key. In `Authorization`, and in any header whose name ends with `-authorization`, the key
    /// follows the word `Bearer`. Default `X-API-Key`.
    pub key_header: HeaderName,
    /// Headers whose value differs between requests: `{request}` in a value is replaced by an id of the request,
    /// `{model}` by an id that all requests about one model or sampler of this client share. A header with `{model}`
    /// is sent only with requests about a model or sampler. Fixed headers are
    /// [`Config::headers`](crate::Config::headers).
    pub varying_headers: Vec<(HeaderName, String)>,
}

/// Form of training passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
#[non_exhaustive]
pub enum Wire {
    /// Protobuf first; JSON if the server refuses that and accepts JSON. The accepted form is remembered for each
    /// base URL.
    #[default]
    Auto,
    /// JSON only.
    Json,
    /// Protobuf only.
    Protobuf,
}

/// Form of passes without gradients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
#[non_exhaustive]
pub enum ForwardOnly {
    /// By URL for passes in JSON. For passes in protobuf by flag, after a test on a throw-away model whether the server
    /// honours it: a server that does not would add gradients. No test for the hosted service, the local server
    /// and a [leaf](crate::ServiceClientBuilder::leaf).
    #[default]
    Auto,
    /// As `Auto`, and tested for the hosted service and a leaf as well.
    Tested,
    /// By a flag in the message, without a test: the server is known to honour it.
    Flag,
    /// By URL, `forward`.
    Url,
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            wire: Wire::Auto,
            forward_only: ForwardOnly::Auto,
            official_form: None,
            sdk_version: PROTOCOL_VERSION.to_owned(),
            path_scheme: "tinker".to_owned(),
            key_header: HeaderName::from_static(header::API_KEY),
            varying_headers: Vec::new(),
        }
    }
}

impl Dialect {
    tinker_types::setters! {
        /// Sets [`Self::wire`].
        with_wire(wire: Wire) => wire = wire;

        /// Sets [`Self::forward_only`].
        with_forward_only(form: ForwardOnly) => forward_only = form;

        /// Sets [`Self::official_form`].
        with_official_form(is_on: bool) => official_form = Some(is_on);

        /// Sets [`Self::sdk_version`].
        with_sdk_version(version: impl Into<String>) => sdk_version = version.into();

        /// Sets [`Self::path_scheme`].
        with_path_scheme(scheme: impl Into<String>) => path_scheme = scheme.into();

        /// Sets [`Self::key_header`].
        with_key_header(name: HeaderName) => key_header = name;

        /// Adds a header to [`Self::varying_headers`].
        with_varying_header(name: HeaderName, value: impl Into<String>) => varying_headers.push((name, value.into()));
    }
}
