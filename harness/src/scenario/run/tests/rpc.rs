//! Calls of XML-RPC: what is sent, what they count as, what is kept of their results.

use loadr_protocols::xmlrpc::{
    Fault, Limits, MethodCall, Value as Xml, decode_call, encode_fault, encode_response,
};

use super::world::{Ran, Reply, Seen, once};

const XML: &str = "Content-Type: text/xml\r\n";

fn called(seen: &Seen) -> MethodCall {
    decode_call(seen.body.as_bytes(), &Limits::default()).expect("a call")
}

fn reply(status: u16, lines: &'static str, value: &Result<Xml, Fault>) -> Reply {
    let mut body = Vec::new();
    match value {
        Ok(value) => encode_response(value, &mut body).expect("a value that can be sent"),
        Err(fault) => encode_fault(fault, &mut body).expect("a fault that can be sent"),
    }
    (status, lines, String::from_utf8(body).expect("text"))
}

/// Gives back the first parameter, or a fault where that is a number.
fn echo(seen: &Seen) -> Reply {
    let value = match called(seen).params.into_iter().next() {
        Some(Xml::Int(code)) => Err(Fault { code: code.into(), string: "no".to_owned() }),
        Some(value) => Ok(value),
        None => Ok(Xml::Nil),
    };
    reply(200, XML, &value)
}

fn errors(ran: &Ran) -> Vec<&str> {
    ran.errors().into_iter().map(|(_, text, _)| text).collect()
}

#[test]
fn a_call_is_sent_to_the_hosts_own_path_and_counted_under_its_method() {
    let ran = once(
        "{ xmlrpc = { method = \"get\", params = [[\"${user.index}\"]] } },
         { xmlrpc = { method = \"get\" }, url = \"/RPC2\", name = \"n${user.index}\", type = \"T\", headers = { X = \"1\" } },
         { xmlrpc = { method = \"get\" }, url = \"http://other/x\", name = \"far\" }",
        echo,
    );
    let lines = ["POST /api", "POST /api/RPC2", "POST /x"];
    assert_eq!(ran.lines(), lines);
    let mut entries = ran.entries();
    entries.sort_unstable();
    assert_eq!(entries, [("T", "n0", 1, 0), ("xmlrpc", "far", 1, 0), ("xmlrpc", "get", 1, 0)]);
    assert!(ran.seen.iter().all(|seen| seen.field("Content-Type") == Some("text/xml")));
    assert_eq!(ran.seen[1].field("X"), Some("1"));
    assert_eq!(called(&ran.seen[0]).params, [Xml::from([0])]);
}

#[test]
fn results_are_checked_and_kept_as_json() {
    let ran = once(
        "{ xmlrpc = { method = \"f\", params = [{ a = [1, \"x\"] }] }, expect = { json = { \"/a/0\" = 1 } }, extract = { x = \"json:/a/1\" } },
         { xmlrpc = { method = \"g\", params = [\"${x}\"] }, expect = { json = { \"\" = \"x\" } } },
         { xmlrpc = { method = \"h\", params = [{ a = 1 }] }, expect = { json = { \"/a\" = 2 } } },
         { xmlrpc = { method = \"i\", params = [{ a = 1 }] }, extract = { y = \"json:/b\" } }",
        echo,
    );
    assert_eq!(called(&ran.seen[1]).params, [Xml::from("x")]);
    assert_eq!(
        errors(&ran),
        ["/a is 1: expected to be 2", "nothing to extract: no /b in the body"]
    );
}

#[test]
fn faults_are_failures_unless_they_were_expected() {
    let ran = once(
        "{ xmlrpc = { method = \"a\", params = [4] } },
         { xmlrpc = { method = \"b\", params = [4] }, expect = { fault = 4, json = { \"/faultString\" = \"no\" } } },
         { xmlrpc = { method = \"c\", params = [5] }, expect = { fault = [4, 6] } },
         { xmlrpc = { method = \"d\", params = [5] }, expect = { fault = true } },
         { xmlrpc = { method = \"e\" }, expect = { fault = 4 } },
         { xmlrpc = { method = \"f\", params = [4] }, extract = { x = { from = \"json:/x\", default = 7 } } },
         { xmlrpc = { method = \"g\", params = [[\"${x}\"]] } }",
        echo,
    );
    let failed = ran.entries().into_iter().filter(|entry| entry.3 == 1).map(|entry| entry.1);
    assert_eq!(failed.collect::<String>(), "acef");
    assert_eq!(
        ran.errors(),
        [
            ("a", "fault 4: no", 1),
            ("c", "fault 5: no: expected fault 4 or 6", 1),
            ("e", "a value: expected fault 4", 1),
            ("f", "fault 4: no", 1),
        ]
    );
    assert_eq!(called(&ran.seen[6]).params, [Xml::from([7])]);
}

#[test]
fn whatever_is_no_response_is_said_to_be_none_whether_or_not_it_is_read() {
    let step = "{ xmlrpc = { method = \"f\" } },
        { xmlrpc = { method = \"g\" }, expect = { json = { \"\" = 1 } } }";
    let steps = [step; 4].join(",");
    let ran = once(&steps, |seen| match seen.index / 2 {
        0 => (200, XML, "<methodResponse><params>".to_owned()),
        1 => reply(200, "Content-Type: text/plain\r\n", &Ok(Xml::Int(1))),
        2 => reply(500, XML, &Ok(Xml::Int(1))),
        _ => reply(200, XML, &Ok(Xml::Int(1))),
    });
    assert_eq!(ran.entries(), [("xmlrpc", "f", 4, 3), ("xmlrpc", "g", 4, 3)]);
    let mut texts: Vec<String> = ran.errors().iter().map(|e| format!("{} {}", e.0, e.1)).collect();
    texts.sort_unstable();
    let cut = "malformed XML-RPC response: the XML ends inside <params>, at byte 24";
    let plain = "content type \"text/plain\" instead of text/xml";
    let expected = ["f", "g"]
        .map(|name| ["500 Internal Server Error", plain, cut].map(|text| format!("{name} {text}")));
    assert_eq!(texts, expected.as_flattened());
}

#[test]
fn a_value_that_cannot_be_sent_ends_the_task() {
    let ran = once(
        "{ xmlrpc = { method = \"f\", params = [\"\"] }, extract = { x = { from = \"json:/x\", default = \"\\u0001\" } } },
         { xmlrpc = { method = \"f\", params = [\"${x}\"] } }",
        echo,
    );
    assert_eq!(ran.seen.len(), 1);
    assert_eq!(errors(&ran), ["a value has the character U+0001, which XML cannot carry"]);
}
