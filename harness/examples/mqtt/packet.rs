//! Packets of MQTT 3.1.1 (<https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/os/mqtt-v3.1.1-os.html>), as a client writes and
//! reads them.
//!
//! A packet is a byte for its type and flags, a length in up to four bytes, and that many bytes. Quality of service 2 is
//! left out, and so is whatever only a server sends to a client that asked for it.

#[cfg(test)]
mod tests;

use loadr::library::custom::{BytesMut, Codec};
use loadr::prelude::{Failure, FailureKind};

/// Longest packet that is received, in bytes.
const PACKET_BYTES_MAX: usize = 1024 * 1024;
/// Most bytes that a remaining length can tell of (2.2.3).
const REMAINING_BYTES_MAX: usize = 268_435_455;

const CONNECT: u8 = 0x10;
const CONNACK: u8 = 0x20;
const PUBLISH: u8 = 0x30;
const PUBACK: u8 = 0x40;
const SUBSCRIBE: u8 = 0x82;
const SUBACK: u8 = 0x90;
const PINGREQ: u8 = 0xc0;
const PINGRESP: u8 = 0xd0;
const DISCONNECT: u8 = 0xe0;

/// What cannot be sent, or was received and is no packet for a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PacketError {
    #[error("{0} of {1} bytes where 65535 are the most")]
    TextTooLong(&'static str, usize),
    #[error("packet of {0} bytes where {REMAINING_BYTES_MAX} are the most")]
    TooLong(usize),
    #[error("packet that no server sends to this client, first byte {0:#04x}")]
    Type(u8),
    #[error("remaining length of a packet takes more than four bytes")]
    Remaining,
    #[error("{0} packet of {1} bytes, which is none")]
    Length(&'static str, usize),
    #[error("topic that is no UTF-8 or has a wildcard")]
    Topic,
    #[error("packet identifier 0")]
    Identifier,
    #[error("SUBACK with return code {0:#04x}")]
    ReturnCode(u8),
}

/// How hard the delivery of a message is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Qos {
    /// At most once: nothing is acknowledged.
    AtMostOnce,
    /// At least once: each message is acknowledged.
    AtLeastOnce,
}

impl Qos {
    pub(crate) fn level(self) -> u8 {
        self as u8
    }
}

/// What a client sends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Request<'r> {
    /// Opens a session that begins clean.
    Connect {
        client_id: &'r str,
        keep_alive_s: u16,
        login: Option<(&'r str, &'r str)>,
    },
    /// Publishes a message; at most once, its identifier means nothing.
    Publish {
        topic: &'r str,
        payload: &'r [u8],
        qos: Qos,
        identifier: u16,
    },
    /// Acknowledges a message that was received.
    Acknowledge {
        identifier: u16,
    },
    Subscribe {
        identifier: u16,
        filter: &'r str,
        qos: Qos,
    },
    Ping,
    Disconnect,
}

/// What a server sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Message<'b> {
    /// The session is open, or was refused with a return code.
    Connected {
        session_present: bool,
        return_code: u8,
    },
    Published {
        topic: &'b str,
        payload: &'b [u8],
        qos: Qos,
        identifier: u16,
    },
    Acknowledged {
        identifier: u16,
    },
    /// The quality of service that was granted, or none.
    Subscribed {
        identifier: u16,
        granted: Option<u8>,
    },
    Pong,
}

/// The codec of MQTT's clients.
#[derive(Debug, Default)]
pub(crate) struct Mqtt;

impl Codec for Mqtt {
    type Request<'r> = Request<'r>;
    type Message<'b> = Message<'b>;
    type Error = PacketError;

    fn encode(request: Request<'_>, into: &mut BytesMut) -> Result<(), PacketError> {
        match request {
            Request::Connect { client_id, keep_alive_s, login } => {
                encode_connect(client_id, keep_alive_s, login, into)
            }
            Request::Publish { topic, payload, qos, identifier } => {
                let acknowledged = qos == Qos::AtLeastOnce;
                let length = 2 + topic.len() + 2 * usize::from(acknowledged) + payload.len();
                put_head(into, PUBLISH | qos.level() << 1, length)?;
                put_text(into, "topic", topic)?;
                if acknowledged {
                    into.extend_from_slice(&identifier.to_be_bytes());
                }
                into.extend_from_slice(payload);
                Ok(())
            }
            Request::Acknowledge { identifier } => {
                put_head(into, PUBACK, 2)?;
                into.extend_from_slice(&identifier.to_be_bytes());
                Ok(())
            }
            Request::Subscribe { identifier, filter, qos } => {
                put_head(into, SUBSCRIBE, 2 + 2 + filter.len() + 1)?;
                into.extend_from_slice(&identifier.to_be_bytes());
                put_text(into, "topic filter", filter)?;
                into.extend_from_slice(&[qos.level()]);
                Ok(())
            }
            Request::Ping => put_head(into, PINGREQ, 0),
            Request::Disconnect => put_head(into, DISCONNECT, 0),
        }
    }

