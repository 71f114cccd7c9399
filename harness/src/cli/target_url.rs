//! URLs: what is sent where, and under which name it is reported.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use percent_encoding::percent_decode_str;
use url::{Host, Url};

/// A URL that cannot be loaded, and why.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UrlError {
    #[error("'{url}' is not a URL: {reason}")]
    Malformed { url: String, reason: String },
    #[error(
        "'{url}': the scheme {scheme}:// is not supported, only http://, https://, ws:// and wss://"
    )]
    Scheme { url: String, scheme: String },
    #[error("'{url}' has no host")]
    HostMissing { url: String },
    #[error("'{path}' is a path alone: give a whole URL, or the base URL with --host")]
    PathAlone { path: String },
    #[error("the name '{host}' does not resolve: {reason}")]
    Unresolved { host: String, reason: String },
    #[error("'{text}' is not HOST:PORT")]
    HostPort { text: String },
}

/// What is spoken with a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
    /// WebSocket.
    Ws,
    /// WebSocket over TLS.
    Wss,
}

impl Scheme {
    const ALL: [Self; 4] = [Self::Http, Self::Https, Self::Ws, Self::Wss];

    fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scheme| scheme.as_str() == name)
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }

    /// Over TLS.
    pub(crate) fn is_secure(self) -> bool {
        matches!(self, Self::Https | Self::Wss)
    }

    pub(crate) fn is_websocket(self) -> bool {
        matches!(self, Self::Ws | Self::Wss)
    }
}

/// What a URL says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TargetUrl {
    pub(crate) scheme: Scheme,
    /// Name or address to connect to, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// What the Host header says: the port only where it is not the scheme's.
    pub(crate) authority: String,
    /// Path and query, as sent.
    pub(crate) path_and_query: String,
    /// Value of an Authorization header, from `user:password@`.
    pub(crate) authorization: Option<String>,
}

impl TargetUrl {
    /// Reads a URL; `base` is what a path alone is appended to, as plain text, as in Locust.
    pub(crate) fn parse(text: &str, base: Option<&str>) -> Result<Self, UrlError> {
        let whole = match (text.strip_prefix('/'), base) {
            (Some(_), Some(base)) => format!("{}{text}", base.trim_end_matches('/')),
            (Some(_), None) => return Err(UrlError::PathAlone { path: text.to_owned() }),
            (None, _) => text.to_owned(),
        };
        let with_scheme = if whole.contains("://") { whole } else { format!("http://{whole}") };
        Self::from_url(text, &with_scheme)
    }

    fn from_url(typed: &str, url: &str) -> Result<Self, UrlError> {
        let parsed = Url::parse(url).map_err(|error| UrlError::Malformed {
            url: typed.to_owned(),
            reason: error.to_string(),
        })?;
        let unknown = || {
            let scheme = parsed.scheme().to_owned();
            UrlError::Scheme { url: typed.to_owned(), scheme }
        };
        let scheme = Scheme::of(parsed.scheme()).ok_or_else(unknown)?;
        let missing = || UrlError::HostMissing { url: typed.to_owned() };
        let host = parsed.host().ok_or_else(missing)?;
        let shown = match parsed.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_string(),
        };
        Ok(Self {
            scheme,
            host: match host {
                Host::Ipv6(address) => address.to_string(),
                other => other.to_string(),
            },
            port: parsed.port_or_known_default().unwrap_or(80),
            authority: shown,
            path_and_query: parsed[url::Position::BeforePath..url::Position::AfterQuery].to_owned(),
            authorization: basic_authorization(&parsed),
        })
    }

    /// The URL as far as the path.
    pub(crate) fn origin(&self) -> String {
        format!("{}://{}", self.scheme.as_str(), self.authority)
    }

    /// Host and port, with brackets around an IPv6 address.
    pub(crate) fn host_port(&self) -> String {
        join_host_port(&self.host, self.port)
    }
}

/// `user:password@` as the header that it stands for (RFC 7617).
fn basic_authorization(url: &Url) -> Option<String> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let mut credentials: Vec<u8> = percent_decode_str(url.username()).collect();
    credentials.push(b':');
    credentials.extend(percent_decode_str(url.password().unwrap_or("")));
    Some(format!("Basic {}", BASE64.encode(credentials)))
}

