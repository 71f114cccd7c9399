//! A server's answer to the opening handshake (RFC 6455, 4.1, 4.2.2 and 9.1).

use crate::{
    http1::{ResponseHead, Snippet, list},
    websocket::deflate::{self, Deflate, DeflateOffer},
};

/// What client and server agreed on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agreed {
    /// The subprotocol that the server chose, if any was offered and chosen.
    pub subprotocol: Option<String>,
    /// The terms of compression, if it was offered and accepted.
    pub deflate: Option<Deflate>,
}

/// The server's fault, or its refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// Another status than 101: the server does not speak WebSocket here, or not with us.
    #[error("the server refused the upgrade with status {status}")]
    Refused {
        /// The status.
        status: u16,
    },
    /// No `Upgrade: websocket`.
    #[error("the server's 101 response does not say Upgrade: websocket")]
    Upgrade,
    /// No `Connection: Upgrade`.
    #[error("the server's 101 response does not say Connection: Upgrade")]
    Connection,
    /// No Sec-WebSocket-Accept.
    #[error("the server's 101 response has no Sec-WebSocket-Accept")]
    AcceptMissing,
    /// A Sec-WebSocket-Accept that does not follow from the key: something answers that has not understood the request,
    /// a cache perhaps.
    #[error("wrong Sec-WebSocket-Accept: {found} does not answer the key that was sent")]
    AcceptWrong {
        /// The value.
        found: Snippet,
    },
    /// A subprotocol that was not offered, or several.
    #[error("the server chose subprotocol {found}, which was not offered")]
    Subprotocol {
        /// The value.
        found: Snippet,
    },
    /// An extension that was not offered, or is accepted twice.
    #[error("the server uses extension {found}, which was not offered")]
    Extension {
        /// The extension as given.
        found: Snippet,
    },
    /// A parameter of permessage-deflate that is unknown, repeated, has an illegal value or was not offered.
    #[error("the server accepts permessage-deflate with parameter {found}, which is not allowed")]
    DeflateParameter {
        /// The parameter as given.
        found: Snippet,
    },
    /// A parameter of permessage-deflate that a server which accepts the offer has to confirm.
    #[error("the server accepts permessage-deflate without the {parameter} asked for")]
    DeflateUnmet {
        /// The parameter's name.
        parameter: &'static str,
    },
}

/// Judges the head that answers a request with the key that `accept` follows from.
pub(super) fn check(
    head: &ResponseHead<'_>,
    accept: &[u8],
    subprotocols: &[String],
    offer: Option<&DeflateOffer>,
) -> Result<Agreed, HandshakeError> {
    if head.status() != 101 {
        return Err(HandshakeError::Refused { status: head.status() });
    }
    if !lists(head, b"upgrade", b"websocket") {
        return Err(HandshakeError::Upgrade);
    }
    if !lists(head, b"connection", b"upgrade") {
        return Err(HandshakeError::Connection);
    }
    check_accept(head, accept)?;
    let subprotocol = chosen(head, subprotocols)?;
    Ok(Agreed { subprotocol, deflate: extensions(head, offer)? })
}

