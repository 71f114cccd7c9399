//! The opening handshake (RFC 6455, 4): a request that is checked once and sent with a new key each
//! time, and the answer to it.
//!
//! The answer comes as any response does, by way of [`http1`](crate::http1): what it says is judged
//! here, and what the server had no business saying is refused, since both sides would otherwise
//! disagree about what the frames mean.

mod answer;

pub use answer::{Agreed, HandshakeError};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::{Bytes, BytesMut};
use sha1::{Digest, Sha1};

use super::deflate::DeflateOffer;
use crate::http1::{Method, RequestBuilder, RequestError, ResponseHead, check_field, is_token_all};

/// Random bytes behind a Sec-WebSocket-Key (RFC 6455, 4.1).
pub type HandshakeKey = [u8; 16];

/// Bytes of a key in base64.
const KEY_TEXT_BYTES: usize = 24;
/// Bytes of an accept value: a SHA-1 digest in base64.
const ACCEPT_BYTES: usize = 28;

/// RFC 6455, 1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Fields that the handshake itself sets.
const OWN_FIELDS: [&str; 7] = [
    "upgrade",
    "connection",
    "sec-websocket-key",
    "sec-websocket-version",
    "sec-websocket-protocol",
    "sec-websocket-extensions",
    "sec-websocket-accept",
];

/// Whether the handshake itself sets the field of this name, so that no caller may.
pub fn is_own_field(name: &str) -> bool {
    OWN_FIELDS.iter().any(|own| name.eq_ignore_ascii_case(own))
}

/// What is wrong with a handshake as it was asked for: our caller's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpgradeError {
    /// What is wrong with it as a request.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// A header field that the handshake sets itself.
    #[error(
        "header field {name} is set by the handshake: subprotocols and compression are options of their own"
    )]
    OwnField {
        /// The field's name as given.
        name: String,
    },
    /// A subprotocol that is no token, or is there twice (RFC 6455, 4.1).
    #[error("{name:?} is not a subprotocol, or is offered twice")]
    Subprotocol {
        /// The name given.
        name: String,
    },
    /// A window size that RFC 7692, 7.1.2.1, does not know.
    #[error("server_max_window_bits {bits} is out of range: 8 to 15 are possible")]
    WindowBits {
        /// The size given.
        bits: u8,
    },
}

/// A handshake being put together; nothing is checked before [`Self::build`].
#[derive(Clone, Debug)]
pub struct UpgradeBuilder {
    host: String,
    target: String,
    headers: Vec<(String, Vec<u8>)>,
    subprotocols: Vec<String>,
    deflate: Option<DeflateOffer>,
}

impl UpgradeBuilder {
    /// A handshake with `host` (with its port, unless that is the scheme's own) for the path and query `target`.
    pub fn new(host: impl Into<String>, target: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            target: target.into(),
            headers: Vec::new(),
            subprotocols: Vec::new(),
            deflate: None,
        }
    }

    /// Adds a header field, such as Origin, Authorization or Cookie; a Host takes the place of the host.
    pub fn header(mut self, name: impl Into<String>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.into(), value.as_ref().to_vec()));
        self
    }

    /// Offers a subprotocol, less wanted than those before it.
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.subprotocols.push(name.into());
        self
    }

    /// Offers compression.
    pub fn deflate(mut self, offer: DeflateOffer) -> Self {
        self.deflate = Some(offer);
        self
    }

    /// Checks and encodes the handshake.
    ///
    /// # Errors
    /// The first thing found wrong.
    pub fn build(self) -> Result<Upgrade, UpgradeError> {
        self.check()?;
        let key = BASE64_STANDARD.encode([0; 16]);
        let mut request = RequestBuilder::new(Method::Get, self.target.as_str());
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            request = request.header("Host", &self.host);
        }
        request = request
            .header("Upgrade", "websocket")
            .header("Connection", "Upgrade")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", &key);
        if !self.subprotocols.is_empty() {
            request = request.header("Sec-WebSocket-Protocol", self.subprotocols.join(", "));
        }
        if let Some(offer) = &self.deflate {
            request = request.header("Sec-WebSocket-Extensions", offer.to_string());
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let bytes = request.build()?.bytes().clone();
        let field = b"\r\nSec-WebSocket-Key: ";
        let field_at = memchr::memmem::find(&bytes, field).expect("the field was just encoded");
        let key_at = field_at + field.len();
        Ok(Upgrade { bytes, key_at, subprotocols: self.subprotocols, deflate: self.deflate })
    }

    fn check(&self) -> Result<(), UpgradeError> {
        for (name, value) in &self.headers {
            check_field(name, value)?;
            if is_own_field(name) {
                return Err(UpgradeError::OwnField { name: name.clone() });
            }
        }
        for (at, name) in self.subprotocols.iter().enumerate() {
            if !is_token_all(name) || self.subprotocols[..at].contains(name) {
                return Err(UpgradeError::Subprotocol { name: name.clone() });
            }
        }
        match self.deflate.and_then(|offer| offer.server_max_window_bits) {
            Some(bits) if !(8..=15).contains(&bits) => Err(UpgradeError::WindowBits { bits }),
            _ => Ok(()),
        }
    }
}

