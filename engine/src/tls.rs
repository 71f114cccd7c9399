//! TLS as a client speaks it: what is offered, what is believed, and what a user remembers from one handshake to the next.
//!
//! rustls does the cryptography and the protocol, without I/O: `session` moves bytes between it and a stream's halves, so
//! that an encrypted connection is the same stream with a layer inside, on every runtime, and needs no task of its own.
//!
//! - [`TlsOptions`]: what was asked for. [`TlsConfig`]: the same, checked, shared by all shards and made on first use, since
//!   the system's authorities are many and most runs need none.
//! - [`TlsClient`]: one user's. Sessions are resumed by the user that they were made for, as by a browser's owner.
//! - [`TlsError`]: what goes wrong, for people.

mod certificates;
pub(crate) mod session;
mod words;

use std::cell::OnceCell;
use std::fmt;
use std::sync::{Arc, LazyLock};

use rustls::client::{ClientConfig, Resumption};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, SupportedProtocolVersion};

use certificates::{AnyCertificate, Authorities};
pub use words::TlsError;

/// Servers whose sessions one user remembers.
const SESSIONS_MAX: usize = 8;
/// The protocol that HTTP/1.1 and WebSocket ask for (RFC 7301).
pub const ALPN_HTTP_1_1: &[u8] = b"http/1.1";

/// What TLS connections are to be like.
#[derive(Debug)]
pub struct TlsOptions {
    /// Whose certificates are believed.
    pub roots: Roots,
    /// Any certificate will do, for any name.
    pub insecure: bool,
    /// What the client shows of itself.
    pub identity: Option<Identity>,
    /// The name that is sent to the target.
    pub sni: Sni,
    /// Protocols offered for inside of the connection, the preferred one first; none leaves the extension out.
    pub alpn: Vec<Vec<u8>>,
    /// Versions offered.
    pub versions: Versions,
    /// Whether a session is resumed where the target allows it.
    pub resumption: bool,
}

impl Default for TlsOptions {
    fn default() -> Self {
        Self {
            roots: Roots::System,
            insecure: false,
            identity: None,
            sni: Sni::Host,
            alpn: vec![ALPN_HTTP_1_1.to_vec()],
            versions: Versions::Both,
            resumption: true,
        }
    }
}

/// Whose certificates are believed.
#[derive(Debug)]
pub enum Roots {
    /// The authorities of this system, or those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name.
    System,
    /// These authorities, and these certificates themselves.
    These(Vec<CertificateDer<'static>>),
}

/// A certificate of the client's own, with those that lead to its authority, and its key.
#[derive(Debug)]
pub struct Identity {
    /// The certificate first.
    pub certificates: Vec<CertificateDer<'static>>,
    /// The private key.
    pub key: PrivateKeyDer<'static>,
}

/// The server name indication (RFC 6066, section 3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Sni {
    /// The host that the connection is for.
    #[default]
    Host,
    /// None is sent.
    Off,
    /// This name is sent, and has to be in the certificate.
    Name(String),
}

/// Protocol versions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Versions {
    /// TLS 1.3, and 1.2 where the target knows no better.
    #[default]
    Both,
    /// TLS 1.2 alone.
    Only12,
    /// TLS 1.3 alone.
    Only13,
}

impl Versions {
    fn supported(self) -> &'static [&'static SupportedProtocolVersion] {
        static BOTH: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
        match self {
            Self::Both => &BOTH,
            Self::Only13 => &BOTH[..1],
            Self::Only12 => &BOTH[1..],
        }
    }
}

