//! What goes wrong with TLS, in words: whose fault, and what to try.

use std::io;

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible};

use super::{TlsConfigError, Versions};
use crate::outcome::{Failure, FailureKind};

const SECONDS_PER_DAY: u64 = 24 * 60 * 60;

/// Why an encrypted connection is of no more use. It travels in an [`io::Error`], as all errors of a stream do.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TlsError {
    /// The settings are wrong, or the target's name.
    #[error("{0}")]
    Config(#[from] TlsConfigError),
    /// The target did not answer in TLS.
    #[error("the target does not speak TLS on this port: what it sent is no TLS record")]
    PlainText,
    /// The handshake came to nothing.
    #[error("TLS handshake failed: {}", of_handshake(.error, *.versions))]
    Handshake {
        /// Why.
        error: Error,
        /// What was offered.
        versions: Versions,
    },
    /// The target closed the connection in the handshake.
    #[error("connection closed by the target in the TLS handshake")]
    ClosedInHandshake,
    /// Something was wrong later on.
    #[error("TLS failed: {}", of_traffic(.0))]
    Traffic(Error),
    /// The connection ended without the target's word that it was complete (RFC 8446, 6.1).
    #[error(
        "connection closed by the target without TLS's close_notify: what came may be cut short"
    )]
    Truncated,
}

impl TlsError {
    /// The error that `error` carries.
    pub(crate) fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    pub(crate) fn failure(&self) -> Failure {
        let kind = match self {
            // What had been asked for may be asked again, as after any other end of a connection.
            Self::Truncated => FailureKind::Closed,
            _ => FailureKind::Tls,
        };
        Failure::new(kind, self.to_string())
    }
}

impl From<TlsError> for io::Error {
    fn from(error: TlsError) -> Self {
        io::Error::other(error)
    }
}

impl From<TlsConfigError> for Failure {
    fn from(error: TlsConfigError) -> Self {
        Failure::new(FailureKind::Tls, error.to_string())
    }
}

/// Whether a target that is answered so spoke something else than TLS.
pub(super) fn is_plain_text(error: &Error) -> bool {
    matches!(
        error,
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType
                | InvalidMessage::UnknownProtocolVersion
                | InvalidMessage::MessageTooLarge
        )
    )
}

pub(super) fn of_identity(error: &Error) -> String {
    match error {
        Error::InconsistentKeys(_) => "the key is not that of the certificate".to_owned(),
        Error::General(text) => text.clone(),
        other => other.to_string(),
    }
}

fn of_handshake(error: &Error, versions: Versions) -> String {
    use PeerIncompatible::{
        NoCipherSuitesInCommon, NoKxGroupsInCommon, ServerDoesNotSupportTls12Or13,
        ServerTlsVersionIsDisabledByOurConfig,
    };
    match error {
        Error::InvalidCertificate(error) => of_certificate(error),
        Error::AlertReceived(AlertDescription::ProtocolVersion)
        | Error::PeerIncompatible(
            ServerDoesNotSupportTls12Or13 | ServerTlsVersionIsDisabledByOurConfig,
        ) => no_version(versions),
        Error::PeerIncompatible(NoCipherSuitesInCommon) => {
            "the target and this program have no cipher suite in common".to_owned()
        }
        Error::PeerIncompatible(NoKxGroupsInCommon) => {
            "the target and this program have no key exchange in common".to_owned()
        }
        Error::AlertReceived(alert) => of_alert(*alert),
        Error::NoApplicationProtocol => {
            "the target took a protocol that was not offered (ALPN)".to_owned()
        }
        other => of_traffic(other),
    }
}

fn no_version(versions: Versions) -> String {
    let offered = match versions {
        Versions::Both => "1.2 and 1.3 were",
        Versions::Only12 => "only 1.2 was",
        Versions::Only13 => "only 1.3 was",
    };
    format!("the target and this program have no TLS version in common: {offered} offered")
}

fn of_alert(alert: AlertDescription) -> String {
    use AlertDescription as Alert;
    let meaning = match alert {
        Alert::HandshakeFailure => {
            "it accepts none of the parameters offered, or wants a client certificate"
        }
        Alert::UnrecognisedName => "it serves no such name (SNI)",
        Alert::NoApplicationProtocol => "it speaks none of the protocols offered (ALPN)",
        _ => return of_late_alert(alert),
    };
    format!("the target ended it: {meaning} (alert {})", alert_name(alert))
}

/// What an alert means that may come when the handshake is done for us: in TLS 1.3 the target looks at the client's
/// certificate only then.
fn of_late_alert(alert: AlertDescription) -> String {
    use AlertDescription as Alert;
    let meaning = match alert {
        Alert::CertificateRequired => "it wants a client certificate",
        Alert::BadCertificate
        | Alert::UnsupportedCertificate
        | Alert::CertificateRevoked
        | Alert::CertificateExpired
        | Alert::CertificateUnknown
        | Alert::UnknownCA
        | Alert::AccessDenied => "it does not accept the client certificate",
        _ => return format!("the target ended it with the alert {}", alert_name(alert)),
    };
    format!("the target ended it: {meaning} (alert {})", alert_name(alert))
}

/// The name that RFC 8446 gives an alert, as in `handshake_failure`.
fn alert_name(alert: AlertDescription) -> String {
    let camel = format!("{alert:?}");
    let mut name = String::with_capacity(camel.len() + 4);
    let mut before_is_small = false;
    for letter in camel.chars() {
        if letter.is_ascii_uppercase() && before_is_small {
            name.push('_');
        }
        before_is_small = letter.is_ascii_lowercase();
        name.push(letter.to_ascii_lowercase());
    }
    name
}

