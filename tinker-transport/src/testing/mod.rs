//! Test support: prepared responses, recordings of real traffic, fault injection. All of it is a
//! service or a layer.
//!
//! | to test | use |
//! |---|---|
//! | requests and the handling of responses | [`Script`]: responses in order, recorded requests |
//! | timeouts and cancellation | [`never()`] |
//! | a complete real exchange | [`RecordLayer`], then [`Cassette`] |
//! | tolerance of lost responses, resets and slow bodies | [`FaultLayer`] |
//!
//! Two lines create a transport that asserts on drop that all its responses were used:
//!
//! ```
//! use tinker_transport::{Body, Transport, testing::Script};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let script = Script::new().answer(503, "").answer(200, r#"{"ok":true}"#);
//! let transport = Transport::new(script.clone());
//!
//! let ask = || http::Request::post("/a").body(Body::from("?"));
//! assert_eq!(transport.call(ask()?).await?.status(), 503);
//! let body = transport.call(ask()?).await?.into_body().collect(100).await?;
//! assert_eq!(body, r#"{"ok":true}"#);
//! assert_eq!(script.requests()[1].body(), "?");
//! # Ok(())
//! # }
//! ```

//! The others, in a `#[tokio::test]`:
//!
//! ```
//! use tinker_transport::testing::{Cassette, Fault, FaultLayer, RecordLayer, Scrub};
//! # use tinker_transport::{Transport, TransportConfig};
//! # fn lines(my_leaf: Transport, path: &str) -> Result<(), Box<dyn std::error::Error>> {
//!
//! // Faults on three of ten requests, the same ones in every run.
//! let faults = FaultLayer::seeded(7).with(Fault::LoseAnswer, 0.1).with(Fault::ResetBefore, 0.2);
//! let transport = my_leaf.layer(faults);
//!
//! // Real traffic to a file, once.
//! let record = RecordLayer::create(path, Scrub::new())?;
//! let transport = Transport::from_config(TransportConfig::new("http://localhost:8000"))?.layer(record);
//!
//! // From then on, from the file.
//! let cassette = Cassette::load(path)?;
//! let transport = Transport::new(cassette.loose());
//! # Ok(())
//! # }
//! ```

mod cassette;
mod fault;
mod never;
mod script;

pub use cassette::{Cassette, CassetteError, Player, RecordLayer, Recorded, Scrub};
pub use fault::{Fault, FaultLayer, Faulty, Injected};
pub use never::never;
pub use script::Script;