fn join_host_port(host: &str, port: u16) -> String {
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) => format!("[{address}]:{port}"),
        _ => format!("{host}:{port}"),
    }
}

/// Splits `HOST:PORT`, brackets around an IPv6 address included.
pub(crate) fn split_host_port(text: &str) -> Result<(String, u16), UrlError> {
    let wrong = || UrlError::HostPort { text: text.to_owned() };
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let port: u16 = port.parse().map_err(|_| wrong())?;
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match bare.unwrap_or(host) {
        "" => Err(wrong()),
        host if bare.is_none() && host.contains(':') => Err(wrong()),
        host => Ok((host.to_owned(), port)),
    }
}

/// Addresses of a name; blocks, so it runs before the load.
pub(crate) fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, UrlError> {
    let failed = |reason: String| UrlError::Unresolved { host: host.to_owned(), reason };
    let found: Vec<SocketAddr> =
        (host, port).to_socket_addrs().map_err(|error| failed(error.to_string()))?.collect();
    if found.is_empty() {
        return Err(failed("it has no address".to_owned()));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> TargetUrl {
        TargetUrl::parse(text, None).unwrap()
    }

    #[test]
    fn a_url_is_taken_apart() {
        let url = parsed("http://example.test:8080/a/b?q=1&r=%20#top");
        assert_eq!((url.host.as_str(), url.port), ("example.test", 8080));
        assert_eq!(url.authority, "example.test:8080");
        assert_eq!(url.path_and_query, "/a/b?q=1&r=%20");
        assert_eq!(url.authorization, None);
    }

    #[test]
    fn defaults_fill_what_is_left_out() {
        let url = parsed("127.0.0.1");
        assert_eq!(
            (url.port, url.authority.as_str(), url.path_and_query.as_str()),
            (80, "127.0.0.1", "/")
        );
        assert_eq!(parsed("localhost:81/x").port, 81);
        assert_eq!(parsed("http://h?q").path_and_query, "/?q");
    }

    #[test]
    fn tls_has_a_port_and_an_origin_of_its_own() {
        let url = parsed("https://h/x");
        assert_eq!((url.scheme, url.port, url.authority.as_str()), (Scheme::Https, 443, "h"));
        assert_ne!(url.origin(), parsed("http://h/x").origin());
        assert_eq!(parsed("https://h:8443/").origin(), "https://h:8443");
    }

    #[test]
    fn ipv6_addresses_keep_their_brackets_in_the_header_alone() {
        let url = parsed("http://[::1]:8080/");
        assert_eq!((url.host.as_str(), url.authority.as_str()), ("::1", "[::1]:8080"));
        assert_eq!(url.host_port(), "[::1]:8080");
    }

    #[test]
    fn userinfo_becomes_basic_authorization() {
        // The example of RFC 7617, section 2.
        let url = parsed("http://Aladdin:open%20sesame@h/");
        assert_eq!(url.authorization.as_deref(), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
        assert_eq!(url.authority, "h");
    }

    #[test]
    fn a_path_needs_a_base() {
        let base = Some("http://h:1/api/");
        assert_eq!(TargetUrl::parse("/x?y", base).unwrap().path_and_query, "/api/x?y");
        assert!(matches!(TargetUrl::parse("/x", None), Err(UrlError::PathAlone { .. })));
    }

    #[test]
    fn what_cannot_be_loaded_is_refused_with_the_reason() {
        let scheme = TargetUrl::parse("ftp://h/", None);
        assert!(matches!(scheme, Err(UrlError::Scheme { scheme, .. }) if scheme == "ftp"));
        assert!(matches!(
            TargetUrl::parse("http://h:99999/", None),
            Err(UrlError::Malformed { .. })
        ));
        assert!(matches!(TargetUrl::parse("http://", None), Err(UrlError::Malformed { .. })));
        assert!(TargetUrl::parse("", None).is_err());
    }

    #[test]
    fn host_and_port_are_split() {
        assert_eq!(split_host_port("h:80"), Ok(("h".into(), 80)));
        assert_eq!(split_host_port("[::1]:80"), Ok(("::1".into(), 80)));
        for wrong in ["h", ":80", "h:x", "::1:80", "h:70000"] {
            assert!(split_host_port(wrong).is_err(), "{wrong}");
        }
    }
}
