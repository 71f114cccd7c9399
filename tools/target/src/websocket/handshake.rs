//! The opening handshake (RFC 6455, 4.2).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

/// What every accept key is made with (1.3).
const KEY_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// What the answer to an opening handshake takes from the request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Opening<'h> {
    pub(super) accept_key: String,
    /// The first subprotocol that the client offers, which is the one it gets.
    pub(super) subprotocol: Option<&'h str>,
}

/// An upgrade that is not made: the status, a header line that goes with it, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoUpgrade {
    pub(crate) status: u16,
    pub(crate) fields: &'static str,
    pub(crate) reason: &'static str,
}

impl NoUpgrade {
    pub(crate) const fn bad(reason: &'static str) -> Self {
        Self { status: 400, fields: "", reason }
    }

    const fn needed(reason: &'static str) -> Self {
        let fields = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
        Self { status: 426, fields, reason }
    }
}

/// Reads an opening handshake from a request head known to be valid.
pub(super) fn read(head: &[u8]) -> Result<Opening<'_>, NoUpgrade> {
    let text = std::str::from_utf8(head).map_err(|_| NoUpgrade::bad("the head is not UTF-8"))?;
    let has = |name, token: &str| {
        let mut tokens = values(text, name).flat_map(|value| value.split(',').map(str::trim));
        tokens.any(|found| found.eq_ignore_ascii_case(token))
    };
    if !has("upgrade", "websocket") || !has("connection", "upgrade") {
        return Err(NoUpgrade::needed("this is a WebSocket; ask for an upgrade to it"));
    }
    if !values(text, "sec-websocket-version").eq(["13"]) {
        return Err(NoUpgrade::needed("only version 13 of WebSocket is spoken"));
    }
    let mut keys = values(text, "sec-websocket-key");
    let key = keys.next().filter(|key| is_key(key)).filter(|_| keys.next().is_none());
    let key = key.ok_or(NoUpgrade::bad("Sec-WebSocket-Key is not 16 bytes in base64"))?;
    let mut offered = values(text, "sec-websocket-protocol").flat_map(|value| value.split(','));
    let subprotocol = offered.next().map(str::trim).filter(|name| !name.is_empty());
    Ok(Opening { accept_key: accept_key(key), subprotocol })
}

/// The values of all fields with this name.
fn values<'h>(head: &'h str, name: &'static str) -> impl Iterator<Item = &'h str> {
    head.lines().skip(1).filter_map(move |line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn is_key(key: &str) -> bool {
    STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == 16)
}

fn accept_key(key: &str) -> String {
    let digest = Sha1::new().chain_update(key).chain_update(KEY_SUFFIX).finalize();
    STANDARD.encode(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The handshake of RFC 6455, 1.2, with one line replaced.
    fn handshake(line: &str, replacement: &str) -> String {
        let head = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n\
                    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                    Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Version: 13\r\n\r\n";
        assert!(head.contains(line), "{line}");
        head.replace(line, replacement)
    }

    #[test]
    fn the_example_of_the_rfc_is_accepted() {
        let head = handshake("", "");
        let opening = read(head.as_bytes()).unwrap();
        assert_eq!(opening.accept_key, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(opening.subprotocol, Some("chat"));
        let several = handshake("Connection: Upgrade", "connection: keep-alive, upgrade");
        assert!(read(several.as_bytes()).is_ok(), "tokens are looked for in lists");
    }

    #[test]
    fn what_is_no_handshake_is_told() {
        for (line, replacement, status) in [
            ("Upgrade: websocket\r\n", "", 426),
            ("Upgrade: websocket", "Upgrade: h2c", 426),
            ("Connection: Upgrade\r\n", "", 426),
            ("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 8", 426),
            ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", 400),
            ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZQ==", 400),
            ("dGhlIHNhbXBsZSBub25jZQ==", "not base64", 400),
        ] {
            let head = handshake(line, replacement);
            assert_eq!(read(head.as_bytes()).unwrap_err().status, status, "{replacement}");
        }
    }
}
