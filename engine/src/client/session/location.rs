//! URLs of calls: a path appended to the host, or a whole URL, and where either leads.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use percent_encoding::percent_decode_str;
use url::{Host, Position, Url};

use crate::outcome::{Failure, FailureKind};
use crate::tls::TlsConfigError;

/// A URL that no request can be sent to. The texts name no URL, since they are counted as failures.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// A path without a host to append it to.
    #[error("the URL is a path alone and no host was given: set the host, or call a whole URL")]
    NoHost,
    /// Not a URL.
    #[error("the URL is malformed: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Another scheme than HTTP.
    #[error("the URL's scheme is not supported, only http:// and https://")]
    Scheme,
    /// TLS cannot be spoken with the host.
    #[error(transparent)]
    Tls(#[from] TlsConfigError),
    /// A name that the resolver does not know.
    #[error("the host's name does not resolve: {reason}")]
    Unresolved {
        /// What the resolver said.
        reason: String,
    },
}

impl From<LocationError> for Failure {
    fn from(error: LocationError) -> Self {
        let kind = match error {
            LocationError::Unresolved { .. } => FailureKind::ConnectFailed,
            LocationError::Tls(_) => FailureKind::Tls,
            _ => FailureKind::Other,
        };
        Failure::new(kind, error.to_string())
    }
}

/// An `http://` or `https://` URL with a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Location(Url);

impl Location {
    /// Reads what a call was given: a whole URL as it is, anything else appended to `host` as plain text, as in Locust.
    pub(super) fn of_call(host: Option<&str>, url: &str) -> Result<Self, LocationError> {
        if is_whole(url) {
            return Self::parse(url);
        }
        Self::of_host(&format!("{}{url}", host.ok_or(LocationError::NoHost)?))
    }

    /// As [`Self::of_call`], of a WebSocket: what is whole has a scheme of WebSockets, and leads where that of HTTP does.
    pub(super) fn of_socket(host: Option<&str>, url: &str) -> Result<Self, LocationError> {
        match socket_scheme(url) {
            Some((scheme, rest)) => Self::parse(&format!("{scheme}{rest}")),
            None => Self::of_host(&format!("{}{url}", host.ok_or(LocationError::NoHost)?)),
        }
    }

    /// Reads a base URL, with its scheme or without; `ws://` is as good as `http://`, and `wss://` as `https://`.
    pub(super) fn of_host(host: &str) -> Result<Self, LocationError> {
        if let Some((scheme, rest)) = socket_scheme(host) {
            Self::parse(&format!("{scheme}{rest}"))
        } else if host.contains("://") {
            Self::parse(host)
        } else {
            Self::parse(&format!("http://{host}"))
        }
    }

    fn parse(text: &str) -> Result<Self, LocationError> {
        let url = Url::parse(text).map_err(|error| malformed(&error))?;
        Self::of_url(url)
    }

    fn of_url(mut url: Url) -> Result<Self, LocationError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(LocationError::Scheme);
        }
        if url.host().is_none() {
            return Err(LocationError::Malformed { reason: "it has no host" });
        }
        url.set_fragment(None);
        Ok(Self(url))
    }

    /// Where a redirect from here leads.
    pub(super) fn join(&self, reference: &str) -> Result<Self, LocationError> {
        Self::of_url(self.0.join(reference).map_err(|error| malformed(&error))?)
    }

    /// Appends pairs to the query.
    pub(super) fn add_query(&mut self, pairs: &[(String, String)]) {
        if !pairs.is_empty() {
            self.0.query_pairs_mut().extend_pairs(pairs);
        }
    }

    /// `http` or `https`.
    pub(super) fn scheme(&self) -> &str {
        self.0.scheme()
    }

    /// Whether TLS is spoken there.
    pub(super) fn is_secure(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Whether another URL leads to the same place: scheme, host and port (RFC 6454, 4).
    pub(super) fn is_same_origin(&self, other: &Self) -> bool {
        self.scheme() == other.scheme() && self.authority() == other.authority()
    }

    /// What the Host header says: the port only where it is not the scheme's.
    pub(super) fn authority(&self) -> &str {
        &self.0[Position::BeforeHost..Position::AfterPort]
    }

    /// Path and query, as sent.
    pub(super) fn target(&self) -> &str {
        &self.0[Position::BeforePath..Position::AfterQuery]
    }

    pub(super) fn path(&self) -> &str {
        self.0.path()
    }

    /// Name or address, without brackets.
    pub(super) fn host(&self) -> String {
        match self.0.host() {
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(host) => host.to_string(),
            None => String::new(),
        }
    }

    fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or(80)
    }

    /// `user:password@` as the header value that it stands for (RFC 7617).
    pub(super) fn authorization(&self) -> Option<String> {
        if self.0.username().is_empty() && self.0.password().is_none() {
            return None;
        }
        let user: Vec<u8> = percent_decode_str(self.0.username()).collect();
        let password: Vec<u8> = percent_decode_str(self.0.password().unwrap_or("")).collect();
        Some(basic(&user, &password))
    }

    /// The URL without credentials.
    pub(super) fn shown(&self) -> String {
        format!("{}://{}{}", self.scheme(), self.authority(), self.target())
    }

    /// Asks the resolver of this machine; blocks.
    pub(super) fn resolve(&self) -> Result<Vec<SocketAddr>, LocationError> {
        let (host, port) = (self.host(), self.port());
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let unresolved = |reason: String| LocationError::Unresolved { reason };
        let found = (host.as_str(), port).to_socket_addrs();
        let found: Vec<SocketAddr> =
            found.map_err(|error| unresolved(error.to_string()))?.collect();
        if found.is_empty() { Err(unresolved("it has no address".to_owned())) } else { Ok(found) }
    }
}

