//! XML-RPC calls: sampled once as what they are, and every way in which a server can answer wrongly in words.

use loadr_engine::client::session::{PreparedCall, Session};
use loadr_engine::client::xmlrpc::{self, CallError, XmlRpcClient};
use loadr_engine::outcome::FailureKind;
use loadr_protocols::http1::Piece;
use loadr_protocols::xmlrpc::{
    Fault, Limits, Value, decode_call, encode_call, encode_fault, encode_response,
};

use crate::world::{Reply, Seen, World, response, run};

const XML: &str = "Content-Type: text/xml; charset=utf-8\r\n";

fn value(value: &Value) -> Reply {
    let mut body = Vec::new();
    encode_response(value, &mut body).expect("a value that can be sent");
    response(200, XML, &body)
}

fn fault(code: i64, string: &str) -> Reply {
    let mut body = Vec::new();
    let fault = Fault { code, string: string.to_owned() };
    encode_fault(&fault, &mut body).expect("a fault that can be sent");
    response(200, XML, &body)
}

/// A server that adds numbers up, and knows nothing else.
fn adder(seen: &Seen) -> Reply {
    let call = decode_call(&seen.body, &Limits::default()).expect("a call");
    match call.method.as_str() {
        "add" => value(&Value::I8(call.params.iter().filter_map(Value::as_i64).sum())),
        _ => fault(4, "no such method"),
    }
}

async fn add(session: &Session) {
    let client = XmlRpcClient::new(session.clone());
    assert_eq!(client.call("add", (1, 2, 39)).await, Ok(Value::I8(42)));
    assert_eq!(client.request("add", [1]).name("one").send_unread().await, Ok(()));
    let refused = client.call("subtract", ()).await.expect_err("it is unknown");
    assert_eq!(refused.to_string(), "fault 4: no such method");
    assert!(matches!(refused, CallError::Fault(Fault { code: 4, .. })));
}

#[test]
fn a_call_is_one_sample_under_its_method() {
    let ran = run(|user| Box::pin(async move { add(&user.session).await }), adder);
    assert_eq!(
        ran.entries(),
        [("xmlrpc", "add", 1, 0), ("xmlrpc", "one", 1, 0), ("xmlrpc", "subtract", 1, 1)]
    );
    assert_eq!(ran.failures(), [("fault 4: no such method", 1)]);
    assert_eq!(ran.outcome.errors[0].kind, FailureKind::Status);
    assert_eq!(ran.connections(), [0, 0, 0], "the connection is kept, after a fault too");
    let seen = &ran.seen[0];
    assert_eq!(seen.line(), "POST /api HTTP/1.1");
    assert_eq!(seen.field("Content-Type"), Some("text/xml"));
    assert_eq!(seen.field("Authorization"), Some("Basic dXNlcjpwQHNz"));
    let entry = ran.outcome.entries.iter().find(|entry| &*entry.key.name == "add");
    let mut body = Vec::new();
    encode_response(&Value::I8(42), &mut body).expect("a value that can be sent");
    assert_eq!(entry.expect("an entry").counts.body_bytes, body.len() as u64);
}

#[test]
fn calls_can_be_laid_out_before_the_run() {
    let ran = run(
        |user| {
            Box::pin(async move {
                let mut body = Vec::new();
                encode_call("add", &[Value::Int(1)], &mut body).expect("a call");
                let parts = xmlrpc::parts(Vec::new(), "add", vec![Piece::text(body)]);
                let call = PreparedCall::new(&user.shard, &user.settings, parts);
                let call = call.expect("the parts are good");
                for _ in 0..3 {
                    let reply = user.session.send_prepared(&call, &[], |view| {
                        xmlrpc::judge(view.status(), view.headers(), view.body())
                    });
                    let reply = reply.await;
                    assert_eq!((reply.status, reply.failed), (200, false));
                }
            })
        },
        adder,
    );
    assert_eq!(ran.entries(), [("xmlrpc", "add", 3, 0)]);
    assert_eq!(ran.seen[2].line(), "POST /api HTTP/1.1");
}

