//! The network leaf under test. With the feature `reqwest` the tests of sockets run over that leaf.

use tinker_transport::{Transport, TransportConfig, TransportError};

/// The default stack over the network leaf under test.
pub(crate) fn over_network(config: TransportConfig) -> Result<Transport, TransportError> {
    #[cfg(feature = "reqwest")]
    {
        let leaf = tinker_transport::ReqwestNetwork::from_config(&config)?;
        tinker_transport::TransportBuilder::from_config(config)
            .leaf(leaf)
            .build()
    }
    #[cfg(not(feature = "reqwest"))]
    Transport::from_config(config)
}
