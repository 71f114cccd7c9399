//! Sessions without sockets: every rule of the protocol, at every split of the input.

use proptest::prelude::*;

use super::*;
use crate::stats::{RouteKind, TargetStats};

const HEAD: &[u8] = b"GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                      Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

fn session(plan: Plan) -> Session {
    Session::open(plan, HEAD, &mut Vec::new()).unwrap().0
}

/// A masked frame: the first byte as it goes, and the payload.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::write(Opcode::Text, payload, &mut bytes);
    let header_len = bytes.len() - payload.len();
    (bytes[0], bytes[1]) = (first, bytes[1] | 0x80);
    let mask = [1, 2, 3, 4];
    bytes.truncate(header_len);
    bytes.extend_from_slice(&mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

/// The frame that a server sends.
fn answer(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::write(opcode, payload, &mut bytes);
    bytes
}

/// Feeds `input` in pieces and repeats what was not used, as a connection does: all that was sent,
/// and the last step.
fn feed(session: &mut Session, input: &[u8], piece: usize) -> (Vec<u8>, Step) {
    let counts = ThreadCounts::default();
    let (mut sent, mut used, mut end) = (Vec::new(), 0, 0);
    loop {
        end = input.len().min(end + piece);
        let mut out = Vec::new();
        let (taken, step) = session.read(&input[used..end], &counts, &mut out);
        used += taken;
        sent.append(&mut out);
        match step {
            Step::Tail(Tail::Echo { body, .. }) => sent.extend_from_slice(&body),
            Step::Ended { .. } => return (sent, step),
            Step::Input if end == input.len() => return (sent, step),
            _ => {}
        }
    }
}

fn close_code(out: &[u8]) -> u16 {
    assert_eq!(out[0], 0x88, "{out:x?}");
    u16::from_be_bytes([out[2], out[3]])
}

#[test]
fn the_handshake_is_answered_and_a_subprotocol_taken() {
    let mut out = Vec::new();
    Session::open(Plan::Echo, HEAD, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.starts_with("HTTP/1.1 101 Switching Protocols\r\n") && text.ends_with("\r\n\r\n"));
    assert!(text.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    assert!(!text.contains("Protocol:") && !text.contains("Extensions"));
    let head = String::from_utf8(HEAD.to_vec()).unwrap();
    let head = head.replace("Host: h", "Host: h\r\nSec-WebSocket-Protocol: a, b");
    let mut out = Vec::new();
    Session::open(Plan::Echo, head.as_bytes(), &mut out).unwrap();
    assert!(String::from_utf8(out).unwrap().contains("\r\nSec-WebSocket-Protocol: a\r\n"));
}

#[test]
fn a_conversation_is_answered_alike_at_every_split() {
    let long = vec![b'x'; 20_000];
    let input = [
        frame(0x81, b"hello"),
        frame(0x82, &[0xff, 0]),
        frame(0x01, b"in "),
        frame(0x89, b"ping"),
        frame(0x00, b""),
        frame(0x80, "parts \u{20ac}".as_bytes()),
        frame(0x81, b""),
        frame(0x8a, b"unasked for"),
        frame(0x82, &long),
        frame(0x88, &[3, 232, b'b', b'y', b'e']),
    ]
    .concat();
    let expected = [
        answer(Opcode::Text, b"hello"),
        answer(Opcode::Binary, &[0xff, 0]),
        answer(Opcode::Pong, b"ping"),
        answer(Opcode::Text, "in parts \u{20ac}".as_bytes()),
        answer(Opcode::Text, b""),
        answer(Opcode::Binary, &long),
        answer(Opcode::Close, &[3, 232]),
    ]
    .concat();
    for piece in (1..100).chain([4095, 16_384, input.len()]) {
        let (out, step) = feed(&mut session(Plan::Echo), &input, piece);
        assert_eq!(step, Step::Ended { midway: false }, "pieces of {piece}");
        assert!(out == expected, "pieces of {piece}");
    }
}

#[test]
fn violations_are_answered_with_their_code() {
    let big = (COLLECTED_BYTES_MAX as u64 + 1).to_be_bytes();
    let too_big = [&[0x82, 0xff], big.as_slice(), &[0; 4]].concat();
    let too_big_in_parts = [frame(0x02, b"x"), too_big.clone()].concat();
    let mut too_big_in_parts_of_one = too_big_in_parts.clone();
    too_big_in_parts_of_one[7] = 0x80;
    for (what, input, code) in [
        ("reserved bit", frame(0xc1, b"x"), 1002),
        ("reserved opcode", frame(0x83, b"x"), 1002),
        ("unmasked", answer(Opcode::Text, b"x"), 1002),
        ("fragmented ping", frame(0x09, b"x"), 1002),
        ("long ping", frame(0x89, &[b'x'; 126]), 1002),
        ("nothing to continue", frame(0x80, b"x"), 1002),
        ("one in another", [frame(0x01, b"x"), frame(0x81, b"y")].concat(), 1002),
        ("text is not UTF-8", frame(0x81, &[0xff]), 1007),
        ("UTF-8 cut off", [frame(0x01, &[0xe2, 0x82]), frame(0x80, b"")].concat(), 1007),
        ("close of one byte", frame(0x88, &[3]), 1002),
        ("close code 1005", frame(0x88, &[3, 237]), 1002),
        ("close reason is not UTF-8", frame(0x88, &[3, 232, 0xff]), 1007),
        ("too big", too_big, 1009),
        ("too big in parts", too_big_in_parts_of_one, 1009),
    ] {
        for piece in [1, input.len()] {
            let (out, step) = feed(&mut session(Plan::Echo), &input, piece);
            assert_eq!(close_code(&out), code, "{what}");
            let is_close = matches!(step, Step::Ended { .. });
            assert!(is_close, "{what}: {step:?}");
        }
    }
}

#[test]
fn close_comes_after_so_many_messages() {
    let (two, messages) = (Plan::Close { after: 2, code: 4001 }, frame(0x81, b"a").repeat(5));
    let (out, step) = feed(&mut session(two), &messages, messages.len());
    assert_eq!(step, Step::Ended { midway: true });
    let echoes = answer(Opcode::Text, b"a").repeat(2);
    assert_eq!((&out[..6], close_code(&out[6..])), (echoes.as_slice(), 4001));
    let mut out = Vec::new();
    let (_, ended) = Session::open(Plan::Close { after: 0, code: 1000 }, HEAD, &mut out).unwrap();
    assert_eq!(ended, Some(Step::Ended { midway: true }));
}

#[test]
fn pushes_come_by_the_alarm_until_their_count() {
    let counts = ThreadCounts::default();
    let mut session = session(Plan::Push { every_ns: 1_000_000, count: 2 });
    let first = session.alarm_ns().unwrap();
    let mut out = Vec::new();
    let later = session.alarm(true, &counts, &mut out).unwrap();
    assert!(out.is_empty() && later >= first, "nothing is pushed to who does not read");
    assert_eq!(session.alarm(false, &counts, &mut out), Some(later + 1_000_000));
    let message: Value = serde_json::from_slice(&out[2..]).unwrap();
    assert_eq!((&message["type"], &message["id"]), (&"push".into(), &1.into()));
    assert!(message["sent_ms"].as_f64().unwrap() > 1.6e12);
    assert_eq!(session.alarm(false, &counts, &mut out), None);
    assert_eq!(session.alarm(false, &counts, &mut out), None);
    let mut total = TargetStats::default();
    counts.add_to(&mut total);
    assert_eq!(total.pushes(RouteKind::WebSocketPush), 2);
}

#[test]
fn a_keepalive_is_acknowledged_when_it_comes_back_and_only_then() {
    let counts = ThreadCounts::default();
    let mut session = session(Plan::Keepalive { every_ns: 1_000_000 });
    let mut pushed = Vec::new();
    session.alarm(false, &counts, &mut pushed);
    let echo = frame(0x81, &pushed[2..]);
    let ok = answer(Opcode::Text, KEPT_ALIVE);
    for (input, expected) in [
        (frame(0x81, b"data"), Vec::new()),
        (frame(0x81, br#"{"type":"keepalive","id":2}"#), Vec::new()),
        (echo.clone(), ok),
        (echo, Vec::new()),
    ] {
        assert_eq!(feed(&mut session, &input, input.len()), (expected, Step::Input));
    }
}

#[test]
fn what_one_read_can_make_is_bounded() {
    let input = frame(0x82, &[0; 1000]).repeat(1000);
    let (mut session, mut out) = (session(Plan::Echo), Vec::new());
    let (used, step) = session.read(&input, &ThreadCounts::default(), &mut out);
    assert!(used < input.len() && step == Step::Sent);
    assert!(out.len() < OUTPUT_BYTES_HIGH + 2000, "{}", out.len());
}

/// A frame as a client might send it, right or wrong.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop_oneof![
        4 => "[a-z\u{20ac}]{0,150}".prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 0..300),
    ];
    let first = prop_oneof![
        8 => proptest::sample::select(vec![0x01, 0x02, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8a, 0x00]),
        1 => any::<u8>(),
    ];
    (first, payload).prop_map(|(first, payload)| frame(first, &payload))
}

proptest! {
    #[test]
    fn any_bytes_are_answered_alike_at_every_split(
        frames in proptest::collection::vec(any_frame(), 0..8),
        tail in proptest::collection::vec(any::<u8>(), 0..20),
        piece in 1..400_usize,
    ) {
        let input = [frames.concat(), tail].concat();
        let whole = feed(&mut session(Plan::Echo), &input, input.len().max(1));
        let split = feed(&mut session(Plan::Echo), &input, piece);
        prop_assert_eq!(whole, split);
    }
}