#[test]
fn a_call_that_cannot_be_sent_is_a_failure_of_its_own() {
    let ran = run(
        |user| {
            Box::pin(async move {
                let client = XmlRpcClient::new(user.session.clone());
                for params in ["a\u{8}b"] {
                    let refused = client.call("echo", [params]).await;
                    assert!(matches!(refused, Err(CallError::Failed(_))));
                }
                assert!(client.call("no method", ()).await.is_err());
                assert_eq!(client.call("add", [1]).await, Ok(Value::I8(1)), "the user goes on");
            })
        },
        adder,
    );
    assert_eq!(ran.seen.len(), 1, "nothing of the others was sent");
    assert_eq!(
        ran.failures(),
        [
            ("XML cannot carry the character U+0008; bytes can be sent as base64", 1),
            ("\"no method\" is no method's name: it may have letters, digits and _ . : /", 1)
        ]
    );
}

/// Bodies that are wrong, with the status and the header lines that they come with, and what is said of them.
fn wrong() -> Vec<(u16, &'static str, Vec<u8>, &'static str)> {
    let whole = b"<methodResponse><params><param><value><i4>1</i4></value></param></params>";
    let range = b"<methodResponse><params><param><value><i4>4294967296</i4></value>";
    let bomb = b"<?xml version=\"1.0\"?><!DOCTYPE lolz [<!ENTITY lol \"lol\">\
        <!ENTITY lol2 \"&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;\">]><methodResponse/>";
    let deep = "<value><array><data>".repeat(10_000);
    let deep = format!("<methodResponse><params><param>{deep}").into_bytes();
    vec![
        (
            200,
            XML,
            whole.to_vec(),
            "malformed XML-RPC response: the XML ends inside <methodResponse>, at byte 73",
        ),
        (
            200,
            XML,
            range.to_vec(),
            "malformed XML-RPC response: \"4294967296\" is out of range for <i4>, at byte 42",
        ),
        (
            200,
            XML,
            bomb.to_vec(),
            "malformed XML-RPC response: a document type or entity declaration, which is refused, at byte 21",
        ),
        (
            200,
            XML,
            deep,
            "malformed XML-RPC response: more than 64 arrays and structs within each other, at byte 1318",
        ),
        (
            200,
            "Content-Type: text/html\r\n",
            whole.to_vec(),
            "content type \"text/html\" instead of text/xml",
        ),
        (
            200,
            "Content-Type: text/xml\r\nContent-Encoding: gzip\r\n",
            b"no gzip".to_vec(),
            "broken gzip body",
        ),
        (
            200,
            XML,
            Vec::new(),
            "malformed XML-RPC response: an empty body instead of XML, at byte 0",
        ),
        (500, XML, b"oops".to_vec(), "500 Internal Server Error"),
        (302, "Location: /elsewhere\r\n", Vec::new(), "302 Found"),
    ]
}

#[test]
fn whatever_a_server_does_wrong_is_counted_in_words_and_the_user_goes_on() {
    let ran = run(
        |user| {
            Box::pin(async move {
                let client = XmlRpcClient::new(user.session.clone());
                for (.., message) in wrong() {
                    let failed = client.call("f", ()).await.expect_err(message);
                    assert_eq!(failed.to_string(), message);
                    let unread = client.request("f", ()).send_unread().await;
                    assert_eq!(unread, Err(failed), "checked as it is decoded");
                }
                assert_eq!(client.call("f", ()).await, Ok(Value::Nil));
            })
        },
        |seen| match wrong().into_iter().nth(seen.index / 2) {
            Some((status, lines, body, _)) => response(status, lines, &body),
            None => value(&Value::Nil),
        },
    );
    let failures = 2 * wrong().len() as u64;
    assert_eq!(ran.entries(), [("xmlrpc", "f", failures + 1, failures)]);
    assert!(ran.connections().iter().all(|&connection| connection == 0), "it is kept");
}

#[test]
fn a_server_that_cuts_off_or_says_nothing_costs_a_connection() {
    let world = World::default();
    let ran = world.run(
        |user| {
            Box::pin(async move {
                let client = XmlRpcClient::new(user.session.clone());
                let closed = client.call("f", ()).await.expect_err("it was closed");
                assert!(closed.to_string().starts_with("connection closed"), "{closed}");
                let timeout = std::time::Duration::from_secs(1);
                let silent = client.request("f", ()).timeout(timeout).send().await;
                assert_eq!(
                    silent.expect_err("there was no answer").to_string(),
                    "no complete response within 1s"
                );
                assert_eq!(client.call("f", ()).await, Ok(Value::Nil));
            })
        },
        |seen| match seen.index {
            0 => Reply::Close,
            1 => Reply::Silence,
            _ => value(&Value::Nil),
        },
    );
    assert_eq!(ran.entries(), [("xmlrpc", "f", 3, 2)]);
}
