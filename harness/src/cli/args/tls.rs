//! How `https://` and `wss://` targets are spoken with.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};
use loadr_engine::tls::{Sni, Versions};

/// What is believed, shown and offered.
#[derive(Clone, Debug, Default, ClapArgs)]
pub(crate) struct TlsArgs {
    /// Believe certificates that the authorities in FILE (PEM) have signed, or that are in it themselves, instead of this system's authorities
    #[arg(long, value_name = "FILE", help_heading = "TLS", conflicts_with = "insecure")]
    pub(crate) cacert: Option<PathBuf>,

    /// Believe any certificate, whoever signed it and for whatever name; the report warns of it
    #[arg(short = 'k', long, help_heading = "TLS")]
    pub(crate) insecure: bool,

    /// Certificate (PEM) to show to the target, with those that lead to its authority
    #[arg(long, value_name = "FILE", help_heading = "TLS", requires = "key")]
    pub(crate) cert: Option<PathBuf>,

    /// Private key (PEM) of that certificate; it may be the same file
    #[arg(long, value_name = "FILE", help_heading = "TLS", requires = "cert")]
    pub(crate) key: Option<PathBuf>,

    /// Version to speak [default: 1.3, or 1.2 where the target knows no better]
    #[arg(long, value_enum, value_name = "VERSION", help_heading = "TLS")]
    pub(crate) tls_version: Option<TlsVersion>,

    /// Name to send to the target (SNI) and to find in its certificate instead of the URL's host; off sends none
    #[arg(long, value_name = "NAME", value_parser = parse_sni, help_heading = "TLS")]
    pub(crate) sni: Option<Sni>,

    /// Protocols to offer inside of TLS, separated by commas; off offers none [default: http/1.1]
    #[arg(long, value_name = "LIST", value_parser = parse_alpn, help_heading = "TLS")]
    pub(crate) alpn: Option<Alpn>,

    /// Make a full handshake for every connection; otherwise each user resumes the sessions that it has had
    #[arg(long, help_heading = "TLS")]
    pub(crate) no_tls_resumption: bool,
}

/// A protocol version as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TlsVersion {
    /// TLS 1.2 alone
    #[value(name = "1.2")]
    Tls12,
    /// TLS 1.3 alone
    #[value(name = "1.3")]
    Tls13,
}

impl From<TlsVersion> for Versions {
    fn from(version: TlsVersion) -> Self {
        match version {
            TlsVersion::Tls12 => Self::Only12,
            TlsVersion::Tls13 => Self::Only13,
        }
    }
}

/// Names of protocols; a type of its own, since several values of one flag mean something else to the parser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alpn(pub(crate) Vec<Vec<u8>>);

fn parse_sni(text: &str) -> Result<Sni, String> {
    match text {
        "off" => Ok(Sni::Off),
        "" => Err("it is empty: give a name, or off".to_owned()),
        name => Ok(Sni::Name(name.to_owned())),
    }
}

/// RFC 7301, 3.1: a name has 1 to 255 bytes.
fn parse_alpn(text: &str) -> Result<Alpn, String> {
    if text == "off" {
        return Ok(Alpn(Vec::new()));
    }
    let names = text.split(',').map(|name| match name.len() {
        1..=255 => Ok(name.as_bytes().to_vec()),
        _ => Err("a protocol's name has 1 to 255 bytes".to_owned()),
    });
    names.collect::<Result<_, _>>().map(Alpn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn off_is_none_and_names_are_taken_as_they_are() {
        assert_eq!(parse_sni("off"), Ok(Sni::Off));
        assert_eq!(parse_sni("h"), Ok(Sni::Name("h".to_owned())));
        assert!(parse_sni("").is_err());
        assert_eq!(parse_alpn("off"), Ok(Alpn(Vec::new())));
        assert_eq!(parse_alpn("http/1.1,x"), Ok(Alpn(vec![b"http/1.1".to_vec(), b"x".to_vec()])));
        assert!(parse_alpn("a,,b").is_err());
    }
}
