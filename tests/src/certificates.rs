//! Certificates of every kind, made anew for each test and written as PEM files.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

/// Names that the certificates of servers are for, where not said otherwise.
pub const NAMES: [&str; 3] = ["localhost", "named.test", "127.0.0.1"];

/// How far from now an [expired](Certificates::expired) certificate ended, and one that is not valid yet begins: ten days,
/// and some hours that whole days leave out.
const AWAY: Duration = Duration::from_secs((10 * 24 + 6) * 60 * 60);
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A certificate and its key, as files.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// An authority, and whatever it is asked to sign.
#[derive(Debug)]
pub struct Certificates {
    folder: TempDir,
    authority: Issuer<'static, KeyPair>,
}

impl Certificates {
    /// Makes an authority.
    ///
    /// # Panics
    /// If keys cannot be made, or files written; so do all others.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let (authority, pem) = authority("an authority");
        fs::write(folder.path().join("authority.pem"), pem).expect("a temporary file");
        Self { folder, authority }
    }

    /// The folder that all files lie in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The certificate of the authority.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// For [`NAMES`], and valid.
    pub fn good(&self) -> Pair {
        self.signed("good", params(&NAMES))
    }

    /// It ended ten days ago.
    pub fn expired(&self) -> Pair {
        let mut params = params(&NAMES);
        let now = SystemTime::now();
        params.not_before = (now - YEAR).into();
        params.not_after = (now - AWAY).into();
        self.signed("expired", params)
    }

    /// It begins in ten days.
    pub fn not_yet_valid(&self) -> Pair {
        let mut params = params(&NAMES);
        let now = SystemTime::now();
        params.not_before = (now + AWAY).into();
        params.not_after = (now + YEAR).into();
        self.signed("not-yet-valid", params)
    }

    /// For `other.test`, and no other name.
    pub fn for_another_name(&self) -> Pair {
        self.signed("another-name", params(&["other.test"]))
    }

    /// Signed by nobody but itself.
    pub fn self_signed(&self) -> Pair {
        let key = key();
        let certificate = params(&NAMES).self_signed(&key).expect("a certificate can be made");
        self.written("self-signed", &certificate.pem(), &key)
    }

    /// Signed by an authority that nobody has heard of.
    pub fn of_unknown_authority(&self) -> Pair {
        let (stranger, _) = authority("a stranger");
        let key = key();
        let certificate = params(&NAMES).signed_by(&key, &stranger);
        self.written("unknown", &certificate.expect("a certificate can be made").pem(), &key)
    }

    /// A client's, with the common name `a client`.
    pub fn client(&self) -> Pair {
        let mut params = params(&[]);
        params.distinguished_name.push(DnType::CommonName, "a client");
        self.signed("client", params)
    }

    fn signed(&self, name: &str, params: CertificateParams) -> Pair {
        let key = key();
        let certificate = params.signed_by(&key, &self.authority);
        self.written(name, &certificate.expect("a certificate can be made").pem(), &key)
    }

    fn written(&self, name: &str, certificate: &str, key: &KeyPair) -> Pair {
        let file = |suffix| self.folder.path().join(format!("{name}.{suffix}"));
        let pair = Pair { certificate: file("pem"), key: file("key") };
        fs::write(&pair.certificate, certificate).expect("a temporary file");
        fs::write(&pair.key, key.serialize_pem()).expect("a temporary file");
        pair
    }
}

impl Default for Certificates {
    fn default() -> Self {
        Self::new()
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key can be made")
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("the names are names");
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
}

fn authority(name: &str) -> (Issuer<'static, KeyPair>, String) {
    let mut params = params(&[]);
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = key();
    let pem = params.self_signed(&key).expect("a certificate can be made").pem();
    (Issuer::new(params, key), pem)
}
