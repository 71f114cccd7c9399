//! The WebSocket codec by its public interface: the RFCs' own frames, every violation, limits, generated properties,
//! and an independent implementation beside it.
//!
//! Each input is read whole, byte by byte, split in two at every position, and with other frames behind it; however it
//! comes, its events must be the same.

#![forbid(unsafe_code)]

#[path = "websocket/peer.rs"]
mod peer;
#[path = "websocket/properties.rs"]
mod properties;
#[path = "websocket/vectors.rs"]
mod vectors;

use bytes::BytesMut;
use loadr_protocols::{
    buffer::ReceiveBuffer,
    fuzz::websocket::{Seen, Terms, transcript},
    websocket::{
        Decoder, Deflate, Encoder, Event, Limits, MessageKind, PreparedMessage, RemoteError, Role,
    },
};

/// The events of `bytes` and the end of the connection behind them, the same in every way of reading.
fn read_every_way(terms: Terms, bytes: &[u8]) -> Vec<Seen> {
    let whole = transcript(terms, [bytes]);
    let shown = bytes.escape_ascii();
    assert_eq!(whole, transcript(terms, bytes.chunks(1)), "byte by byte: {shown}");
    for at in 0..=bytes.len().min(600) {
        let (front, back) = bytes.split_at(at);
        assert_eq!(whole, transcript(terms, [front, back]), "split at {at}: {shown}");
    }
    whole
}

/// Each event in a few characters.
fn summary(seen: &[Seen]) -> String {
    let parts = seen.iter().map(|seen| match seen {
        Seen::Text(text) => format!("text \"{text}\""),
        Seen::Binary(bytes) if bytes.len() > 32 => format!("{} bytes", bytes.len()),
        Seen::Binary(bytes) => format!("bytes \"{}\"", bytes.escape_ascii()),
        Seen::Ping(payload) => format!("ping \"{}\"", payload.escape_ascii()),
        Seen::Pong(payload) => format!("pong \"{}\"", payload.escape_ascii()),
        Seen::Close(code, reason) => format!("close {code:?} {reason:?}"),
        Seen::Refused(error) => format!("refused: {error}"),
    });
    parts.collect::<Vec<_>>().join(", ")
}

const NO_CLOSE: &str = "refused: connection closed without a close frame";

#[test]
fn good_frames_come_to_their_events() {
    for (terms, bytes, expected) in vectors::good() {
        let seen = read_every_way(terms, &bytes);
        let expected = if expected.contains("close ") {
            expected.to_owned()
        } else {
            format!("{expected}, {NO_CLOSE}")
        };
        assert_eq!(summary(&seen), expected, "{}", bytes.escape_ascii());
    }
}

#[test]
fn what_follows_is_the_next_message_and_behind_a_close_nothing() {
    for (terms, bytes, expected) in vectors::good() {
        let next: &[u8] = match terms.role {
            Role::Client => b"\x82\x04next",
            Role::Server => b"\x82\x84\0\0\0\0next",
        };
        let seen = read_every_way(terms, &[&bytes, next].concat());
        let expected = if expected.contains("close ") {
            expected.to_owned()
        } else {
            format!("{expected}, bytes \"next\", {NO_CLOSE}")
        };
        assert_eq!(summary(&seen), expected, "{}", bytes.escape_ascii());
    }
}

#[test]
fn refused_frames_are_refused_for_what_is_wrong() {
    for (terms, bytes, expected, code) in vectors::refused() {
        for behind in [&b""[..], b"\x81\x04more"] {
            let ended = expected.close_code().is_none();
            if ended && !behind.is_empty() {
                continue;
            }
            let seen = read_every_way(terms, &[bytes, behind].concat());
            let shown = bytes.escape_ascii();
            assert_eq!(seen.last(), Some(&Seen::Refused(expected)), "{shown}");
            assert_eq!(expected.close_code(), code, "{shown}");
        }
    }
}

/// One read of everything, for sizes that the other ways take too long for.
fn read_whole(terms: Terms, bytes: &[u8]) -> Vec<Seen> {
    transcript(terms, bytes.chunks(64 * 1024))
}

fn message(terms: Terms, payload: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    Encoder::new(Role::Server, terms.deflate).message(MessageKind::Binary, payload, None, &mut out);
    out.to_vec()
}

#[test]
fn a_message_larger_than_any_buffer_comes_whole_up_to_the_limit() {
    let terms = Terms::client();
    let limit = terms.limits.message_bytes_max;
    let payload: Vec<u8> = (0..limit).map(|at| (at % 251) as u8).collect();
    let seen = read_whole(terms, &message(terms, &payload));
    assert!(seen[0] == Seen::Binary(payload), "all bytes as sent");

    let error = RemoteError::MessageTooLong { declared: limit as u64 + 1, limit };
    let refused = read_whole(terms, &message(terms, &vec![0; limit + 1]));
    assert_eq!(refused, [Seen::Refused(error)]);
}

#[test]
fn a_declared_length_takes_no_memory() {
    for length in [1u64 << 30, (1 << 63) - 1, 16 * 1024 * 1024] {
        let mut decoder = Decoder::new(Role::Client, Limits::default(), None);
        let mut buffer = ReceiveBuffer::default();
        let header = [&b"\x82\x7f"[..], &length.to_be_bytes(), b"first"].concat();
        buffer.spare(header.len()).unwrap()[..header.len()].copy_from_slice(&header);
        buffer.advance(header.len());
        let limit = Limits::default().message_bytes_max;
        let expected = match length {
            0x100_0000 => Ok(None),
            declared => Err(RemoteError::MessageTooLong { declared, limit }),
        };
        assert_eq!(decoder.next(&mut buffer), expected);
        assert!(decoder.held_bytes() < 64, "{length} declared: {}", decoder.held_bytes());
    }
}

