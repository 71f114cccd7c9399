//! What the sessions of one class of users have in common: the host, and how they behave.

use std::rc::Rc;
use std::time::Duration;

use loadr_protocols::http1::Limits;

use super::content;
use super::location::{Location, LocationError};
use super::origins::{Origin, Origins};
use crate::outcome::Failure;
use crate::tls::TlsConfig;

/// How sessions behave.
#[derive(Clone, Debug)]
pub struct SessionOptions {
    /// Time from a call's start to the last byte of its response, redirects included, unless the call says otherwise.
    pub timeout: Duration,
    /// Time to open a connection.
    pub connect_timeout: Duration,
    /// Bounds on heads and framing; that on bodies is the next field.
    pub limits: Limits,
    /// Largest body that is read into memory, in bytes, and apart from that largest decoded one.
    pub body_bytes_max: usize,
    /// Redirects that a call follows before it fails.
    pub redirects_max: u32,
    /// Header fields that every call sends unless it has its own of the same name.
    pub headers: Vec<(String, String)>,
    /// How TLS is spoken with `https://` hosts.
    pub tls: TlsConfig,
    /// Seed of the waits after failed connections.
    pub seed: u64,
}

impl Default for SessionOptions {
    /// Accept-Encoding is sent whether or not the body will be read, as Locust does: a target shall do the work that it
    /// does for its real clients. The body is decoded only when somebody reads it.
    fn default() -> Self {
        let headers = [
            ("User-Agent", concat!("loadr-bench/", env!("CARGO_PKG_VERSION"))),
            ("Accept", "*/*"),
            ("Accept-Encoding", content::ACCEPTED),
        ];
        Self {
            timeout: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(60),
            limits: Limits::default(),
            body_bytes_max: 16 * 1024 * 1024,
            redirects_max: 30,
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
            tls: TlsConfig::default(),
            seed: 0,
        }
    }
}

/// What the sessions of one class of users share on one shard.
#[derive(Debug)]
pub struct SessionSettings {
    pub(super) origins: Rc<Origins>,
    pub(super) options: SessionOptions,
    pub(super) host: Option<Host>,
}

/// The base URL, without its credentials.
#[derive(Debug)]
pub(super) struct Host {
    /// What paths are appended to.
    pub(super) text: String,
    pub(super) location: Location,
    pub(super) authorization: Option<String>,
}

impl SessionSettings {
    /// Settings of sessions whose paths are appended to `host`, such as `http://user:password@shop.example/api`.
    ///
    /// # Errors
    /// The host is not an `http://`, `https://`, `ws://` or `wss://` URL.
    pub fn new(
        origins: Rc<Origins>,
        host: Option<&str>,
        options: SessionOptions,
    ) -> Result<Rc<Self>, LocationError> {
        let host = host.map(Host::read).transpose()?;
        Ok(Rc::new(Self { origins, options, host }))
    }

    /// The place that `location` is at; see [`Origins::find`].
    pub(super) fn place(&self, now_ns: u64, location: &Location) -> Result<Rc<Origin>, Failure> {
        self.origins.find(now_ns, location, &self.options.tls)
    }

    pub(super) fn host_text(&self) -> Option<&str> {
        self.host.as_ref().map(|host| host.text.as_str())
    }
}

impl Host {
    fn read(text: &str) -> Result<Self, LocationError> {
        let location = Location::of_host(text)?;
        let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
        let (before_path, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let bare = before_path.rsplit_once('@').map_or(before_path, |(_, bare)| bare);
        let text = format!("{}://{bare}{path}", location.scheme());
        Ok(Self { text, authorization: location.authorization(), location })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_no_part_of_the_text_that_paths_are_appended_to() {
        let text = |host| Host::read(host).unwrap().text;
        assert_eq!(text("http://u:p@h:1/a"), "http://h:1/a");
        assert_eq!(text("https://u:p@h:1/a"), "https://h:1/a");
        assert_eq!(text("wss://u@h/a"), "https://h/a");
        assert_eq!(text("h/a@b"), "http://h/a@b");
        assert_eq!(text("u@h"), "http://h");
    }
}
