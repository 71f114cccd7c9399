//! TLS: the certificate that a target shows, and the layer between a socket and its dialogue.
//!
//! Versions 1.2 and 1.3 by rustls with ring; ALPN takes `http/1.1` where the client offers
//! anything; sessions are resumed by tickets, so that clients can be seen to do so.

mod layer;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

pub(crate) use self::layer::{RECORD_BYTES_MAX, TlsLayer};
use crate::options::TargetError;

/// Names and addresses of a self-signed certificate.
const SELF_SIGNED_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// A certificate and its key, in PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct TargetTls {
    certificate_pem: Vec<u8>,
    key_pem: Vec<u8>,
}

/// Without the key.
impl fmt::Debug for TargetTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let certificate = String::from_utf8_lossy(&self.certificate_pem);
        f.debug_struct("TargetTls").field("certificate_pem", &certificate).finish_non_exhaustive()
    }
}

impl TargetTls {
    /// Makes a self-signed certificate for `localhost`, `127.0.0.1` and `::1`, with a new key
    /// (ECDSA on P-256).
    ///
    /// # Errors
    /// [`TargetError::Tls`] if there is no randomness to make a key of.
    pub fn self_signed() -> Result<Self, TargetError> {
        let made = || {
            let mut params = CertificateParams::new(SELF_SIGNED_NAMES.map(str::to_owned))?;
            params.distinguished_name.push(DnType::CommonName, "loadr-target");
            let key = KeyPair::generate()?;
            let certificate = params.self_signed(&key)?;
            Ok(Self::from_pem(certificate.pem(), key.serialize_pem()))
        };
        made().map_err(|error: rcgen::Error| refused("a certificate cannot be made", &error))
    }

    /// Takes a certificate, with those that lead to its authority behind it, and its key; they are
    /// looked at when the target binds.
    pub fn from_pem(certificate: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        Self { certificate_pem: certificate.into(), key_pem: key.into() }
    }

    /// Reads certificate and key from PEM files.
    ///
    /// # Errors
    /// [`TargetError::TlsFile`] for a file that cannot be read.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, TargetError> {
        let read = |path: &Path| {
            let failed = |source| TargetError::TlsFile { path: path.to_owned(), source };
            std::fs::read(path).map_err(failed)
        };
        Ok(Self { certificate_pem: read(certificate)?, key_pem: read(key)? })
    }

    /// The certificate in PEM, for clients to trust.
    pub fn certificate_pem(&self) -> &[u8] {
        &self.certificate_pem
    }

    /// Refuses what cannot be served with.
    pub(crate) fn server_config(&self) -> Result<Arc<ServerConfig>, TargetError> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&self.certificate_pem)
            .collect::<Result<_, _>>()
            .map_err(|error| refused("the certificate is not PEM", &error))?;
        if chain.is_empty() {
            return Err(refused("the certificate is not PEM", &"no certificate in it"));
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key_pem)
            .map_err(|error| refused("the key is not PEM", &error))?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|versions| versions.with_no_client_auth().with_single_cert(chain, key));
        let mut config = config.map_err(|error| refused("certificate and key", &error))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.ticketer =
            ring::Ticketer::new().map_err(|error| refused("no key for tickets", &error))?;
        Ok(Arc::new(config))
    }
}

fn refused(what: &'static str, reason: &dyn fmt::Display) -> TargetError {
    TargetError::Tls { what, reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_self_signed_certificate_serves() {
        let tls = TargetTls::self_signed().unwrap();
        tls.server_config().unwrap();
        assert!(tls.certificate_pem().starts_with(b"-----BEGIN CERTIFICATE-----"));
        assert!(!format!("{tls:?}").contains("PRIVATE KEY"));
    }

    #[test]
    fn what_does_not_serve_is_refused_in_words() {
        let (one, other) = (TargetTls::self_signed().unwrap(), TargetTls::self_signed().unwrap());
        let mixed = TargetTls::from_pem(one.certificate_pem.clone(), other.key_pem.clone());
        for (tls, words) in [
            (mixed, "certificate and key"),
            (TargetTls::from_pem("", one.key_pem.clone()), "no certificate in it"),
            (TargetTls::from_pem("rubbish", one.key_pem.clone()), "no certificate in it"),
            (TargetTls::from_pem(one.certificate_pem.clone(), "rubbish"), "the key is not PEM"),
        ] {
            let refused = tls.server_config().unwrap_err().to_string();
            assert!(refused.contains(words), "{refused}");
        }
    }
}
