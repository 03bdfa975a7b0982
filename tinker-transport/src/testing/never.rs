//! A leaf that never responds.

use std::future::Future;

use crate::request::outgoing::Outgoing;
use crate::service::{Answer, Inner};
use crate::stack::transport::Transport;

/// A transport whose calls never end; for tests of timeouts, deadlines and dropped calls.
///
/// ```
/// use std::time::Duration;
/// use tinker_transport::{Body, Call, Class, TransportBuilder, TransportConfig, policy::Never, testing};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let config = TransportConfig::new("http://engine").with_policy(Class::Rest, Never);
/// let transport = TransportBuilder::from_config(config).leaf(testing::never()).build()?;
///
/// let call = Call::new("list", Class::Rest).with_timeout(Duration::from_secs(7));
/// let request = http::Request::get("/a").extension(call).body(Body::empty())?;
/// assert!(transport.call(request).await.unwrap_err().is_timeout());
/// # Ok(())
/// # }
/// ```
pub fn never() -> Transport {
    Transport::of(Never)
}

struct Never;

impl Inner for Never {
    fn run(&self, _: &mut Outgoing) -> impl Future<Output = Answer> + Send {
        std::future::pending()
    }
}
