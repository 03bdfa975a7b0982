//! For the tests of whoever builds on this crate: answers from a list, recordings of real
//! traffic, faults on demand. All of it is a service or a layer like any other.
//!
//! | to test | take |
//! |---|---|
//! | what is sent, and what is made of an answer | [`Script`]: answers in order, requests to look at |
//! | what happens when nothing happens | [`never()`] |
//! | a whole exchange as it really went | [`RecordLayer`], then [`Cassette`] |
//! | that lost answers, resets and slow bodies are borne | [`FaultLayer`] |
//!
//! Two lines make a transport that asserts, when it is dropped, that all its answers were used:
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

//! The same for the others, in a `#[tokio::test]`:
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
//! // And from the file, ever after.
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
