//! The flags of TLS, with the files that they name read.

use std::path::{Path, PathBuf};

use loadr_engine::tls::{Identity, Roots, TlsConfig, TlsConfigError, TlsOptions};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::PlanError;
use crate::cli::args::TlsArgs;

/// A file that was to hold a certificate or a key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsFileError {
    #[error("cannot read {path}: {source}")]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{path} holds no {what} in PEM")]
    Empty { path: PathBuf, what: &'static str },
    #[error("{path} is no PEM file: {reason}")]
    Malformed { path: PathBuf, reason: String },
    #[error("--{flag} {path}: {source}")]
    Unusable { flag: &'static str, path: PathBuf, source: TlsConfigError },
}

/// How TLS is spoken in a run; `is_needed` where it is known that it will be, so that what is wrong is told before the load.
pub(super) fn tls_config(args: &TlsArgs, is_needed: bool) -> Result<TlsConfig, PlanError> {
    let options = options(args)?;
    let config = TlsConfig::lazy(|| Ok(options));
    if is_needed || args.cacert.is_some() || args.cert.is_some() {
        config.check().map_err(|error| of_flag(args, error))?;
    }
    Ok(config)
}

/// An error by the flag that is to blame for it.
fn of_flag(args: &TlsArgs, source: TlsConfigError) -> PlanError {
    let (flag, path) = match (&source, &args.cacert, &args.cert) {
        (TlsConfigError::Authority { .. }, Some(path), _) => ("cacert", path.clone()),
        (TlsConfigError::Identity { .. }, _, Some(path)) => ("cert", path.clone()),
        _ => return source.into(),
    };
    TlsFileError::Unusable { flag, path, source }.into()
}

fn options(args: &TlsArgs) -> Result<TlsOptions, TlsFileError> {
    let defaults = TlsOptions::default();
    let identity = match (&args.cert, &args.key) {
        (Some(certificate), Some(key)) => {
            Some(Identity { certificates: certificates(certificate)?, key: private_key(key)? })
        }
        _ => None,
    };
    Ok(TlsOptions {
        roots: match &args.cacert {
            Some(path) => Roots::These(certificates(path)?),
            None => Roots::System,
        },
        insecure: args.insecure,
        identity,
        sni: args.sni.clone().unwrap_or_default(),
        alpn: args.alpn.clone().map_or(defaults.alpn, |alpn| alpn.0),
        versions: args.tls_version.map(Into::into).unwrap_or_default(),
        resumption: !args.no_tls_resumption,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsFileError> {
    std::fs::read(path).map_err(|source| TlsFileError::Unreadable { path: path.to_owned(), source })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsFileError> {
    let found: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&read(path)?).collect();
    match found {
        Ok(found) if found.is_empty() => {
            Err(TlsFileError::Empty { path: path.to_owned(), what: "certificate" })
        }
        Ok(found) => Ok(found),
        Err(error) => Err(malformed(path, "certificate", &error)),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsFileError> {
    PrivateKeyDer::from_pem_slice(&read(path)?)
        .map_err(|error| malformed(path, "private key", &error))
}

fn malformed(path: &Path, what: &'static str, error: &pem::Error) -> TlsFileError {
    match error {
        pem::Error::NoItemsFound => TlsFileError::Empty { path: path.to_owned(), what },
        other => TlsFileError::Malformed { path: path.to_owned(), reason: other.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_will_not_do_are_told_with_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("authorities.pem");
        let error = |args: &TlsArgs| tls_config(args, false).unwrap_err().to_string();
        let args = TlsArgs { cacert: Some(path.clone()), ..TlsArgs::default() };
        assert!(error(&args).starts_with(&format!("cannot read {}: No such file", path.display())));
        std::fs::write(&path, "no certificate at all").unwrap();
        assert_eq!(error(&args), format!("{} holds no certificate in PEM", path.display()));
        let begun = "-----BEGIN CERTIFICATE-----\nAAAA\n";
        std::fs::write(&path, begun).unwrap();
        assert!(error(&args).starts_with(&format!("{} is no PEM file: ", path.display())));
        std::fs::write(&path, format!("{begun}-----END CERTIFICATE-----\n")).unwrap();
        let wrong = format!("--cacert {}: certificate 1 of the authorities", path.display());
        assert!(error(&args).starts_with(&wrong), "{}", error(&args));
    }

    #[test]
    fn the_systems_authorities_are_not_looked_for_until_they_are_needed() {
        // An override that names a file that is not there would fail, if anybody looked.
        assert!(tls_config(&TlsArgs::default(), false).is_ok());
    }
}
