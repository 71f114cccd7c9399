//! Steps on WebSockets, against a target that does as the test says.

mod server;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use server::{Heard, Served, Server, serve};

use super::world::{World, one_task};

type Life = Pin<Box<dyn Future<Output = ()>>>;

/// One user does these steps once, against a target that serves each WebSocket so.
fn once(more: &str, steps: &str, script: fn(Server) -> Life) -> Served {
    serve(&World::default(), &one_task(more, steps), script)
}

fn echo(mut server: Server) -> Life {
    Box::pin(async move { server.echo().await })
}

#[test]
fn every_step_is_counted_under_its_own_or_its_usual_name() {
    let served = once(
        "",
        r#"{ ws = { connect = "/chat?room=${user.index}" }, query = { v = "a b" } },
           { ws = { send = "one ${counter}" } }, { ws = { recv = true }, extract = { got = "body" } },
           { ws = { request = { json = { n = "${counter}", got = "${got}" } } }, extract = { n = "json:/n" } },
           { ws = { request = { hex = "00ff" } }, name = "bytes ${n}", type = "BIN" },
           { ws = { request = { base64 = "AAEC" } } },
           { ws = { ping = true } },
           { group = { name = "g", steps = [{ ws = { send = "two" } }] } },
           { ws = { send = "three" }, count = false },
           { ws = { recv = { matches = "^th" } }, name = "wait" },
           { ws = { close = { code = 4000, reason = "bye ${got}" } }, name = "leave" }"#,
        echo,
    );
    assert_eq!(
        served.entries(),
        [
            ("BIN", "bytes 2", 1, 0),
            ("WS", "connect", 1, 0),
            ("WS", "g", 1, 0),
            ("WS", "leave", 1, 0),
            ("WS", "message", 2, 0),
            ("WS", "ping", 1, 0),
            ("WS", "send", 1, 0),
            ("WS", "wait", 1, 0),
        ]
    );
    assert!(served.heads[0].starts_with("GET /api/chat?room=0&v=a+b HTTP/1.1\r\n"));
    let text = |text: &str| Heard::Text(text.to_owned());
    assert_eq!(
        served.heard,
        [
            text("one 1"),
            text(r#"{"n":2,"got":"one 1"}"#),
            Heard::Binary(vec![0, 255]),
            Heard::Binary(vec![0, 1, 2]),
            text("two"),
            text("three"),
            Heard::Close(Some(4000), "bye one 1".to_owned()),
        ]
    );
}

#[test]
fn whoever_logged_in_over_http_connects_as_that_user() {
    let more = "headers = { X-A = \"1\", Connection = \"close\" }\n[user.websocket]\nheaders = { X-B = \"${user.index}\" }\nsubprotocols = [\"a\", \"b\"]\ncompress = true";
    let served = once(
        more,
        r#"{ get = "/login" }, { ws = { connect = "/x" }, headers = { x-b = "2" }, auth = { basic = ["u", "p"] } },
           { ws = { connect = "ws://other/y", subprotocols = ["c"] } }"#,
        echo,
    );
    let [_, first, second] = served.heads.as_slice() else { panic!("{:?}", served.heads) };
    for line in [
        "Host: shop",
        "X-A: 1",
        "x-b: 2",
        "Cookie: session=7",
        "Authorization: Basic dTpw",
        "Sec-WebSocket-Protocol: a, b",
        "Sec-WebSocket-Extensions: permessage-deflate",
    ] {
        assert!(first.contains(&format!("\r\n{line}\r\n")), "{line}: {first}");
    }
    assert!(first.contains("Connection: Upgrade\r\n") && !first.contains("close"), "{first}");
    assert!(second.contains("Sec-WebSocket-Protocol: c\r\n") && second.contains("X-B: 0\r\n"));
    assert!(second.starts_with("GET /y ") && !second.contains("session=7"), "{second}");
    assert_eq!(served.heard, [Heard::Close(Some(1000), String::new())], "goodbye to the first");
}

#[test]
fn a_connection_goes_on_from_task_to_task_unless_sessions_are_fresh() {
    let steps = r#"{ ws = { request = "x" } }"#;
    let world = World { iterations: Some(3), ..World::default() };
    let served = serve(&world, &one_task("", steps), echo);
    assert_eq!(served.entries(), [("WS", "connect", 1, 0), ("WS", "message", 3, 0)]);
    assert!(served.heads[0].starts_with("GET /api HTTP/1.1\r\n"), "the host's own path");
    let served = serve(&world, &one_task("fresh_session = true", steps), echo);
    assert_eq!(served.entries(), [("WS", "connect", 3, 0), ("WS", "message", 3, 0)]);
}

#[test]
fn whoever_has_said_goodbye_goes_on_with_a_new_connection() {
    fn lingering(mut server: Server) -> Life {
        Box::pin(async move {
            server.echo().await;
            // Its side of the connection stays open for a while.
            server.silence().await;
        })
    }
    let steps =
        r#"{ ws = { connect = "/a" } }, { ws = { request = "x" } }, { ws = { close = true } }"#;
    let world = World { iterations: Some(3), ..World::default() };
    let served = serve(&world, &one_task("", steps), lingering);
    assert_eq!(served.entries(), [("WS", "connect", 3, 0), ("WS", "message", 3, 0)]);
    assert_eq!(served.heard.len(), 6, "{:?}", served.heard);
}

#[test]
fn replies_are_found_whatever_their_order() {
    fn backwards(mut server: Server) -> Life {
        Box::pin(async move {
            let first = server.next().await;
            server.text(r#"{"type":"push","re":"9"}"#);
            server.text(r#"{"re":2}"#);
            server.text(r#"{"re":1,"echo":true}"#);
            assert_eq!(first, Heard::Text(r#"{"id":1}"#.to_owned()));
            server.drain().await;
        })
    }
    let served = once(
        "",
        r#"{ ws = { request = { json = { id = 1 } }, reply = { correlation = { sent = "/id", received = "/re" } } }, expect = { json = { "/echo" = true } } },
           { set = { one = "${counter}", two = "${counter}" } },
           { ws = { recv = { json = { "/re" = "${two}" } } }, extract = { two = "json:/re" } },
           { ws = { recv = { json = { "/type" = "push", "/re" = "9" } } } },
           { ws = { send = "${two}" } },
           { ws = { recv = { json = { "/re" = "${one}" } } }, timeout = 1 }"#,
        backwards,
    );
    // That of 1 has been taken already, while that of 2 waited.
    assert_eq!(served.errors(), [("recv", "no such message within 1s", 1)]);
    assert_eq!(served.heard[1], Heard::Text("2".to_owned()));
}

#[test]
fn what_was_not_expected_is_a_failure_and_the_connection_goes_on() {
    let served = once(
        "",
        r#"{ ws = { request = "{\"a\":1}" }, expect = { json = { "/a" = 2 } } },
           { ws = { request = "abc" }, expect = { not = { body_contains = "b" } }, extract = { x = { from = "json:/a", default = 5 } } },
           { ws = { request = "x${x}" }, extract = { y = "regex:y(.)" } },
           { ws = { send = "z" } },
           { ws = { recv = true }, expect = { body_matches = "^a" } },
           { ws = { request = "more" }, expect = { max_ms = 1 } }"#,
        echo,
    );
    assert_eq!(
        served.errors(),
        [
            ("message", "/a is 1: expected to be 2", 1),
            ("message", "body: expected not to contain \"b\"", 1),
            ("message", "nothing to extract: the body does not match y(.)", 1),
            ("recv", "body: expected to match ^a", 1),
            ("message", "response time: expected to be at most 1 ms", 1),
        ]
    );
    assert_eq!(served.heads.len(), 1);
    assert_eq!(served.heard[2], Heard::Text("x5".to_owned()));
}

#[test]
fn pushes_are_counted_timed_kept_and_answered() {
    fn pushing(mut server: Server) -> Life {
        Box::pin(async move {
            // The world's clock is at 22:08:39 and some milliseconds.
            server.text(r#"{"type":"tick","at":"2026-11-21T00:48:38.500Z","n":7}"#);
            server.text("who are you");
            server.text(r#"{"type":"keepalive"}"#);
            server.text("nobody minds");
            server.ping();
            server.drain().await;
        })
    }
    let more = r#"
[user.websocket]
type = "chat"
names = { push = "other", send = "said" }
echo = { json = { "/type" = "keepalive" } }
on_message = [
  { match = { json = { "/type" = "tick" } }, name = "tick", sent_at = "/at", extract = { n = "json:/n" } },
  { match = { matches = "^who" }, answer = "user ${user.index}" },
]"#;
    let steps = r#"{ ws = { connect = "/" } }, { think = 1 }, { ws = { send = "n is ${n}" }, name = "last" }"#;
    let served = once(more, steps, pushing);
    assert_eq!(
        served.entries(),
        [
            ("chat", "connect", 1, 0),
            ("chat", "last", 1, 0),
            ("chat", "other", 2, 0),
            ("chat", "said", 1, 0),
            ("chat", "tick", 1, 0),
        ]
    );
    let text = |text: &str| Heard::Text(text.to_owned());
    let mut heard = served.heard.clone();
    heard.sort();
    assert_eq!(
        heard,
        [text("n is 7"), text("user 0"), text(r#"{"type":"keepalive"}"#), Heard::Pong,]
    );
    let millis = served.millis("tick");
    assert!((500..600).contains(&millis), "{millis}");
}

#[test]
fn a_rule_that_finds_nothing_to_keep_is_an_error_of_the_user() {
    fn pushing(mut server: Server) -> Life {
        Box::pin(async move {
            server.text("tick");
            server.echo().await;
        })
    }
    let more = "[user.websocket]\non_message = [{ extract = { n = \"json:/n\" } }]";
    let served = once(more, r#"{ ws = { connect = "/" } }, { think = 1 }"#, pushing);
    assert_eq!(served.errors(), [("A.on_message", "nothing to extract: no /n in the body", 1)]);
}

#[test]
fn what_a_target_does_wrong_is_counted_and_the_next_step_connects_anew() {
    fn rude(mut server: Server) -> Life {
        Box::pin(async move {
            server.next().await;
            match server.connection {
                // A reserved bit.
                0 => server.raw(&[0xc1, 0]),
                1 => server.close(4001, "enough"),
                2 => return,
                3 => server.silence().await,
                _ => server.text("well"),
            }
            server.drain().await;
        })
    }
    let steps = r#"{ repeat = { times = 5, steps = [{ ws = { request = "x", reply = { matches = "." } }, timeout = 3, extract = { got = { from = "body", default = "none" } } }] } },
        { ws = { send = "${got}" } }"#;
    let served = once("", steps, rude);
    assert_eq!(served.heard.last(), Some(&Heard::Text("well".to_owned())));
    let messages: Vec<&str> = served.errors().iter().map(|error| error.1).collect();
    assert_eq!(
        served.entries(),
        [("WS", "connect", 5, 0), ("WS", "message", 5, 4), ("WS", "send", 1, 0)]
    );
    for part in ["reserved", "code 4001: enough", "no such message within 3s", "closed"] {
        assert!(messages.iter().any(|message| message.contains(part)), "{part}: {messages:?}");
    }
}

#[test]
fn a_connection_that_is_not_made_is_counted_once_and_the_task_goes_on() {
    let steps = r#"{ ws = { request = "x" }, extract = { a = { from = "body", default = "b" } } }, { ws = { connect = "ws://h:x/" }, name = "far" }, { log = "${a}" }"#;
    let world = World { listens: false, run_time: Duration::from_secs(5), ..World::default() };
    let served = serve(&world, &one_task("", steps), echo);
    assert_eq!(
        served.errors(),
        [
            ("connect", "connection refused", 1),
            ("far", "the URL is malformed: its port is not a number up to 65535", 1),
        ]
    );
}

#[test]
fn an_upgrade_can_be_refused() {
    fn refusing(server: Server) -> Life {
        Box::pin(async move { drop(server) })
    }
    let served = once("", r#"{ ws = { connect = "/refuse" } }"#, refusing);
    assert_eq!(served.entries(), [("WS", "connect", 1, 1)]);
    assert!(served.errors()[0].1.contains("403"), "{:?}", served.errors());
}
