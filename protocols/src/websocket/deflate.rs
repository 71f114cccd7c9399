//! permessage-deflate (RFC 7692): what is offered, what may be agreed on, and the two ends of it.
//!
//! flate2's backend in Rust compresses and inflates with the full window of 2^15 bytes and no other. So:
//!
//! - `client_max_window_bits` is never offered, by which a server may not ask us for a smaller window
//!   (RFC 7692, 7.1.2.2).
//! - `server_max_window_bits` may be offered, to save the server memory, and is accepted unasked
//!   (7.1.2.1): what was compressed with a small window inflates in a large one.
//!
//! Memory: about 75 KiB for a connection once it has received a compressed message, and about 300 KiB
//! once it has sent one; neither is there before. That is as much as other implementations take, and
//! the reason why compression is not offered unless asked for.

mod compress;
mod inflate;

pub(crate) use compress::Compressor;
pub(crate) use inflate::Inflater;

use std::fmt;

use super::handshake::HandshakeError;
use crate::http1::Snippet;

/// The name of the extension.
pub(crate) const NAME: &str = "permessage-deflate";

/// What RFC 7692, 7.2.1 has removed from the end of each compressed message: an empty stored block,
/// but for its first bits.
pub(crate) const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// What a client offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeflateOffer {
    /// Asks the server to compress each message by itself, so that it holds no window between them.
    pub server_no_context_takeover: bool,
    /// Says that we may compress each message by itself; the server may ask for it also unoffered.
    pub client_no_context_takeover: bool,
    /// Asks the server for a window of at most that many bits, 8 to 15.
    pub server_max_window_bits: Option<u8>,
}

impl fmt::Display for DeflateOffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAME)?;
        if self.server_no_context_takeover {
            f.write_str("; server_no_context_takeover")?;
        }
        if self.client_no_context_takeover {
            f.write_str("; client_no_context_takeover")?;
        }
        match self.server_max_window_bits {
            Some(bits) => write!(f, "; server_max_window_bits={bits}"),
            None => Ok(()),
        }
    }
}

/// What both sides agreed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deflate {
    /// The server compresses each message by itself.
    pub server_no_context_takeover: bool,
    /// The client does.
    pub client_no_context_takeover: bool,
}

/// The parameters of a server's answer as they are found.
#[derive(Debug, Default)]
struct Answer {
    agreed: Deflate,
    server_max_window_bits: Option<u8>,
}

impl DeflateOffer {
    /// Reads the parameters with which a server accepts this offer (RFC 7692, 7.1): all that comes behind the
    /// extension's name, split at semicolons.
    ///
    /// # Errors
    /// One that is unknown, repeated, without meaning or against the offer.
    pub(crate) fn accept<'v>(
        &self,
        parameters: impl Iterator<Item = &'v [u8]>,
    ) -> Result<Deflate, HandshakeError> {
        let mut answer = Answer::default();
        for parameter in parameters {
            answer.note(parameter.trim_ascii())?;
        }
        if self.server_no_context_takeover && !answer.agreed.server_no_context_takeover {
            return Err(HandshakeError::DeflateUnmet { parameter: "server_no_context_takeover" });
        }
        match (self.server_max_window_bits, answer.server_max_window_bits) {
            (Some(asked), given) if given.is_none_or(|given| given > asked) => {
                Err(HandshakeError::DeflateUnmet { parameter: "server_max_window_bits" })
            }
            _ => Ok(answer.agreed),
        }
    }
}

impl Answer {
    fn note(&mut self, parameter: &[u8]) -> Result<(), HandshakeError> {
        let illegal = || HandshakeError::DeflateParameter { found: Snippet::first(parameter) };
        let mut parts = parameter.splitn(2, |&byte| byte == b'=');
        let name = parts.next().unwrap_or_default().trim_ascii_end();
        let value = parts.next().map(|value| unquoted(value.trim_ascii_start()));
        let first = match (name, value) {
            (b"server_no_context_takeover", None) => {
                !std::mem::replace(&mut self.agreed.server_no_context_takeover, true)
            }
            (b"client_no_context_takeover", None) => {
                !std::mem::replace(&mut self.agreed.client_no_context_takeover, true)
            }
            (b"server_max_window_bits", Some(value)) => {
                let bits = window_bits(value).ok_or_else(illegal)?;
                self.server_max_window_bits.replace(bits).is_none()
            }
            _ => false,
        };
        if first { Ok(()) } else { Err(illegal()) }
    }
}

/// RFC 7692, 5.2: a value may be a quoted string whose content is a token.
fn unquoted(value: &[u8]) -> &[u8] {
    let inner = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
    inner.unwrap_or(value)
}

/// RFC 7692, 7.1.2.1: "a decimal integer value without leading zeroes between 8 to 15, inclusive".
fn window_bits(value: &[u8]) -> Option<u8> {
    match value {
        [digit @ b'8'..=b'9'] => Some(digit - b'0'),
        [b'1', digit @ b'0'..=b'5'] => Some(10 + digit - b'0'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(offer: DeflateOffer, answer: &str) -> Result<Deflate, HandshakeError> {
        let mut parts = answer.split(';').map(str::as_bytes);
        parts.next();
        offer.accept(parts)
    }

    #[test]
    fn answers_within_the_offer_are_agreed_on() {
        let plain = DeflateOffer::default();
        let agreed = |server, client| {
            Ok(Deflate { server_no_context_takeover: server, client_no_context_takeover: client })
        };
        assert_eq!(accept(plain, "permessage-deflate"), agreed(false, false));
        let both = "permessage-deflate; client_no_context_takeover ; server_no_context_takeover";
        assert_eq!(accept(plain, both), agreed(true, true));
        for bits in ["8", "15", "\"10\""] {
            let answer = format!("permessage-deflate; server_max_window_bits={bits}");
            assert_eq!(accept(plain, &answer), agreed(false, false));
        }
        let small = DeflateOffer { server_max_window_bits: Some(10), ..plain };
        assert_eq!(accept(small, "x; server_max_window_bits=9"), agreed(false, false));
        assert_eq!(small.to_string(), "permessage-deflate; server_max_window_bits=10");
    }

    #[test]
    fn answers_beyond_the_offer_are_refused() {
        let plain = DeflateOffer::default();
        for parameter in [
            "client_max_window_bits",
            "client_max_window_bits=12",
            "server_max_window_bits",
            "server_max_window_bits=7",
            "server_max_window_bits=16",
            "server_max_window_bits=09",
            "server_no_context_takeover=1",
            "server_max_window_bits=9; server_max_window_bits=9",
            "server_no_context_takeover; server_no_context_takeover",
            "",
            "gzip",
        ] {
            let refused = accept(plain, &format!("permessage-deflate; {parameter}"));
            assert!(
                matches!(refused, Err(HandshakeError::DeflateParameter { .. })),
                "{parameter}: {refused:?}"
            );
        }
        let all = DeflateOffer {
            server_no_context_takeover: true,
            client_no_context_takeover: true,
            server_max_window_bits: Some(9),
        };
        let unmet = |parameter| Err(HandshakeError::DeflateUnmet { parameter });
        assert_eq!(accept(all, "x; server_max_window_bits=9"), unmet("server_no_context_takeover"));
        for answer in ["", "; server_max_window_bits=10"] {
            let refused = accept(all, &format!("x; server_no_context_takeover{answer}"));
            assert_eq!(refused, unmet("server_max_window_bits"));
        }
    }
}
