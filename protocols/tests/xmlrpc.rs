//! The XML-RPC codec by its public interface: tables of responses, limits, generated properties, another's reader.
//!
//! Each response is read whole, cut off at every byte, and with bytes behind it; and each is read as a value and merely
//! checked, which must come to the same.

#![forbid(unsafe_code)]

#[path = "xmlrpc/decorated.rs"]
mod decorated;
#[path = "xmlrpc/oracle.rs"]
mod oracle;
#[path = "xmlrpc/properties.rs"]
mod properties;
#[path = "xmlrpc/values.rs"]
mod values;
#[path = "xmlrpc/vectors.rs"]
mod vectors;

use loadr_protocols::xmlrpc::{
    DecodeError, DecodeErrorKind as Kind, Limits, Reply, Value, check_response, decode_call,
    decode_response, encode_call,
};

/// Decodes, and has it be the same to check.
fn decode_with(bytes: &[u8], limits: &Limits) -> Result<Reply, DecodeError> {
    let decoded = decode_response(bytes, limits);
    let checked = check_response(bytes, limits);
    let forgotten = decoded.clone().map(|reply| reply.map(drop));
    assert_eq!(checked, forgotten, "checked as it is decoded: {}", bytes.escape_ascii());
    decoded
}

fn decode(bytes: &[u8]) -> Result<Reply, DecodeError> {
    decode_with(bytes, &Limits::default())
}

fn refusal(bytes: &[u8]) -> String {
    decode(bytes).expect_err(&bytes.escape_ascii().to_string()).to_string()
}

#[test]
fn good_responses_come_to_their_values() {
    for (bytes, expected) in vectors::good() {
        assert_eq!(decode(bytes), Ok(expected), "{}", bytes.escape_ascii());
    }
}

#[test]
fn what_is_cut_off_is_told_as_cut_off_wherever_that_is() {
    for (bytes, expected) in vectors::good() {
        for at in 0..bytes.len() {
            match decode(&bytes[..at]) {
                Err(DecodeError { kind: Kind::Empty | Kind::Truncated { .. }, .. }) => {}
                // What is missing says nothing.
                Ok(reply) if is_only_for_people(&bytes[at..]) => assert_eq!(reply, expected),
                other => panic!("cut at {at}: {other:?}, {}", bytes.escape_ascii()),
            }
        }
    }
}

fn is_only_for_people(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().is_empty() || bytes.ends_with(b"-->")
}

#[test]
fn what_follows_the_end_is_refused_unless_it_says_nothing() {
    for (bytes, expected) in vectors::good() {
        for silent in [&b" \r\n\t"[..], b"<!-- x -->\n", b"<?x y?>"] {
            assert_eq!(decode(&[bytes, silent].concat()), Ok(expected.clone()));
        }
        for behind in [&b"x"[..], b"<a/>", b"</a>", b"<![CDATA[]]>", b"  0<a>", b"&lt;"] {
            let refused = decode(&[bytes, behind].concat()).unwrap_err();
            assert!(matches!(refused.kind, Kind::Trailing { .. }), "{refused}");
        }
        let refused = decode(&[bytes, bytes].concat()).unwrap_err();
        let trailing = matches!(refused.kind, Kind::Trailing { .. } | Kind::Syntax { .. });
        assert!(trailing || bytes.starts_with(b"\xef"), "{refused}");
    }
}

#[test]
fn refused_responses_are_refused_for_what_is_wrong() {
    for &(bytes, expected) in vectors::REFUSED {
        assert_eq!(refusal(bytes), expected, "{}", bytes.escape_ascii());
    }
}

#[test]
fn values_are_refused_for_what_is_wrong() {
    for &(value, expected) in vectors::REFUSED_VALUES {
        let before = "<methodResponse><params><param>";
        let response = format!("{before}{value}</param></params></methodResponse>");
        let error = decode(response.as_bytes()).expect_err(value);
        assert_eq!(error.kind.to_string(), expected, "{value}");
        assert!(error.at >= before.len(), "{error}: {value}");
    }
}