#[test]
fn fragments_add_up_to_the_limit() {
    let terms = Terms { limits: Limits { message_bytes_max: 5 }, ..Terms::client() };
    let seen = read_every_way(terms, b"\x02\x03abc\x80\x02de\x82\x05abcde");
    assert_eq!(summary(&seen), format!("bytes \"abcde\", bytes \"abcde\", {NO_CLOSE}"));
    let seen = read_every_way(terms, b"\x02\x03abc\x80\x03def");
    let error = RemoteError::MessageTooLong { declared: 6, limit: 5 };
    assert_eq!(seen, [Seen::Refused(error)]);
}

#[test]
fn a_bomb_is_refused_before_it_is_kept() {
    // 64 MiB of zeroes are 64 KiB of DEFLATE.
    let terms = Terms::client().deflated(Deflate::default());
    let bomb = message(terms, &vec![0; 64 * 1024 * 1024]);
    assert!(bomb.len() < 128 * 1024, "{}", bomb.len());
    let limit = Limits::default().message_bytes_max;
    let error = RemoteError::InflatesTooLong { limit };
    assert_eq!(read_whole(terms, &bomb), [Seen::Refused(error)]);

    let small = Terms { limits: Limits { message_bytes_max: 100 }, ..terms };
    assert_eq!(read_every_way(small, &message(terms, &[7; 100]))[0], Seen::Binary(vec![7; 100]));
    let error = RemoteError::InflatesTooLong { limit: 100 };
    assert_eq!(read_every_way(small, &message(terms, &[7; 101])), [Seen::Refused(error)]);
}

#[test]
fn an_unfragmented_message_is_lent_from_the_receive_buffer() {
    let mut decoder = Decoder::new(Role::Client, Limits::default(), None);
    let mut buffer = ReceiveBuffer::default();
    buffer.spare(7).unwrap()[..7].copy_from_slice(b"\x81\x05Hello");
    buffer.advance(7);
    let at = buffer.unread()[2..].as_ptr();
    let Ok(Some(Event::Text(text))) = decoder.next(&mut buffer) else { panic!("no text") };
    assert_eq!((text, text.as_ptr()), ("Hello", at));
    assert_eq!(decoder.held_bytes(), 0);
}

#[test]
fn text_is_refused_as_soon_as_it_cannot_be_utf8() {
    // Autobahn 6.4: the frame goes on, but there is nothing left to wait for.
    let mut decoder = Decoder::new(Role::Client, Limits::default(), None);
    let mut buffer = ReceiveBuffer::default();
    let bytes = b"\x01\x01a\x80\x7e\x10\x00b\xf4\x90";
    buffer.spare(bytes.len()).unwrap()[..bytes.len()].copy_from_slice(bytes);
    buffer.advance(bytes.len());
    assert_eq!(decoder.next(&mut buffer), Err(RemoteError::Utf8 { at: 2 }));
}

#[test]
fn context_is_taken_over_unless_agreed_otherwise() {
    // RFC 7692, 7.2.3.2: the second "Hello" refers to the first.
    let sizes = |deflate: Deflate| {
        let mut encoder = Encoder::new(Role::Client, Some(deflate));
        [0, 1].map(|_| {
            let mut out = BytesMut::new();
            encoder.message(MessageKind::Text, b"Hello", Some([0; 4]), &mut out);
            out.len() - 6
        })
    };
    assert_eq!(sizes(Deflate::default()), [7, 5]);
    let client = Deflate { client_no_context_takeover: true, ..Deflate::default() };
    assert_eq!(sizes(client), [7, 7]);
    let server = Deflate { server_no_context_takeover: true, ..Deflate::default() };
    assert_eq!(sizes(server), [7, 5]);
}

#[test]
fn a_prepared_message_is_masked_anew_and_may_stand_between_others() {
    for deflate in [None, Some(Deflate::default())] {
        for size in [0, 5, 125, 126, 200, 70_000] {
            let text = "abcde".repeat(size / 5 + 1)[..size].to_owned();
            let kind = MessageKind::Text;
            let prepared = PreparedMessage::new(kind, text.as_bytes(), deflate.is_some());
            let mut encoder = Encoder::new(Role::Client, deflate);
            let mut out = BytesMut::new();
            for key in [[1, 2, 3, 4], [9, 8, 7, 6]] {
                encoder.message(kind, text.as_bytes(), Some(key), &mut out);
                let before = out.len();
                encoder.prepared(&prepared, key, &mut out);
                assert_eq!(out.len() - before, prepared.frame_bytes());
                encoder.message(kind, text.as_bytes(), Some(key), &mut out);
            }
            assert_eq!(prepared.message_bytes(), size);
            let terms = Terms { deflate, ..Terms::server() };
            let seen = transcript(terms, [&out[..]]);
            assert!(seen[..6].iter().all(|seen| *seen == Seen::Text(text.clone())), "{size}");
            assert_eq!(seen.len(), 7);
        }
    }
}