/// Settings that no connection can be made with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsConfigError {
    /// The system has no authorities where they are looked for.
    #[error(
        "this system has no certificate authorities that could be read{detail}: name a file of them"
    )]
    NoAuthorities {
        /// What was found instead, after a colon; empty where nothing was.
        detail: String,
    },
    /// A given authority is no certificate.
    #[error("certificate {number} of the authorities cannot be read: {reason}")]
    Authority {
        /// Its place, from 1.
        number: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The client's certificate and key.
    #[error("the client certificate cannot be used: {reason}")]
    Identity {
        /// What is wrong with them.
        reason: String,
    },
    /// A name that no certificate can be for.
    #[error("'{name}' is neither a host name nor an address")]
    Name {
        /// The name.
        name: String,
    },
    /// What the options were to be made of.
    #[error("{0}")]
    Source(String),
    /// The cryptography has nothing for these settings.
    #[error("TLS cannot be set up: {0}")]
    Other(String),
}

type Made = Result<Shared, TlsConfigError>;
type Making = Box<dyn FnOnce() -> Made + Send>;

/// What all users have in common.
struct Shared {
    prototype: ClientConfig,
    name: Option<ServerName<'static>>,
    resumption: bool,
    versions: Versions,
}

/// How TLS connections are made, for all users of a run; a clone is the same.
#[derive(Clone)]
pub struct TlsConfig(Arc<LazyLock<Made, Making>>);

impl TlsConfig {
    /// Settings that are made, from what `options` gives, when the first connection needs them.
    pub fn lazy(
        options: impl FnOnce() -> Result<TlsOptions, TlsConfigError> + Send + 'static,
    ) -> Self {
        let making: Making = Box::new(|| Shared::new(options()?));
        Self(Arc::new(LazyLock::new(making)))
    }

    /// Makes the settings now, so that what is wrong with them is known before the load.
    ///
    /// # Errors
    /// They cannot be made: authorities, certificate, key or name are wrong or missing.
    pub fn check(&self) -> Result<(), TlsConfigError> {
        self.shared().map(drop)
    }

    /// The name that a connection to `host` sends and looks for in the certificate.
    ///
    /// # Errors
    /// `host` is no name that a certificate could be for, or the settings cannot be made.
    pub fn server_name(&self, host: &str) -> Result<ServerName<'static>, TlsConfigError> {
        match &self.shared()?.name {
            Some(name) => Ok(name.clone()),
            None => server_name(host),
        }
    }

    fn shared(&self) -> Result<&Shared, TlsConfigError> {
        self.0.as_ref().as_ref().map_err(Clone::clone)
    }
}

impl Default for TlsConfig {
    fn default() -> Self {
        Self::lazy(|| Ok(TlsOptions::default()))
    }
}

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConfig").finish_non_exhaustive()
    }
}

fn server_name(host: &str) -> Result<ServerName<'static>, TlsConfigError> {
    // A name with a dot at its end is the same name, but no certificate has it so.
    let name = host.strip_suffix('.').unwrap_or(host);
    ServerName::try_from(name.to_owned())
        .map_err(|_| TlsConfigError::Name { name: host.to_owned() })
}

impl Shared {
    fn new(options: TlsOptions) -> Made {
        let other = |error: rustls::Error| TlsConfigError::Other(error.to_string());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(options.versions.supported())
            .map_err(other)?
            .dangerous();
        let builder = match options.insecure {
            true => builder.with_custom_certificate_verifier(AnyCertificate::new(&provider)),
            false => {
                let verifier = authorities(&options.roots, &provider)?;
                builder.with_custom_certificate_verifier(Arc::new(verifier))
            }
        };
        let mut prototype = match options.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => builder
                .with_client_auth_cert(identity.certificates, identity.key)
                .map_err(|error| TlsConfigError::Identity { reason: words::of_identity(&error) })?,
        };
        prototype.alpn_protocols = options.alpn;
        prototype.enable_sni = options.sni != Sni::Off;
        prototype.resumption = Resumption::disabled();
        let name = match options.sni {
            Sni::Name(name) => Some(server_name(&name)?),
            Sni::Host | Sni::Off => None,
        };
        Ok(Self { prototype, name, resumption: options.resumption, versions: options.versions })
    }
}

