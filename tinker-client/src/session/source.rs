//! The source of a client's transport.

use std::sync::Arc;

use tinker_transport::{Credential, Transport, TransportBuilder};

/// The source of the transport of a client.
#[derive(Debug, Clone)]
pub(crate) enum TransportSource {
    /// The builder of the default stack, and a transport built from it that sends the configured credential.
    Stack {
        builder: Box<TransportBuilder>,
        raw: Transport,
    },
    /// A transport that the caller finished.
    Finished(Transport),
}

/// A builder with another credential.
pub(crate) fn with_credential(
    builder: TransportBuilder,
    credential: Arc<dyn Credential>,
) -> TransportBuilder {
    builder.configure(|mut stack| {
        stack.credential = Some(credential);
        stack
    })
}