/// The value of an Authorization header (RFC 7617).
pub(super) fn basic(user: &[u8], password: &[u8]) -> String {
    format!("Basic {}", BASE64.encode([user, b":", password].concat()))
}

fn is_whole(url: &str) -> bool {
    begins(url, "http://") || begins(url, "https://")
}

/// The scheme by which a WebSocket's handshake is sent, and what follows it in the URL; `None` where that is no
/// `ws://` or `wss://` URL.
fn socket_scheme(url: &str) -> Option<(&'static str, &str)> {
    let schemes = [("ws://", "http://"), ("wss://", "https://")];
    let (scheme, of_http) = schemes.into_iter().find(|(scheme, _)| begins(url, scheme))?;
    Some((of_http, &url[scheme.len()..]))
}

fn begins(url: &str, scheme: &str) -> bool {
    url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}

fn malformed(error: &url::ParseError) -> LocationError {
    use url::ParseError::{EmptyHost, InvalidIpv4Address, InvalidIpv6Address, InvalidPort};
    let reason = match error {
        EmptyHost => "it has no host",
        InvalidPort => "its port is not a number up to 65535",
        InvalidIpv4Address | InvalidIpv6Address => "its address is not one",
        _ => "it cannot be read",
    };
    LocationError::Malformed { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(host: Option<&str>, url: &str) -> Result<String, LocationError> {
        Location::of_call(host, url).map(|location| location.shown())
    }

    #[test]
    fn a_path_is_appended_and_a_url_taken_as_it_is() {
        let host = Some("http://h:8080/api");
        assert_eq!(shown(host, "/x?y=1#z").as_deref(), Ok("http://h:8080/api/x?y=1"));
        assert_eq!(shown(host, "x").as_deref(), Ok("http://h:8080/apix"));
        assert_eq!(shown(host, "HTTP://other:80/a b").as_deref(), Ok("http://other/a%20b"));
        assert_eq!(shown(Some("h"), "").as_deref(), Ok("http://h/"));
        assert_eq!(shown(Some("[::1]:1"), "/").as_deref(), Ok("http://[::1]:1/"));
        assert_eq!(shown(None, "/x"), Err(LocationError::NoHost));
        assert_eq!(shown(None, "https://h:443/").as_deref(), Ok("https://h/"));
        assert_eq!(shown(Some("ftp://h"), "/"), Err(LocationError::Scheme));
        assert!(matches!(shown(Some("h:x"), "/"), Err(LocationError::Malformed { .. })));
    }

    #[test]
    fn a_websocket_is_where_its_handshake_is_sent() {
        let shown =
            |host, url| Location::of_socket(host, url).map(|location| location.shown()).unwrap();
        assert_eq!(shown(Some("ws://h:8080/api"), "/x?y"), "http://h:8080/api/x?y");
        assert_eq!(shown(Some("wss://h:443"), "/x"), "https://h/x");
        assert_eq!(shown(Some("https://h"), ""), "https://h/");
        assert_eq!(shown(None, "WS://h:80/x"), "http://h/x");
        assert_eq!(shown(Some("http://h"), "wss://other/x"), "https://other/x");
        assert_eq!(Location::of_socket(None, "/x"), Err(LocationError::NoHost));
        let host = Location::of_host("ws://u@h").unwrap();
        assert!(host.is_same_origin(&Location::of_call(None, "http://h:80/x").unwrap()));
    }

    #[test]
    fn credentials_are_decoded_and_taken_out() {
        let location = Location::of_call(Some("http://us%40er:p%3Ass@h"), "/x").unwrap();
        assert_eq!(location.authorization(), Some(basic(b"us@er", b"p:ss")));
        assert_eq!((location.authority(), location.shown().as_str()), ("h", "http://h/x"));
        assert_eq!(basic(b"Aladdin", b"open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    }

    #[test]
    fn redirects_are_relative_to_where_they_come_from() {
        let here = Location::of_call(None, "http://h:81/a/b?c").unwrap();
        let joined = |reference| here.join(reference).map(|there| there.shown());
        assert_eq!(joined("d").as_deref(), Ok("http://h:81/a/d"));
        assert_eq!(joined("//other/e#f").as_deref(), Ok("http://other/e"));
        assert_eq!(joined("?g").as_deref(), Ok("http://h:81/a/b?g"));
        assert_eq!(joined("https://h:81/").as_deref(), Ok("https://h:81/"));
        assert!(!here.is_same_origin(&here.join("https://h:81/").unwrap()));
        assert!(here.is_same_origin(&here.join("/else").unwrap()));
    }

    #[test]
    fn pairs_are_appended_to_the_query() {
        let mut location = Location::of_call(None, "http://h/?a=1").unwrap();
        location.add_query(&[("b c".to_owned(), "&\u{e9}".to_owned())]);
        assert_eq!(location.target(), "/?a=1&b+c=%26%C3%A9");
    }
}
