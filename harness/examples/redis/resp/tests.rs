//! Every vector is read whole, byte by byte and with trailing bytes.

use proptest::prelude::*;

use super::*;

/// Reads the one reply in `bytes`, however it arrives; gives it in words.
#[track_caller]
fn reads_as(bytes: &[u8], expected: &str) {
    let mut whole = Resp::default();
    assert_eq!(whole.frame(bytes), Ok(Some(bytes.len())), "whole");
    assert_eq!(shown(&whole.message(bytes).expect("a reply")), expected);
    let trailing = [bytes, b"+more\r\n"].concat();
    assert_eq!(whole.frame(&trailing), Ok(Some(bytes.len())), "with trailing bytes");
    let mut pieces = Resp::default();
    for received in 1..bytes.len() {
        assert_eq!(pieces.frame(&bytes[..received]), Ok(None), "{received} bytes");
    }
    assert_eq!(pieces.frame(bytes), Ok(Some(bytes.len())), "byte by byte");
}

#[track_caller]
fn is_refused(bytes: &[u8], expected: RespError) {
    assert_eq!(Resp::default().frame(bytes), Err(expected), "whole");
    let mut pieces = Resp::default();
    let mut steps = (1..=bytes.len()).map(|received| pieces.frame(&bytes[..received]));
    assert_eq!(steps.find(Result::is_err), Some(Err(expected)), "byte by byte");
}

fn shown(reply: &Reply<'_>) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let list = |elements: &Elements<'_>| {
        elements.clone().map(|reply| shown(&reply)).collect::<Vec<_>>().join(" ")
    };
    match reply {
        Reply::Simple(bytes) => format!("+{}", text(bytes)),
        Reply::Error(bytes) => format!("-{}", text(bytes)),
        Reply::Integer(number) => number.to_string(),
        Reply::Bulk(bytes) => format!("'{}'", text(bytes)),
        Reply::Null => "null".to_owned(),
        Reply::Boolean(value) => value.to_string(),
        Reply::Number(bytes) => format!(",{}", text(bytes)),
        Reply::Array(elements) => format!("[{}]", list(elements)),
        Reply::Map(elements) => format!("{{{}}}", list(elements)),
    }
}

#[test]
fn values_of_version_2() {
    reads_as(b"+OK\r\n", "+OK");
    reads_as(b"+\r\n", "+");
    reads_as(b"-ERR unknown command 'X'\r\n", "-ERR unknown command 'X'");
    reads_as(b":0\r\n", "0");
    reads_as(b":-9223372036854775808\r\n", "-9223372036854775808");
    reads_as(b"$3\r\nfoo\r\n", "'foo'");
    reads_as(b"$0\r\n\r\n", "''");
    reads_as(b"$6\r\na\r\nb\r\n\r\n", "'a\r\nb\r\n'");
    reads_as(b"$-1\r\n", "null");
    reads_as(b"*-1\r\n", "null");
    reads_as(b"*0\r\n", "[]");
    reads_as(b"*3\r\n$1\r\na\r\n*2\r\n:1\r\n*0\r\n$-1\r\n", "['a' [1 []] null]");
}

#[test]
fn values_of_version_3() {
    reads_as(b"_\r\n", "null");
    reads_as(b"#t\r\n", "true");
    reads_as(b"#f\r\n", "false");
    reads_as(b",1.23\r\n", ",1.23");
    reads_as(
        b"(3492890328409238509324850943850943825024385\r\n",
        ",3492890328409238509324850943850943825024385",
    );
    reads_as(b"!21\r\nSYNTAX invalid syntax\r\n", "-SYNTAX invalid syntax");
    reads_as(b"=15\r\ntxt:Some string\r\n", "'txt:Some string'");
    reads_as(b"%2\r\n+first\r\n:1\r\n+second\r\n:2\r\n", "{+first 1 +second 2}");
    reads_as(b"~2\r\n+a\r\n+b\r\n", "[+a +b]");
    reads_as(b">2\r\n+message\r\n$1\r\nx\r\n", "[+message 'x']");
    reads_as(b"|1\r\n+ttl\r\n:3600\r\n*1\r\n+x\r\n", "[+x]");
}