/// The values of the fields called `name`.
fn values<'b>(head: &ResponseHead<'b>, name: &'static [u8]) -> impl Iterator<Item = &'b [u8]> {
    head.headers()
        .filter(move |(given, _)| given.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

fn lists(head: &ResponseHead<'_>, name: &'static [u8], wanted: &[u8]) -> bool {
    values(head, name).flat_map(list).any(|element| element.eq_ignore_ascii_case(wanted))
}

fn check_accept(head: &ResponseHead<'_>, accept: &[u8]) -> Result<(), HandshakeError> {
    let mut found = values(head, b"sec-websocket-accept").peekable();
    if found.peek().is_none() {
        return Err(HandshakeError::AcceptMissing);
    }
    match found.find(|&value| value != accept) {
        Some(value) => Err(HandshakeError::AcceptWrong { found: Snippet::first(value) }),
        None => Ok(()),
    }
}

/// RFC 6455, 11.3.4: a response has the field once at most, with one name.
fn chosen(head: &ResponseHead<'_>, offered: &[String]) -> Result<Option<String>, HandshakeError> {
    let mut found = values(head, b"sec-websocket-protocol");
    let Some(value) = found.next() else { return Ok(None) };
    match offered.iter().find(|name| name.as_bytes() == value) {
        Some(name) if found.next().is_none() => Ok(Some(name.clone())),
        _ => Err(HandshakeError::Subprotocol { found: Snippet::first(value) }),
    }
}

/// RFC 6455, 9.1: the extensions in use, of which we know one.
fn extensions(
    head: &ResponseHead<'_>,
    offer: Option<&DeflateOffer>,
) -> Result<Option<Deflate>, HandshakeError> {
    let mut agreed = None;
    let named = values(head, b"sec-websocket-extensions").flat_map(list);
    for extension in named.filter(|extension| !extension.is_empty()) {
        let mut parts = extension.split(|&byte| byte == b';');
        let name = parts.next().unwrap_or_default().trim_ascii();
        let terms = match offer {
            Some(offer) if name == deflate::NAME.as_bytes() && agreed.is_none() => {
                offer.accept(parts)?
            }
            _ => return Err(HandshakeError::Extension { found: Snippet::first(extension) }),
        };
        agreed = Some(terms);
    }
    Ok(agreed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        buffer::ReceiveBuffer,
        http1::{Event, RequestKind, ResponseDecoder},
        websocket::handshake::UpgradeBuilder,
    };

    const GOOD: [&str; 3] = [
        "Upgrade: WebSocket",
        "Connection: keep-alive, upgrade",
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    ];

    /// What the response with this status and these fields comes to, for a client that offers two subprotocols and
    /// perhaps compression.
    fn answer(status: u16, fields: &[&str], deflate: bool) -> Result<Agreed, HandshakeError> {
        let mut builder = UpgradeBuilder::new("h", "/").subprotocol("chat").subprotocol("mqtt");
        if deflate {
            builder = builder.deflate(DeflateOffer::default());
        }
        let upgrade = builder.build().unwrap();
        let text = format!("HTTP/1.1 {status} X\r\n{}\r\n\r\n\x01", fields.join("\r\n"));
        let mut buffer = ReceiveBuffer::default();
        buffer.spare(text.len()).unwrap()[..text.len()].copy_from_slice(text.as_bytes());
        buffer.advance(text.len());
        let mut decoder = ResponseDecoder::default();
        decoder.expect(RequestKind::Other);
        let Ok(Some(Event::Head(head))) = decoder.next(&mut buffer) else { panic!("{text}") };
        upgrade.check(*b"the sample nonce", &head)
    }

    fn with(field: &str) -> Result<Agreed, HandshakeError> {
        answer(101, &[&GOOD[..], &[field]].concat(), true)
    }

    #[test]
    fn a_good_answer_says_what_was_agreed_on() {
        assert_eq!(answer(101, &GOOD, false), Ok(Agreed::default()));
        let chosen = Agreed { subprotocol: Some("mqtt".to_owned()), deflate: None };
        assert_eq!(with("sec-websocket-protocol: mqtt"), Ok(chosen));
        let terms = Deflate { client_no_context_takeover: true, ..Deflate::default() };
        let deflate = Agreed { subprotocol: None, deflate: Some(terms) };
        let field = "Sec-WebSocket-Extensions: , permessage-deflate; client_no_context_takeover";
        assert_eq!(with(field), Ok(deflate));
    }

    #[test]
    fn a_refusal_names_the_status() {
        let refused = answer(403, &["Content-Length: 0"], false).unwrap_err();
        assert_eq!(refused.to_string(), "the server refused the upgrade with status 403");
        assert_eq!(answer(200, &GOOD, false), Err(HandshakeError::Refused { status: 200 }));
    }

    #[test]
    fn an_answer_that_lacks_something_is_refused_for_it() {
        let without = |at: usize| {
            let mut fields = GOOD.to_vec();
            fields.remove(at);
            answer(101, &fields, false)
        };
        assert_eq!(without(0), Err(HandshakeError::Upgrade));
        assert_eq!(without(1), Err(HandshakeError::Connection));
        assert_eq!(without(2), Err(HandshakeError::AcceptMissing));
        let wrong = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo";
        let found = Snippet::first(&wrong.as_bytes()[22..]);
        let refused = answer(101, &[GOOD[0], GOOD[1], wrong], false);
        assert_eq!(refused, Err(HandshakeError::AcceptWrong { found }));
    }

    #[test]
    fn an_answer_that_goes_beyond_the_offer_is_refused_for_it() {
        let subprotocol = |found: &str| {
            Err(HandshakeError::Subprotocol { found: Snippet::first(found.as_bytes()) })
        };
        assert_eq!(with("Sec-WebSocket-Protocol: stomp"), subprotocol("stomp"));
        assert_eq!(with("Sec-WebSocket-Protocol: chat, mqtt"), subprotocol("chat, mqtt"));
        assert_eq!(
            with("Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: mqtt"),
            subprotocol("chat")
        );
        let extension = |found: &str| {
            Err(HandshakeError::Extension { found: Snippet::first(found.as_bytes()) })
        };
        assert_eq!(with("Sec-WebSocket-Extensions: x-gzip; a=1"), extension("x-gzip; a=1"));
        let twice = "Sec-WebSocket-Extensions: permessage-deflate, permessage-deflate";
        assert_eq!(with(twice), extension("permessage-deflate"));
        let unasked = "Sec-WebSocket-Extensions: permessage-deflate";
        let fields = [&GOOD[..], &[unasked]].concat();
        assert_eq!(answer(101, &fields, false), extension("permessage-deflate"));
    }
}
