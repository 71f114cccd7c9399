//! Rendering: values in their places, and the same bytes as of a request that was built.

use proptest::prelude::*;

use super::*;

fn rendered(template: &SlottedTemplate, values: &[&[u8]], extra: &[u8]) -> String {
    let mut out = BytesMut::new();
    template.render(values, extra, &mut out).unwrap();
    String::from_utf8(out.to_vec()).unwrap()
}

fn get(target: Vec<Piece>) -> SlottedBuilder {
    SlottedBuilder::new(Method::Get, target).header("Host", vec![Piece::text("h")])
}

#[test]
fn values_are_escaped_for_their_place() {
    let target = vec![Piece::text("/a/"), Piece::Slot(0), Piece::text("?q="), Piece::Slot(0)];
    let template = get(target).build().unwrap();
    let line = |value: &str| {
        let text = rendered(&template, &[value.as_bytes()], b"");
        text.lines().next().unwrap().to_owned()
    };
    assert_eq!(line("b c"), "GET /a/b%20c?q=b%20c HTTP/1.1");
    assert_eq!(line("?/&"), "GET /a/%3F/&?q=?/& HTTP/1.1");
    assert_eq!(line("100%"), "GET /a/100%25?q=100%25 HTTP/1.1");
    assert_eq!(line("%7e#"), "GET /a/%7e%23?q=%7e%23 HTTP/1.1");
    assert_eq!(line("\r\nX: y"), "GET /a/%0D%0AX:%20y?q=%0D%0AX:%20y HTTP/1.1");
    assert_eq!(line("\u{e9}"), "GET /a/%C3%A9?q=%C3%A9 HTTP/1.1");
}

#[test]
fn the_length_is_that_of_the_body() {
    let post = SlottedBuilder::new(Method::Post, vec![Piece::text("/")])
        .header("Host", vec![Piece::text("h")])
        .body(vec![Piece::text("a=\r\n\r\n"), Piece::Slot(1), Piece::Slot(1)]);
    let text = rendered(&post.build().unwrap(), &[b"", b"12345"], b"X: y\r\n");
    let wanted =
        "POST / HTTP/1.1\r\nHost: h\r\nX: y\r\nContent-Length: 16\r\n\r\na=\r\n\r\n1234512345";
    assert_eq!(text, wanted);
}

#[test]
fn nothing_breaks_out_of_a_header_field() {
    let template = get(vec![Piece::text("/")]).header("A", vec![Piece::Slot(0)]).build().unwrap();
    let mut out = BytesMut::from("before");
    for byte in [b'\r', b'\n', 0, 0x7f] {
        let refused = template.render(&[&[b'x', byte]], b"", &mut out).unwrap_err();
        assert_eq!(refused, SlotError::HeaderValue { slot: 0, byte });
    }
    let missing = template.render(&[], b"", &mut out).unwrap_err();
    assert_eq!(missing, SlotError::Missing { wanted: 1, given: 0 });
    assert_eq!(out, "before");
}

#[test]
fn literals_are_checked_once_at_the_build() {
    let slot_first = get(vec![Piece::Slot(0)]).build().unwrap_err();
    assert_eq!(slot_first, RequestError::Target { target: "x".to_owned() });
    let spaced = get(vec![Piece::text("/a b")]).build();
    assert!(matches!(spaced, Err(RequestError::Target { .. })));
    let hostless = SlottedBuilder::new(Method::Get, vec![Piece::text("/")]);
    assert_eq!(hostless.build().unwrap_err(), RequestError::HostMissing);
    let length = get(vec![Piece::text("/")]).header("content-length", vec![Piece::Slot(0)]);
    assert_eq!(length.build().unwrap_err(), RequestError::ComputedLength);
}

#[test]
fn a_warm_buffer_is_rendered_into_again() {
    let template = get(vec![Piece::text("/"), Piece::Slot(0)]).build().unwrap();
    let mut out = BytesMut::with_capacity(256);
    let memory = out.as_ptr() as usize..out.as_ptr() as usize + out.capacity();
    for _ in 0..1_000 {
        template.render(&[b"5678"], b"", &mut out).unwrap();
        let request = out.split().freeze();
        assert!(memory.contains(&(request.as_ptr() as usize)));
    }
}

/// A piece of text that may stand anywhere, and that trimming leaves alone.
fn plain() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9._~-]{1,8}"
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let piece = prop_oneof![plain().prop_map(Piece::text), (0_usize..4).prop_map(Piece::Slot)];
    proptest::collection::vec(piece, 0..5)
}

fn filled(pieces: &[Piece], values: &[String]) -> String {
    let texts = pieces.iter().map(|piece| match piece {
        Piece::Text(text) => String::from_utf8(text.clone()).unwrap(),
        Piece::Slot(slot) => values[*slot].clone(),
    });
    texts.collect()
}

proptest! {
    /// Whoever renders sends what [`RequestBuilder`] would have made of the same strings.
    #[test]
    fn rendering_is_building(
        path in pieces(),
        query in pieces(),
        headers in proptest::collection::vec(pieces(), 0..4),
        body in proptest::option::of(pieces()),
        values in proptest::collection::vec(plain(), 4),
        post: bool,
        close: bool,
        extra: bool,
    ) {
        let method = || if post { Method::Post } else { Method::Get };
        let target = [vec![Piece::text("/")], path, vec![Piece::text("?")], query].concat();
        let host = vec![Piece::text("h")];
        let mut built = RequestBuilder::new(method(), filled(&target, &values));
        let mut slotted = SlottedBuilder::new(method(), target);
        for (index, value) in headers.into_iter().enumerate() {
            built = built.header(format!("X-{index}"), filled(&value, &values));
            slotted = slotted.header(format!("X-{index}"), value);
        }
        built = built.header("Host", "h");
        slotted = slotted.header("Host", host);
        if extra {
            built = built.header("Cookie", "a=b");
        }
        if let Some(body) = body {
            built = built.body(filled(&body, &values));
            slotted = slotted.body(body);
        }
        let built = built.connection_close(close).build().unwrap();
        let slotted = slotted.connection_close(close).build().unwrap();
        let values: Vec<&[u8]> = values.iter().map(|value| value.as_bytes()).collect();
        let extra: &[u8] = if extra { b"Cookie: a=b\r\n" } else { b"" };
        let mut out = BytesMut::new();
        slotted.render(&values, extra, &mut out).unwrap();
        prop_assert_eq!(&out, built.bytes());
        prop_assert_eq!(slotted.closes(), built.closes());
    }

    /// Any bytes in a target's slot leave a target that is one, and that says the same.
    #[test]
    fn any_value_makes_a_target(value: Vec<u8>) {
        let target = vec![Piece::text("/"), Piece::Slot(0), Piece::text("?"), Piece::Slot(0)];
        let text = rendered(&get(target).build().unwrap(), &[&value], b"");
        let target = text.strip_prefix("GET ").and_then(|rest| rest.split_once(' ')).unwrap().0;
        prop_assert!(RequestBuilder::new(Method::Get, target).header("Host", "h").build().is_ok());
        prop_assert!(!target.contains('#'));
    }
}
