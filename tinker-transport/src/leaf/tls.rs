//! TLS settings of the network leaf.

use std::sync::Arc;

use bytes::Bytes;
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls_platform_verifier::Verifier;

use crate::error::{BoxError, Kind, Stage, TransportError};
use crate::stack::identity::ClientCertificate;

/// TLS 1.2 and 1.3 with ring; offers HTTP/2, then HTTP/1.1; trusts the certificates of the system and of the PEM
/// bundles in `extra`.
pub(super) fn client_config(
    extra: &[Bytes],
    identity: Option<&ClientCertificate>,
) -> Result<ClientConfig, TransportError> {
    let provider = Arc::new(ring::default_provider());
    let mut roots: Vec<CertificateDer<'static>> = Vec::new();
    for bundle in extra {
        let before = roots.len();
        for certificate in CertificateDer::pem_slice_iter(bundle) {
            roots.push(
                certificate
                    .map_err(|error| unusable("a root certificate is not valid PEM", error))?,
            );
        }
        if roots.len() == before {
            return Err(unusable(
                "a bundle of root certificates contains none",
                "no BEGIN CERTIFICATE found",
            ));
        }
    }
    let verifier =
        Verifier::new_with_extra_roots(roots, Arc::clone(&provider)).map_err(|error| {
            unusable(
                "the system's root certificates are not usable; is ca-certificates installed?",
                error,
            )
        })?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable("no TLS version can be used", error))?;
    let builder = builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let (chain, key) = chain_and_key(identity)?;
            let what = "the client certificate and its key do not belong together";
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| unusable(what, error))?
        }
    };
    Ok(with_protocols(config))
}

/// The parts of a client certificate. No error repeats a part of the key.
fn chain_and_key(
    identity: &ClientCertificate,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TransportError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&identity.chain).collect();
    let chain =
        chain.map_err(|error| unusable("the client certificate is not valid PEM", error))?;
    if chain.is_empty() {
        let what = "the client certificate contains none";
        return Err(unusable(what, "no BEGIN CERTIFICATE found"));
    }
    let key = PrivateKeyDer::from_pem_slice(&identity.key).map_err(|_| {
        let why = "no BEGIN PRIVATE KEY found, or its content is not readable; a key with a password is not supported";
        unusable("the key of the client certificate is not valid PEM", why)
    })?;
    Ok((chain, key))
}

/// The same settings without trusted certificates, for servers without TLS: nothing is read from the system.
pub(super) fn unused_config() -> Result<ClientConfig, TransportError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable("no TLS version can be used", error))?;
    Ok(with_protocols(
        builder
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth(),
    ))
}

fn with_protocols(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

fn unusable(what: &'static str, source: impl Into<BoxError>) -> TransportError {
    TransportError::new(Kind::Config, Stage::NotBuilt, what).with_source(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http2_is_offered_first() {
        assert_eq!(
            unused_config().unwrap().alpn_protocols,
            [b"h2".to_vec(), b"http/1.1".to_vec()]
        );
    }

    #[test]
    fn a_bundle_without_certificates_is_refused() {
        let error = client_config(&[Bytes::from_static(b"not pem")], None).unwrap_err();
        assert_eq!(error.kind(), Kind::Config);
    }

    #[test]
    fn a_client_certificate_needs_its_key_and_no_error_shows_it() {
        let certificate =
            |chain: &str, key: &str| ClientCertificate::from_pem(chain.to_owned(), key.to_owned());
        let made = rcgen::generate_simple_self_signed(["me".to_owned()]).unwrap();
        let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        assert!(client_config(&[], Some(&certificate(&chain, &key))).is_ok());
        for (chain, key) in [(chain.as_str(), "hunter2"), ("hunter2", key.as_str())] {
            let error = client_config(&[], Some(&certificate(chain, key))).unwrap_err();
            assert_eq!(error.kind(), Kind::Config);
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }
}
