//! Recordings of real traffic.

mod content;
mod exchange;
mod player;
mod record;
mod scrub;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use self::exchange::Exchange;
pub use self::player::Player;
pub use self::record::{RecordLayer, Recorded};
pub use self::scrub::Scrub;
use crate::error::BoxError;

/// First line of a cassette; the number changes when older ones can no longer be read.
const HEAD: &str = r#"{"tinker_cassette":1}"#;

/// Recorded traffic, to play back.
///
/// Made with a [`RecordLayer`]. A cassette is a text file of JSON lines, one exchange each, to be
/// read, compared and corrected by people:
///
/// ```text
/// {"tinker_cassette":1}
/// {"n":1,"request":{"method":"POST","path":"/api/v1/asample","headers":{...},"json":{...}},"answer":{"status":200,"headers":{...},"json":{...}},"took_ms":12}
/// ```
///
/// JSON bodies stand as they are, other text under `text`, and protobuf and all else under
/// `base64`. What must not be kept, keys above all, reads `[removed]`; see [`Scrub`].
///
/// Two lines in a test:
///
/// ```
/// use tinker_transport::{Body, Transport, testing::Cassette};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let path = std::env::temp_dir().join(format!("cassette-{}.jsonl", std::process::id()));
/// # std::fs::write(&path, r#"{"tinker_cassette":1}
/// # {"n":1,"request":{"method":"GET","path":"/api/v1/healthz","headers":{}},"answer":{"status":200,"headers":{},"json":{"status":"ok"}}}"#)?;
/// let cassette = Cassette::load(&path)?;
/// let transport = Transport::new(cassette.strict());
///
/// let request = http::Request::get("/api/v1/healthz").body(Body::empty())?;
/// let answer = transport.call(request).await?.into_body().collect(100).await?;
/// assert_eq!(answer, r#"{"status":"ok"}"#);
/// # std::fs::remove_file(&path)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Cassette {
    exchanges: Arc<[Exchange]>,
}

impl Cassette {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, or is no cassette; the error names the line.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, CassetteError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|error| {
            let what = format!("the cassette {} cannot be read", path.display());
            CassetteError::new(what).with_source(error)
        })?;
        Self::parse(&text)
    }

    /// Reads text, for cassettes compiled into a test with `include_str!`.
    ///
    /// # Errors
    /// When it is no cassette; the error names the line.
    pub fn parse(text: &str) -> Result<Self, CassetteError> {
        let mut lines = (1..)
            .zip(text.lines())
            .filter(|(_, line)| !line.trim().is_empty());
        if lines.next().is_none_or(|(_, line)| line.trim() != HEAD) {
            let what = format!("this is no cassette: its first line should be {HEAD}");
            return Err(CassetteError::new(what));
        }
        let mut exchanges = lines
            .map(|(number, line)| {
                Exchange::parse(line).map_err(|error| {
                    CassetteError::new(format!("line {number} of the cassette cannot be read"))
                        .with_source(error)
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        // Written when they ended, numbered when they began.
        exchanges.sort_by_key(|exchange| exchange.number);
        Ok(Self {
            exchanges: exchanges.into(),
        })
    }

    /// How many exchanges there are.
    pub fn len(&self) -> usize {
        self.exchanges.len()
    }

    /// Is there nothing on it?
    pub fn is_empty(&self) -> bool {
        self.exchanges.is_empty()
    }

    /// A leaf that expects exactly the recorded requests, in their order.
    pub fn strict(&self) -> Player {
        Player::new(Arc::clone(&self.exchanges), true)
    }

    /// A leaf that takes requests in any order, and tells them apart by method, path and body. The
    /// same request gets its recorded answers in turn, the last one again and again.
    pub fn loose(&self) -> Player {
        Player::new(Arc::clone(&self.exchanges), false)
    }
}

/// Why a cassette cannot be used.
#[derive(Debug)]
pub struct CassetteError {
    what: String,
    source: Option<BoxError>,
}

impl CassetteError {
    fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            source: None,
        }
    }

    fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for CassetteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for CassetteError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| &**source as _)
    }
}

#[cfg(test)]
mod tests;