fn of_certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::Expired => "the target's certificate has expired".to_owned(),
        CertificateError::ExpiredContext { time, not_after } => {
            format!("the target's certificate expired {} ago", days_between(*not_after, *time))
        }
        CertificateError::NotValidYet => "the target's certificate is not valid yet".to_owned(),
        CertificateError::NotValidYetContext { time, not_before } => {
            let days = days_between(*time, *not_before);
            format!("the target's certificate is not valid yet, for another {days}")
        }
        CertificateError::NotValidForName => {
            "the target's certificate is for another name".to_owned()
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            other_name(&expected.to_str(), presented)
        }
        CertificateError::UnknownIssuer => {
            "the target's certificate is signed by itself or by an authority that is not known here"
                .to_owned()
        }
        CertificateError::Revoked => "the target's certificate was revoked".to_owned(),
        CertificateError::BadSignature => {
            "the target's certificate is not signed by the authority that it names".to_owned()
        }
        CertificateError::BadEncoding => "the target's certificate cannot be read".to_owned(),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "the target's certificate is not for servers".to_owned()
        }
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            "the target's certificate is one of an authority, signed by itself".to_owned()
        }
        other => format!("the target's certificate is not accepted: {other}"),
    }
}

/// rustls names what is in the certificate as `DnsName("a.example")`.
fn other_name(expected: &str, presented: &[String]) -> String {
    const SHOWN_MAX: usize = 4;
    let bare = |name: &String| {
        let inner = name.split_once('(').map_or(name.as_str(), |(_, inner)| inner);
        inner.trim_end_matches(')').trim_matches('"').to_owned()
    };
    let mut names: Vec<String> = presented.iter().take(SHOWN_MAX).map(bare).collect();
    if presented.len() > SHOWN_MAX {
        names.push(format!("{} more", presented.len() - SHOWN_MAX));
    }
    match names.as_slice() {
        [] => format!("the target's certificate is for no name at all, not for {expected}"),
        names => {
            format!("the target's certificate is for {}, not for {expected}", names.join(", "))
        }
    }
}

fn days_between(from: UnixTime, to: UnixTime) -> String {
    match to.as_secs().saturating_sub(from.as_secs()) / SECONDS_PER_DAY {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

fn of_traffic(error: &Error) -> String {
    match error {
        Error::AlertReceived(alert) => of_late_alert(*alert),
        Error::DecryptError => "what the target sent cannot be decrypted".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn handshake(error: Error) -> String {
        TlsError::Handshake { error, versions: Versions::Only13 }.to_string()
    }

    #[test]
    fn certificates_are_refused_with_what_is_wrong_with_them() {
        let day =
            |days: u64| UnixTime::since_unix_epoch(Duration::from_secs(days * SECONDS_PER_DAY));
        let certificate = |error| handshake(Error::InvalidCertificate(error));
        assert_eq!(
            certificate(CertificateError::ExpiredContext { time: day(12), not_after: day(10) }),
            "TLS handshake failed: the target's certificate expired 2 days ago"
        );
        assert_eq!(
            certificate(CertificateError::NotValidYetContext { time: day(1), not_before: day(2) }),
            "TLS handshake failed: the target's certificate is not valid yet, for another 1 day"
        );
        let presented = (0..6).map(|n| format!("DnsName(\"h{n}\")")).collect();
        let expected = "h".try_into().unwrap();
        assert_eq!(
            certificate(CertificateError::NotValidForNameContext { expected, presented }),
            "TLS handshake failed: the target's certificate is for h0, h1, h2, h3, 2 more, not for h"
        );
    }

    #[test]
    fn versions_that_were_offered_are_named() {
        assert_eq!(
            handshake(Error::AlertReceived(AlertDescription::ProtocolVersion)),
            "TLS handshake failed: the target and this program have no TLS version in common: only 1.3 was offered"
        );
    }

    #[test]
    fn alerts_have_their_names_and_what_they_mean() {
        assert_eq!(
            handshake(Error::AlertReceived(AlertDescription::CertificateRequired)),
            "TLS handshake failed: the target ended it: it wants a client certificate (alert certificate_required)"
        );
        assert_eq!(
            TlsError::Traffic(Error::AlertReceived(AlertDescription::UnknownCA)).to_string(),
            "TLS failed: the target ended it: it does not accept the client certificate (alert unknown_ca)"
        );
        assert_eq!(
            TlsError::Traffic(Error::AlertReceived(AlertDescription::HandshakeFailure)).to_string(),
            "TLS failed: the target ended it with the alert handshake_failure"
        );
        assert_eq!(alert_name(AlertDescription::UnknownCA), "unknown_ca");
        assert_eq!(alert_name(AlertDescription::HandshakeFailure), "handshake_failure");
    }

    #[test]
    fn an_error_comes_back_out_of_the_streams() {
        let error = io::Error::from(TlsError::Truncated);
        assert_eq!(TlsError::of(&error), Some(&TlsError::Truncated));
        assert_eq!(TlsError::of(&io::ErrorKind::TimedOut.into()), None);
        assert_eq!(TlsError::Truncated.failure().kind, FailureKind::Closed);
        assert_eq!(TlsError::PlainText.failure().kind, FailureKind::Tls);
    }
}
