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
        /// The leaf is a service of the caller, not the network.
        is_in_process: bool,
    },
    /// A transport that the caller finished.
    Finished(Transport),
}

impl TransportSource {
    /// Whether the leaf is a service of the caller.
    pub(crate) fn is_in_process(&self) -> bool {
        matches!(
            self,
            Self::Stack {
                is_in_process: true,
                ..
            }
        )
    }

    /// Whether the configured base URL is the address of the server.
    pub(crate) fn has_url(&self) -> bool {
        matches!(
            self,
            Self::Stack {
                is_in_process: false,
                ..
            }
        )
    }
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