#[test]
fn calls_come_back_as_they_went() {
    let params = [Value::from(41), Value::from("a<b"), Value::Nil];
    let mut bytes = Vec::new();
    encode_call("examples.getStateName", &params, &mut bytes).unwrap();
    let call = decode_call(&bytes, &Limits::default()).unwrap();
    assert_eq!(
        (call.method.as_str(), call.params.as_slice()),
        ("examples.getStateName", &params[..])
    );
    for at in 0..bytes.len() {
        let refused = decode_call(&bytes[..at], &Limits::default()).unwrap_err();
        assert!(matches!(refused.kind, Kind::Empty | Kind::Truncated { .. }), "{refused}");
    }
    let trailing = decode_call(&[&bytes[..], b"x"].concat(), &Limits::default()).unwrap_err();
    assert!(matches!(trailing.kind, Kind::Trailing { .. }));
}

#[test]
fn calls_without_parameters_may_leave_them_out() {
    for rest in ["", "<params/>", "<params></params>", "<params> </params>"] {
        let call = format!("<methodCall><methodName>f</methodName>{rest}</methodCall>");
        assert_eq!(decode_call(call.as_bytes(), &Limits::default()).unwrap().params, []);
    }
    let bad = b"<methodCall><methodName>a b</methodName></methodCall>";
    let refused = decode_call(bad, &Limits::default()).unwrap_err();
    assert_eq!(refused.to_string(), r#""a b" is no name of a method, at byte 0"#);
}

/// One that is well formed to the limit, one past it.
fn check_limit(limits: Limits, passes: &str, refused: &str, kind: Kind) {
    assert!(decode_with(passes.as_bytes(), &limits).is_ok(), "{passes}");
    let error = decode_with(refused.as_bytes(), &limits).expect_err(refused);
    assert_eq!(error.kind, kind, "{refused}");
}

fn response(value: &str) -> String {
    format!("<methodResponse><params><param>{value}</param></params></methodResponse>")
}

fn nested(depth: usize) -> String {
    let (open, close) = ("<value><array><data>", "</data></array></value>");
    response(&format!("{}<value/>{}", open.repeat(depth), close.repeat(depth)))
}

#[test]
fn everything_has_a_limit() {
    let limits = Limits { bytes_max: response("<value/>").len(), ..Limits::default() };
    let kind = Kind::Size { limit: limits.bytes_max };
    check_limit(limits, &response("<value/>"), &response("<value />"), kind);

    let limits = Limits { depth_max: 3, ..Limits::default() };
    check_limit(limits, &nested(3), &nested(4), Kind::Depth { limit: 3 });
    let limits = Limits { depth_max: usize::MAX, ..Limits::default() };
    check_limit(limits, &nested(512), &nested(513), Kind::Depth { limit: 512 });

    let limits = Limits { values_max: 3, ..Limits::default() };
    let array = |count| {
        response(&format!(
            "<value><array><data>{}</data></array></value>",
            "<value/>".repeat(count)
        ))
    };
    check_limit(limits, &array(2), &array(3), Kind::Values { limit: 3 });

    let limits = Limits { name_bytes_max: 16, ..Limits::default() };
    let attribute = |name| response(&format!("<value {name}='x'/>"));
    let kind = Kind::Name { limit: 16 };
    check_limit(limits, &attribute("abcdefghijklmnop"), &attribute("abcdefghijklmnopq"), kind);
    let member = |name| {
        let member = format!("<member><name>{name}</name><value/></member>");
        response(&format!("<value><struct>{member}</struct></value>"))
    };
    check_limit(limits, &member("abcdefghijklmnop"), &member("abcdefghijklmnopq"), kind);
}

#[test]
fn ten_thousand_levels_cost_no_stack() {
    let limits = Limits::default();
    let deep = "<value><array><data>".repeat(10_000);
    for bytes in [nested(10_000), format!("<methodResponse><params><param>{deep}")] {
        let error = decode_with(bytes.as_bytes(), &limits).unwrap_err();
        assert_eq!(error.kind, Kind::Depth { limit: 64 });
    }
}

#[test]
fn nothing_behind_a_deep_value_is_lost() {
    let (open, close) = ("<value><struct><member><name>a</name>", "</member></struct></value>");
    let deep = format!("{}<value><i4>7</i4></value>{}", open.repeat(64), close.repeat(64));
    let mut value = decode(response(&deep).as_bytes()).unwrap().unwrap();
    for _ in 0..64 {
        value = value.member("a").unwrap().clone();
    }
    assert_eq!(value, Value::Int(7));
}