/// A handshake that any number of connections can begin with, each with a key of its own.
#[derive(Clone, Debug)]
pub struct Upgrade {
    bytes: Bytes,
    /// Where the key's text is in them.
    key_at: usize,
    subprotocols: Vec<String>,
    deflate: Option<DeflateOffer>,
}

impl Upgrade {
    /// The request to send, with a key that no other connection has.
    pub fn request(&self, key: HandshakeKey) -> Bytes {
        let mut bytes = BytesMut::from(&self.bytes[..]);
        bytes[self.key_at..self.key_at + KEY_TEXT_BYTES].copy_from_slice(&key_text(key));
        bytes.freeze()
    }

    /// Judges the head of the response to a [`Self::request`] with this key.
    ///
    /// # Errors
    /// The first thing that is wrong with it (RFC 6455, 4.1).
    pub fn check(
        &self,
        key: HandshakeKey,
        head: &ResponseHead<'_>,
    ) -> Result<Agreed, HandshakeError> {
        answer::check(head, &accept(&key_text(key)), &self.subprotocols, self.deflate.as_ref())
    }
}

fn key_text(key: HandshakeKey) -> [u8; KEY_TEXT_BYTES] {
    let mut text = [0; KEY_TEXT_BYTES];
    let written = BASE64_STANDARD.encode_slice(key, &mut text);
    assert_eq!(written, Ok(KEY_TEXT_BYTES), "16 bytes are 24 in base64");
    text
}

/// The Sec-WebSocket-Accept that answers a Sec-WebSocket-Key, as a server computes it and a client
/// expects it (RFC 6455, 4.2.2, 5.4).
pub fn accept(key_text: &[u8]) -> [u8; ACCEPT_BYTES] {
    let digest = Sha1::new().chain_update(key_text).chain_update(GUID).finalize();
    let mut text = [0; ACCEPT_BYTES];
    let written = BASE64_STANDARD.encode_slice(digest, &mut text);
    assert_eq!(written, Ok(ACCEPT_BYTES), "20 bytes are 28 in base64");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_accept_value_is_that_of_the_rfc() {
        // RFC 6455, 1.3.
        assert_eq!(&accept(b"dGhlIHNhbXBsZSBub25jZQ=="), b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(&key_text(*b"the sample nonce"), b"dGhlIHNhbXBsZSBub25jZQ==");
    }

    #[test]
    fn a_request_has_what_was_asked_for_and_a_key_of_its_own() {
        let offer = DeflateOffer { server_no_context_takeover: true, ..Default::default() };
        let upgrade = UpgradeBuilder::new("server.example.com", "/chat?room=1")
            .header("Origin", "http://example.com")
            .subprotocol("chat")
            .subprotocol("superchat")
            .deflate(offer)
            .build()
            .unwrap();
        let request = upgrade.request(*b"the sample nonce");
        let expected = "GET /chat?room=1 HTTP/1.1\r\n\
            Host: server.example.com\r\n\
            Upgrade: websocket\r\n\
            Connection: Upgrade\r\n\
            Sec-WebSocket-Version: 13\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
            Sec-WebSocket-Protocol: chat, superchat\r\n\
            Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n\
            Origin: http://example.com\r\n\r\n";
        assert_eq!(request, expected);
        assert_ne!(upgrade.request([7; 16]), request);
    }

    #[test]
    fn a_given_host_takes_the_place_of_the_hosts_own() {
        let upgrade = UpgradeBuilder::new("a", "/").header("host", "b").build().unwrap();
        assert!(upgrade.request([0; 16]).starts_with(b"GET / HTTP/1.1\r\nhost: b\r\nUpgrade:"));
    }

    #[test]
    fn what_cannot_be_asked_for_is_told_before_it_is_sent() {
        let builder = || UpgradeBuilder::new("h", "/");
        let window = DeflateOffer { server_max_window_bits: Some(16), ..Default::default() };
        let cases = [
            (
                builder().header("Sec-WebSocket-Key", "x"),
                "header field Sec-WebSocket-Key is set by",
            ),
            (builder().header("connection", "close"), "header field connection is set by"),
            (builder().header("X", "a\r\nb"), "the value of header field X has the control"),
            (builder().subprotocol("a b"), "\"a b\" is not a subprotocol"),
            (builder().subprotocol("a").subprotocol("a"), "\"a\" is not a subprotocol, or is"),
            (builder().deflate(window), "server_max_window_bits 16 is out of range"),
            (UpgradeBuilder::new("h", "/a b"), "\"/a b\" is not a request target"),
        ];
        for (builder, message) in cases {
            let error = builder.build().unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
