//! Cassettes: recorded traffic.

use std::path::Path;
use std::sync::Arc;

use super::error::CassetteError;
use super::exchange::{Exchange, HEAD};
use super::player::Player;

/// Recorded traffic, for playback.
///
/// Made with a [`RecordLayer`](super::RecordLayer). A cassette is a text file of JSON lines, one exchange each, to be
/// read, compared and corrected by people:
///
/// ```text
/// {"tinker_cassette":1}
/// {"n":1,"request":{"method":"POST","path":"/api/v1/asample","headers":{...},"json":{...}},"answer":{"status":200,"headers":{...},"json":{...}},"took_ms":12}
/// ```
///
/// JSON bodies are stored as JSON, other text under `text`, and protobuf and all else under `base64`. Secrets are
/// replaced by `[removed]`; see [`Scrub`](super::Scrub).
///
/// Use in a test:
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
    /// The file cannot be read, or is not a cassette; the error names the line.
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
    /// The text is not a cassette; the error names the line.
    pub fn parse(text: &str) -> Result<Self, CassetteError> {
        let mut lines = (1..)
            .zip(text.lines())
            .filter(|(_, line)| !line.trim().is_empty());
        if lines.next().is_none_or(|(_, line)| line.trim() != HEAD) {
            let what = format!("this is not a cassette: its first line should be {HEAD}");
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
        // Written in the order of their ends, numbered in the order of their starts.
        exchanges.sort_by_key(|exchange| exchange.number);
        Ok(Self {
            exchanges: exchanges.into(),
        })
    }

    /// Number of exchanges.
    pub fn len(&self) -> usize {
        self.exchanges.len()
    }

    /// Whether there are no exchanges.
    pub fn is_empty(&self) -> bool {
        self.exchanges.is_empty()
    }

    /// A leaf that expects exactly the recorded requests, in order.
    pub fn strict(&self) -> Player {
        Player::new(Arc::clone(&self.exchanges), true)
    }

    /// A leaf that accepts requests in any order, and selects by method, path and body. Repeats of a request get its
    /// recorded responses in turn, then the last one again.
    ///
    /// Concurrent samples differ between runs in their order, and so in the number that each of them gets. To select
    /// them by their prompt and parameters, [ignore](Player::ignoring) the field `seq_id`.
    pub fn loose(&self) -> Player {
        Player::new(Arc::clone(&self.exchanges), false)
    }
}
