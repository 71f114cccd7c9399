//! The HTTP/1.1 codec by its public interface: tables of responses, limits, generated properties.
//!
//! Each response is read whole, byte by byte, split in two at every position, and with a following
//! response behind it; however it comes, its events must be the same.

#![forbid(unsafe_code)]

#[path = "http1/properties.rs"]
mod properties;
#[path = "http1/vectors.rs"]
mod vectors;

use loadr_protocols::{
    fuzz::{Seen, transcript},
    http1::{End, Limits, RemoteError, RequestKind},
};

/// The events of `bytes` and the close behind them, the same in every way of reading.
fn read_every_way(awaited: &[RequestKind], bytes: &[u8], limits: Limits) -> Vec<Seen> {
    let whole = transcript(awaited, limits, [bytes]);
    let shown = bytes.escape_ascii();
    assert_eq!(whole, transcript(awaited, limits, bytes.chunks(1)), "byte by byte: {shown}");
    for at in 0..=bytes.len() {
        let (front, back) = bytes.split_at(at);
        assert_eq!(whole, transcript(awaited, limits, [front, back]), "split at {at}: {shown}");
    }
    whole
}

/// What the same bytes come to when another response follows them at once.
fn read_with_another_behind(awaited: &[RequestKind], bytes: &[u8]) -> Vec<Seen> {
    let awaited = [awaited, &[RequestKind::Other]].concat();
    let bytes = [bytes, b"HTTP/1.1 203 Next\r\nContent-Length: 4\r\n\r\nnext"].concat();
    read_every_way(&awaited, &bytes, Limits::default())
}

/// Each response as its status, its body in quotes and what becomes of the connection.
fn summary(seen: &[Seen]) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut body: &[u8] = b"";
    for event in seen {
        match event {
            Seen::Interim(status) | Seen::Head(_, status, _) => parts.push(status.to_string()),
            Seen::Body(bytes) => body = bytes,
            Seen::End(end) => {
                let fate = if end.keep_alive { "persists" } else { "closes" };
                let response = parts.last_mut().expect("a head comes before the end");
                *response += &format!(" \"{}\" {fate}", body.escape_ascii());
                body = b"";
            }
            Seen::Refused(error) => parts.push(format!("refused: {error}")),
        }
    }
    parts.join(", ")
}

fn refusal(seen: &[Seen]) -> Option<RemoteError> {
    match seen.last() {
        Some(Seen::Refused(error)) => Some(*error),
        _ => None,
    }
}

#[test]
fn good_responses_come_to_their_events() {
    for &(awaited, bytes, expected) in vectors::GOOD {
        let seen = read_every_way(awaited, bytes, Limits::default());
        assert_eq!(summary(&seen), expected, "{}", bytes.escape_ascii());
    }
}

#[test]
fn what_follows_a_response_is_the_next_one() {
    for &(awaited, bytes, expected) in vectors::GOOD {
        let seen = read_with_another_behind(awaited, bytes);
        if expected.ends_with("persists") {
            assert_eq!(summary(&seen), format!("{expected}, 203 \"next\" persists"));
        }
    }
}

#[test]
fn the_same_response_again_comes_to_the_same_events() {
    let good = vectors::GOOD.iter().filter(|vector| vector.2.ends_with("persists"));
    for &(awaited, bytes, expected) in good {
        let seen = read_every_way(&awaited.repeat(3), &bytes.repeat(3), Limits::default());
        assert_eq!(summary(&seen), [expected; 3].join(", "), "{}", bytes.escape_ascii());
    }
}

#[test]
fn wire_bytes_are_all_bytes_of_the_responses() {
    for &(awaited, bytes, expected) in vectors::GOOD {
        let seen = transcript(awaited, Limits::default(), [bytes]);
        let ends = seen.iter().filter_map(|seen| match seen {
            Seen::End(End { wire_bytes, .. }) => Some(wire_bytes),
            _ => None,
        });
        // A tunnel's bytes belong to no response.
        if !matches!(awaited, [RequestKind::Connect]) && !expected.starts_with("101") {
            assert_eq!(ends.sum::<u64>(), bytes.len() as u64, "{}", bytes.escape_ascii());
        }
    }
}

#[test]
fn refused_responses_are_refused_for_what_is_wrong() {
    for (awaited, bytes, expected) in vectors::refused() {
        let seen = read_every_way(awaited, bytes, Limits::default());
        assert_eq!(refusal(&seen), Some(expected), "{}", bytes.escape_ascii());
    }
}

/// One that is well formed to the limit, one past it.
fn check_limit(limits: Limits, passes: &str, refused: &str, error: RemoteError) {
    let awaited = [RequestKind::Other];
    let seen = read_every_way(&awaited, passes.as_bytes(), limits);
    assert_eq!(refusal(&seen), None, "{passes:?}");
    let seen = read_every_way(&awaited, refused.as_bytes(), limits);
    assert_eq!(refusal(&seen), Some(error), "{refused:?}");
}

#[test]
fn a_head_has_a_limit_in_bytes_and_in_fields() {
    let head = |padding: &str| format!("HTTP/1.1 204 OK\r\nA: {padding}\r\n\r\n");
    let limits = Limits { head_bytes_max: head("1234").len(), ..Limits::default() };
    let error = RemoteError::HeadTooLong { limit: limits.head_bytes_max };
    check_limit(limits, &head("1234"), &head("12345"), error);

    let head = |fields: usize| format!("HTTP/1.1 204 OK\r\n{}\r\n", "A: b\r\n".repeat(fields));
    for limit in [0, 3, 128] {
        let limits = Limits { headers_max: limit, ..Limits::default() };
        let error = RemoteError::TooManyHeaders { limit };
        check_limit(limits, &head(limit), &head(limit + 1), error);
    }
}

#[test]
fn interim_responses_have_a_limit() {
    let with = |interim: usize| {
        format!("{}HTTP/1.1 204 OK\r\n\r\n", "HTTP/1.1 103 OK\r\n\r\n".repeat(interim))
    };
    let error = RemoteError::TooManyInterim { limit: 64 };
    check_limit(Limits::default(), &with(64), &with(65), error);
}

#[test]
fn a_body_has_a_limit_however_it_is_framed() {
    let limits = Limits { body_bytes_max: Some(4), ..Limits::default() };
    let error = RemoteError::BodyTooLong { limit: 4 };
    let length =
        |body: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    check_limit(limits, &length("1234"), &length("12345"), error);
    let until_close = |body: &str| format!("HTTP/1.1 200 OK\r\n\r\n{body}");
    check_limit(limits, &until_close("1234"), &until_close("12345"), error);
    let chunked = |body: &str| {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        format!("{head}3\r\n123\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
    };
    check_limit(limits, &chunked("4"), &chunked("45"), error);
}

#[test]
fn chunk_framing_and_trailers_have_limits() {
    let limits = Limits { chunk_line_bytes_max: 6, trailer_bytes_max: 8, ..Limits::default() };
    let coded = |line: &str, trailers: &str| {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        format!("{head}{line}\r\na\r\n0\r\n{trailers}\r\n")
    };
    let line = RemoteError::ChunkLineTooLong { limit: 6 };
    check_limit(limits, &coded("1;name", ""), &coded("1;names", ""), line);
    check_limit(limits, &coded("000001", ""), &coded("0000001", ""), line);
    let trailers = RemoteError::TrailersTooLong { limit: 8 };
    check_limit(limits, &coded("1", "A: b\r\n"), &coded("1", "A: bc\r\n"), trailers);
}