    fn frame(&mut self, unread: &[u8]) -> Result<Option<usize>, PacketError> {
        let Some((&first, rest)) = unread.split_first() else { return Ok(None) };
        check_first(first)?;
        let mut remaining = 0;
        for (index, byte) in rest.iter().take(4).enumerate() {
            remaining |= usize::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                return Ok(Some(2 + index + remaining));
            }
        }
        if rest.len() < 4 { Ok(None) } else { Err(PacketError::Remaining) }
    }

    fn message<'b>(&mut self, frame: &'b [u8]) -> Result<Message<'b>, PacketError> {
        let head = 1 + frame[1..].iter().take_while(|byte| **byte & 0x80 != 0).count() + 1;
        let (first, body) = (frame[0], &frame[head..]);
        match (first & 0xf0, body) {
            (CONNACK, &[flags, return_code]) => {
                Ok(Message::Connected { session_present: flags & 1 != 0, return_code })
            }
            (CONNACK, _) => Err(PacketError::Length("CONNACK", body.len())),
            (PUBACK, &[high, low]) => {
                Ok(Message::Acknowledged { identifier: identifier(high, low)? })
            }
            (PUBACK, _) => Err(PacketError::Length("PUBACK", body.len())),
            (SUBACK, &[high, low, code]) => {
                let granted = match code {
                    0..=2 => Some(code),
                    0x80 => None,
                    _ => return Err(PacketError::ReturnCode(code)),
                };
                Ok(Message::Subscribed { identifier: identifier(high, low)?, granted })
            }
            (SUBACK, _) => Err(PacketError::Length("SUBACK", body.len())),
            (PINGRESP, []) => Ok(Message::Pong),
            (PINGRESP, _) => Err(PacketError::Length("PINGRESP", body.len())),
            _ => read_publish(first, body),
        }
    }

    /// Refusals, in the words of the specification (table 3.1, and 3.9.3).
    fn failure(message: &Message<'_>) -> Option<Failure> {
        let words = match message {
            Message::Connected { return_code: 0, .. } => return None,
            Message::Connected { return_code, .. } => match return_code {
                1 => "connection refused: unacceptable protocol version",
                2 => "connection refused: identifier rejected",
                3 => "connection refused: server unavailable",
                4 => "connection refused: bad user name or password",
                5 => "connection refused: not authorized",
                _ => "connection refused for an unknown reason",
            },
            Message::Subscribed { granted: None, .. } => "subscription refused",
            _ => return None,
        };
        Some(Failure::new(FailureKind::Status, words))
    }

    fn frame_bytes_max(&self) -> usize {
        PACKET_BYTES_MAX
    }
}

fn encode_connect(
    client_id: &str,
    keep_alive_s: u16,
    login: Option<(&str, &str)>,
    into: &mut BytesMut,
) -> Result<(), PacketError> {
    const CLEAN_SESSION: u8 = 0x02;
    const LOGIN: u8 = 0xc0;
    let login_bytes = login.map_or(0, |(user, password)| 4 + user.len() + password.len());
    put_head(into, CONNECT, 10 + 2 + client_id.len() + login_bytes)?;
    put_text(into, "protocol", "MQTT")?;
    let flags = if login.is_some() { CLEAN_SESSION | LOGIN } else { CLEAN_SESSION };
    // Level 4 is version 3.1.1.
    into.extend_from_slice(&[4, flags]);
    into.extend_from_slice(&keep_alive_s.to_be_bytes());
    put_text(into, "client identifier", client_id)?;
    if let Some((user, password)) = login {
        put_text(into, "user name", user)?;
        put_text(into, "password", password)?;
    }
    Ok(())
}

fn put_head(into: &mut BytesMut, first: u8, mut remaining: usize) -> Result<(), PacketError> {
    if remaining > REMAINING_BYTES_MAX {
        return Err(PacketError::TooLong(remaining));
    }
    into.extend_from_slice(&[first]);
    while remaining > 0x7f {
        into.extend_from_slice(&[remaining as u8 | 0x80]);
        remaining >>= 7;
    }
    into.extend_from_slice(&[remaining as u8]);
    Ok(())
}

fn put_text(into: &mut BytesMut, what: &'static str, text: &str) -> Result<(), PacketError> {
    let length = u16::try_from(text.len());
    let length = length.map_err(|_| PacketError::TextTooLong(what, text.len()))?;
    into.extend_from_slice(&length.to_be_bytes());
    into.extend_from_slice(text.as_bytes());
    Ok(())
}

/// Refuses types that a server does not send to this client, and flags that are reserved (2.2.2).
fn check_first(first: u8) -> Result<(), PacketError> {
    match (first & 0xf0, first & 0x0f) {
        (CONNACK | PUBACK | SUBACK | PINGRESP, 0) => Ok(()),
        // Only quality of service 0 and 1 are ever asked for.
        (PUBLISH, flags) if flags & 0x04 == 0 => Ok(()),
        _ => Err(PacketError::Type(first)),
    }
}

fn read_publish(first: u8, body: &[u8]) -> Result<Message<'_>, PacketError> {
    let short = PacketError::Length("PUBLISH", body.len());
    let (length, rest) = body.split_first_chunk().ok_or(short)?;
    let topic_bytes = usize::from(u16::from_be_bytes(*length));
    let (topic, rest) = rest.split_at_checked(topic_bytes).ok_or(short)?;
    let topic = std::str::from_utf8(topic).map_err(|_| PacketError::Topic)?;
    if topic.is_empty() || topic.contains(['#', '+', '\0']) {
        return Err(PacketError::Topic);
    }
    if first & 0x02 == 0 {
        return Ok(Message::Published {
            topic,
            payload: rest,
            qos: Qos::AtMostOnce,
            identifier: 0,
        });
    }
    let (&[high, low], payload) = rest.split_first_chunk().ok_or(short)?;
    let identifier = identifier(high, low)?;
    Ok(Message::Published { topic, payload, qos: Qos::AtLeastOnce, identifier })
}

fn identifier(high: u8, low: u8) -> Result<u16, PacketError> {
    match u16::from_be_bytes([high, low]) {
        0 => Err(PacketError::Identifier),
        identifier => Ok(identifier),
    }
}
