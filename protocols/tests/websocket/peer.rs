//! The codec beside tungstenite, which nobody here wrote: what one says the other understands, and both find the same
//! events, or some fault, in the same frames.

use std::io::{self, Cursor, Read, Write};

use loadr_protocols::{
    fuzz::websocket::{Seen, Terms, encode, transcript},
    websocket::{RemoteError, Role},
};
use proptest::prelude::*;
use tungstenite::{
    Message, WebSocket,
    error::{Error, ProtocolError},
    protocol::{self, CloseFrame},
};

use super::properties::{events, frames, raw};

/// A stream that has said all it will, and keeps what is said to it.
struct Pipe {
    input: Cursor<Vec<u8>>,
    output: Vec<u8>,
}

impl Read for Pipe {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.input.read(into)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.output.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn socket(role: Role, input: &[u8]) -> WebSocket<Pipe> {
    let role = match role {
        Role::Client => protocol::Role::Client,
        Role::Server => protocol::Role::Server,
    };
    let pipe = Pipe { input: Cursor::new(input.to_vec()), output: Vec::new() };
    WebSocket::from_raw_socket(pipe, role, None)
}

/// What they make of `bytes`, and the error at the end unless there was a close.
fn theirs(role: Role, bytes: &[u8]) -> (Vec<Seen>, Option<Error>) {
    let mut socket = socket(role, bytes);
    let mut seen = Vec::new();
    loop {
        match socket.read() {
            Ok(message) => seen.push(from_theirs(message)),
            Err(error) => return (seen, Some(error)),
        }
        if matches!(seen.last(), Some(Seen::Close(..))) {
            return (seen, None);
        }
    }
}

fn from_theirs(message: Message) -> Seen {
    match message {
        Message::Text(text) => Seen::Text(text.to_string()),
        Message::Binary(bytes) => Seen::Binary(bytes.to_vec()),
        Message::Ping(payload) => Seen::Ping(payload.to_vec()),
        Message::Pong(payload) => Seen::Pong(payload.to_vec()),
        Message::Close(None) => Seen::Close(None, String::new()),
        Message::Close(Some(frame)) => {
            Seen::Close(Some(frame.code.into()), frame.reason.to_string())
        }
        Message::Frame(_) => panic!("reading gives no frames"),
    }
}

fn to_theirs(event: &Seen) -> Message {
    match event {
        Seen::Text(text) => Message::text(text.as_str()),
        Seen::Binary(bytes) => Message::binary(bytes.clone()),
        Seen::Ping(payload) => Message::Ping(payload.clone().into()),
        Seen::Pong(payload) => Message::Pong(payload.clone().into()),
        Seen::Close(code, reason) => Message::Close(
            code.map(|code| CloseFrame { code: code.into(), reason: reason.as_str().into() }),
        ),
        Seen::Refused(_) => panic!("nobody sends an error"),
    }
}

/// Our events without the error at the end, and that.
fn ours(terms: Terms, bytes: &[u8]) -> (Vec<Seen>, Option<RemoteError>) {
    let mut seen = transcript(terms, [bytes]);
    match seen.pop() {
        Some(Seen::Refused(error)) => (seen, Some(error)),
        last => {
            seen.extend(last);
            (seen, None)
        }
    }
}

fn terms(client: bool) -> Terms {
    if client { Terms::client() } else { Terms::server() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn they_understand_what_we_send(client in any::<bool>(), events in events(), choice in any::<u8>()) {
        // Tiny fragments of long messages take for ever.
        let long = encode(terms(client), 0, &events).len() > 5_000;
        let bytes = encode(terms(client), if long { 0 } else { choice }, &events);
        let (seen, error) = theirs(terms(client).role, &bytes);
        prop_assert!(seen == events, "{seen:?} is not {events:?}, {error:?}");
    }

    #[test]
    fn we_understand_what_they_send(client in any::<bool>(), events in events()) {
        let sender = if client { Role::Server } else { Role::Client };
        let mut socket = socket(sender, b"");
        for event in &events {
            socket.write(to_theirs(event)).unwrap();
        }
        socket.flush().unwrap();
        let (seen, _) = ours(terms(client), &socket.get_ref().output);
        prop_assert!(seen == events, "{seen:?} is not {events:?}");
    }

    #[test]
    fn both_find_the_same_in_the_same_frames(client in any::<bool>(), frames in frames()) {
        let bytes = raw(&frames, !client);
        let (seen, error) = ours(terms(client), &bytes);
        let (their_seen, their_error) = theirs(terms(client).role, &bytes);
        let shown = bytes.escape_ascii();
        prop_assert!(seen == their_seen, "{seen:?} is not {their_seen:?}: {shown}");
        let ended = ProtocolError::ResetWithoutClosingHandshake;
        match (error, their_error) {
            (None, None) => {}
            (Some(error), Some(Error::Protocol(their_error))) => prop_assert_eq!(
                error.close_code().is_none(),
                their_error == ended,
                "{}, {}: {}", error, their_error, shown
            ),
            (Some(RemoteError::Utf8 { .. } | RemoteError::Utf8CutOff { .. }), Some(Error::Utf8(_))) => {}
            (error, their_error) => prop_assert!(false, "{error:?}, {their_error:?}: {shown}"),
        }
    }
}