fn authorities(
    roots: &Roots,
    provider: &Arc<CryptoProvider>,
) -> Result<Authorities, TlsConfigError> {
    let mut store = RootCertStore::empty();
    match roots {
        Roots::These(certificates) => {
            for (index, certificate) in certificates.iter().enumerate() {
                store.add(certificate.clone()).map_err(|error| TlsConfigError::Authority {
                    number: index + 1,
                    reason: error.to_string(),
                })?;
            }
            Authorities::new(store, certificates.clone(), provider)
        }
        Roots::System => {
            let found = rustls_native_certs::load_native_certs();
            store.add_parsable_certificates(found.certs);
            if store.is_empty() {
                let detail = found.errors.first().map(|error| format!(" ({error})"));
                return Err(TlsConfigError::NoAuthorities { detail: detail.unwrap_or_default() });
            }
            Authorities::new(store, Vec::new(), provider)
        }
    }
}

/// One user's side of TLS: the settings, and the sessions that it can resume.
#[derive(Debug)]
pub struct TlsClient {
    config: TlsConfig,
    own: OnceCell<Arc<ClientConfig>>,
}

impl TlsClient {
    /// A user that has no sessions yet.
    pub fn new(config: TlsConfig) -> Self {
        Self { config, own: OnceCell::new() }
    }

    /// The settings with this user's memory of sessions, made for its first connection.
    pub(crate) fn config(&self) -> Result<&Arc<ClientConfig>, TlsConfigError> {
        if let Some(own) = self.own.get() {
            return Ok(own);
        }
        let shared = self.config.shared()?;
        let mut own = shared.prototype.clone();
        if shared.resumption {
            own.resumption = Resumption::in_memory_sessions(SESSIONS_MAX);
        }
        Ok(self.own.get_or_init(|| Arc::new(own)))
    }

    pub(crate) fn versions(&self) -> Versions {
        self.config.shared().map_or(Versions::Both, |shared| shared.versions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(options: impl FnOnce() -> TlsOptions + Send + 'static) -> TlsConfig {
        TlsConfig::lazy(|| Ok(options()))
    }

    #[test]
    fn names_are_those_of_hosts_unless_another_is_given() {
        let insecure = || TlsOptions { insecure: true, ..TlsOptions::default() };
        let names = config(insecure);
        assert_eq!(names.server_name("h.example.").unwrap().to_str(), "h.example");
        assert_eq!(names.server_name("127.0.0.1").unwrap().to_str(), "127.0.0.1");
        let wrong = names.server_name("a b");
        assert_eq!(wrong, Err(TlsConfigError::Name { name: "a b".to_owned() }));
        let other = config(move || TlsOptions { sni: Sni::Name("other".to_owned()), ..insecure() });
        assert_eq!(other.server_name("127.0.0.1").unwrap().to_str(), "other");
    }

    #[test]
    fn an_authority_that_is_none_is_told_by_its_number() {
        let garbage = vec![CertificateDer::from(vec![1, 2, 3])];
        let config =
            config(|| TlsOptions { roots: Roots::These(garbage), ..TlsOptions::default() });
        let error = config.check().unwrap_err().to_string();
        assert!(error.starts_with("certificate 1 of the authorities cannot be read"), "{error}");
    }

    #[test]
    fn what_the_options_are_made_of_may_fail() {
        let config = TlsConfig::lazy(|| Err(TlsConfigError::Source("no such file".to_owned())));
        assert_eq!(config.check().unwrap_err().to_string(), "no such file");
        assert!(TlsClient::new(config).config().is_err());
    }

    #[test]
    fn each_user_has_sessions_of_its_own() {
        let config = config(|| TlsOptions { insecure: true, ..TlsOptions::default() });
        let (one, other) = (TlsClient::new(config.clone()), TlsClient::new(config));
        let first = Arc::clone(one.config().unwrap());
        assert!(Arc::ptr_eq(&first, one.config().unwrap()));
        assert!(!Arc::ptr_eq(&first, other.config().unwrap()));
    }
}