#[test]
fn what_is_no_reply_is_refused() {
    is_refused(b"OK\r\n", RespError::Type(b'O'));
    is_refused(b"*1\r\nx", RespError::Type(b'x'));
    is_refused(b"+OK\n", RespError::BareLineFeed);
    is_refused(b"+\n", RespError::BareLineFeed);
    is_refused(b"$x\r\n", RespError::Number);
    is_refused(b"$\r\n", RespError::Number);
    is_refused(b"$?\r\n", RespError::Number);
    is_refused(b"*99999999999999999999\r\n", RespError::Number);
    is_refused(b"$-2\r\n", RespError::Length(-2));
    is_refused(b"$1073741824\r\n", RespError::Length(1 << 30));
    is_refused(b"$1\r\nabc", RespError::Unterminated);
    is_refused(b"*1000001\r\n", RespError::TooManyValues);
    is_refused(&[b"+", &[b'x'; LINE_BYTES_MAX][..]].concat(), RespError::LineTooLong);
}

/// An array of arrays of arrays announces little and may go on for ever; memory and time stay bounded.
#[test]
fn deep_nesting_is_bounded_by_the_number_of_values() {
    let deep = b"*1\r\n".repeat(VALUES_MAX + 1);
    assert_eq!(Resp::default().frame(&deep), Err(RespError::TooManyValues));
    let attributes = [&b"|0\r\n".repeat(100_000)[..], b":7\r\n"].concat();
    assert_eq!(read(&attributes), Ok(Reply::Integer(7)));
    let depth = 100_000;
    let whole = [&b"*1\r\n".repeat(depth)[..], b":7\r\n"].concat();
    let mut codec = Resp::default();
    assert_eq!(codec.frame(&whole), Ok(Some(whole.len())));
    assert!(matches!(codec.message(&whole), Ok(Reply::Array(_))));
}

#[test]
fn errors_are_failures_in_the_servers_words() {
    let failure = |bytes| Resp::failure(&read(bytes).expect("a reply"));
    assert_eq!(failure(b"+OK\r\n"), None);
    let wrong = failure(b"-WRONGTYPE no list\r\n").expect("an error");
    assert_eq!((wrong.kind, &*wrong.message), (FailureKind::Status, "WRONGTYPE no list"));
    let long = [b"-", &[b'e'; 300][..], b"\r\n"].concat();
    let long = Resp::failure(&read(&long).expect("a reply")).expect("an error");
    assert_eq!(long.message.len(), ERROR_BYTES_MAX);
}

#[test]
fn commands_are_arrays_of_bulk_strings() {
    assert_eq!(*command(&["SET", "k", ""]), *b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n");
}

/// A value in its bytes and in words.
fn value() -> impl Strategy<Value = (Vec<u8>, String)> {
    let leaf = prop_oneof![
        "[a-zA-Z ]{0,10}"
            .prop_map(|text| (format!("+{text}\r\n").into_bytes(), format!("+{text}"))),
        any::<i64>().prop_map(|number| (format!(":{number}\r\n").into_bytes(), number.to_string())),
        "[a-z\r\n]{0,20}".prop_map(|text| {
            (format!("${}\r\n{text}\r\n", text.len()).into_bytes(), format!("'{text}'"))
        }),
        Just((b"_\r\n".to_vec(), "null".to_owned())),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop::collection::vec(inner, 0..5).prop_map(|values| {
            let mut bytes = format!("*{}\r\n", values.len()).into_bytes();
            values.iter().for_each(|(value, _)| bytes.extend_from_slice(value));
            let words: Vec<String> = values.into_iter().map(|(_, words)| words).collect();
            (bytes, format!("[{}]", words.join(" ")))
        })
    })
}

proptest! {
    #[test]
    fn any_value_reads_as_it_was_written((bytes, words) in value()) {
        reads_as(&bytes, &words);
    }

    /// Any bytes, split anywhere, give the same end or the same error, and never a panic.
    #[test]
    fn splits_change_nothing(bytes in "[-+:$*%_0-9a\r\n]{0,60}", cut in 0_usize..60) {
        let bytes = bytes.as_bytes();
        let cut = cut.min(bytes.len());
        let whole = Resp::default().frame(bytes);
        let mut pieces = Resp::default();
        let first = pieces.frame(&bytes[..cut]);
        match first {
            Ok(None) => prop_assert_eq!(pieces.frame(bytes), whole),
            decided => prop_assert_eq!(decided, whole),
        }
        if let Ok(Some(end)) = whole {
            let _ = read(&bytes[..end]);
        }
    }
}
