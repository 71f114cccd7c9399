//! WebSockets in files: what steps and classes come to, how they are shown, what is refused.

use super::compiled::scenario;
use super::{read, with_steps};
use crate::scenario::show;
use crate::scenario::step::Step;
use crate::scenario::step::websocket::{MessageMatch, Payload, SocketAction, SocketStep};

fn step(text: &str) -> SocketStep {
    let scenario = scenario(&with_steps(text));
    match &scenario.classes[0].actions[0].steps[0] {
        Step::WebSocket(step) => (**step).clone(),
        other => panic!("{other:?}"),
    }
}

fn with_class(lines: &str) -> String {
    format!(
        "[[user]]\nname = \"A\"\n[user.websocket]\n{lines}\n[[user.task]]\nname = \"t\"\nsteps = [{{ ws = {{ ping = true }} }}]\n"
    )
}

#[test]
fn bytes_are_decoded_once() {
    for text in ["hex = \"00fF\"", "base64 = \"AP8=\""] {
        let SocketAction::Send(Payload::Binary(bytes)) =
            step(&format!("{{ ws = {{ send = {{ {text} }} }} }}")).action
        else {
            panic!("{text}")
        };
        assert_eq!(&*bytes, [0, 255], "{text}");
    }
}

#[test]
fn times_come_from_the_step_the_websocket_and_the_user() {
    let timeout = |lines: &str, step: &str| {
        let text = format!(
            "timeout = 9\n[[user]]\nname = \"A\"\n{lines}\n[[user.task]]\nname = \"t\"\nsteps = [{{ ws = {{ ping = true }}{step} }}]\n"
        );
        let scenario = scenario(&text);
        let Step::WebSocket(step) = &scenario.classes[0].actions[0].steps[0] else { panic!() };
        step.timeout.unwrap().as_secs()
    };
    assert_eq!(timeout("", ""), 9);
    assert_eq!(timeout("timeout = 8", ""), 8);
    assert_eq!(timeout("timeout = 8\n[user.websocket]\ntimeout = 7", ""), 7);
    assert_eq!(timeout("[user.websocket]\ntimeout = 7", ", timeout = 6"), 6);
}

#[test]
fn a_message_that_is_meant_may_need_several_values() {
    let text = "{ ws = { recv = { json = { \"/a\" = 1, \"/b\" = \"${counter}\" } } } }";
    let SocketAction::Recv(matcher) = step(text).action else { panic!() };
    assert_eq!(matcher.to_string(), "a message with /a = 1 and /b = \"${counter}\"");
    assert!(matches!(
        step("{ ws = { recv = true } }").action,
        SocketAction::Recv(MessageMatch::Any)
    ));
}

#[test]
fn what_is_done_is_shown() {
    let text = r#"
[[user]]
name = "A"
headers = { X = "1" }
[user.websocket]
type = "chat"
compress = true
echo = { json = { "/type" = "keepalive" } }
on_message = [{ match = { matches = "^a" }, name = "as", sent_at = "/t", answer = { json = [1] } }, { correlation = "/id" }]
[[user.task]]
name = "t"
steps = [
  { ws = { connect = "/a?b", subprotocols = ["p", "q"] }, query = { c = 1 }, auth = { bearer = "t" }, timeout = 2 },
  { ws = { send = "x\n" }, count = false },
  { ws = { request = { json = { id = "${uuid}" } }, reply = { correlation = { sent = "/id", received = "/re" } } }, name = "ask", type = "T" },
  { ws = { request = { hex = "00" } } },
  { ws = { recv = true } },
  { ws = { ping = true }, name = "p${counter}" },
  { ws = { close = { code = 3000, reason = "why" } } },
]
"#;
    let shown = show(&scenario(text));
    let lines: Vec<&str> = shown.lines().map(str::trim).collect();
    assert_eq!(
        lines[1..],
        [
            "offers compression of WebSockets",
            "sends back a message with /type = \"keepalive\"",
            "counts a message that matches ^a as chat as, sent at its /t",
            "answers json [1]",
            "counts any message as chat push, since a message was sent whose /id is its /id",
            "t (weight 1)",
            "chat connect /a?b&c=1, for up to 2 s, as connect",
            "X: 1",
            "bearer t",
            "subprotocols p, q",
            "chat send x\\n",
            "T send json {\"id\":\"${uuid}\"}, and receive a message whose /re is the /id sent, as ask",
            "chat send 1 bytes, and receive the next message, as message",
            "chat receive any message",
            "chat ping, as p${counter}",
            "chat close with 3000: why",
        ]
    );
}

#[test]
fn steps_that_cannot_be_done_are_refused() {
    for (step, expected) in [
        ("{ ws = \"connect\" }", "6:8: \"ws\" wants a table in { }, not a string"),
        (
            "{ ws = {} }",
            "6:8: a WebSocket step has one of connect, send, recv, request, ping, close",
        ),
        (
            "{ ws = { conect = \"/\" } }",
            "6:10: unknown key \"conect\" in a WebSocket step; did you mean \"connect\"?",
        ),
        (
            "{ ws = { send = \"a\", recv = true } }",
            "6:29: a step does one thing: \"send\" or \"recv\", each in a step of its own",
        ),
        (
            "{ ws = { connect = \"http://h/\" } }",
            "6:20: \"http://h/\" is no URL of a WebSocket: begin it with / for a path on the host, or with ws:// or wss://",
        ),
        (
            "{ ws = { connect = \"/\" }, headers = { Upgrade = \"x\" } }",
            "6:39: \"Upgrade\" is for the handshake to say; leave it out",
        ),
        (
            "{ ws = { connect = \"/\", subprotocols = [\"a b\"] } }",
            "6:40: \"a b\" is not a subprotocol, or is offered twice",
        ),
        (
            "{ ws = { send = { jsn = 1 } } }",
            "6:19: unknown key \"jsn\" in a message; did you mean \"json\"?",
        ),
        (
            "{ ws = { send = {} } }",
            "6:17: \"send\" is text, or one of { json = .. }, { base64 = \"..\" }, { hex = \"..\" } and { file = \"..\" }",
        ),
        ("{ ws = { send = { hex = \"0\" } } }", "6:25: \"0\" is no hex"),
        ("{ ws = { send = { base64 = \"?\" } } }", "6:28: \"?\" is no base64"),
        ("{ ws = { send = 1 } }", "6:17: \"send\" wants a string, not a number"),
        ("{ ws = { recv = false } }", "6:17: \"recv\" = false does nothing; leave it out"),
        (
            "{ ws = { recv = { correlation = \"/id\" } } }",
            "6:19: unknown key \"correlation\" in what tells a message",
        ),
        (
            "{ ws = { recv = { json = { id = 1 } } } }",
            "6:28: \"id\" is no JSON pointer; did you mean \"/id\"?",
        ),
        (
            "{ ws = { recv = { json = {} } } }",
            "6:26: \"json\" names no value that tells the message",
        ),
        (
            "{ ws = { recv = {} } }",
            "6:17: a message is known by { json = { \"/pointer\" = value } } or { matches = \"regex\" }",
        ),
        (
            "{ ws = { recv = true }, expect = { status = 200 } }",
            "6:34: a message has no status and no headers to expect",
        ),
        (
            "{ ws = { recv = true }, extract = { a = \"header:x\" } }",
            "6:35: of a message there is json:/POINTER, regex:PATTERN or body to extract",
        ),
        ("{ ws = { send = \"a\" }, expect = {} }", "6:24: unknown key \"expect\" in a step"),
        (
            "{ ws = { close = { code = 1005 } } }",
            "6:27: \"code\" is 1005, which no close frame may carry: 1000-1003, 1007-1014 and 3000-4999 can be sent",
        ),
        (
            "{ ws = { close = 1000 } }",
            "6:18: \"close\" wants true, or { code = 1000, reason = \"..\" }",
        ),
        ("{ ws = { ping = \"x\" } }", "6:17: \"ping\" wants true"),
        (
            "{ ws = { ping = true }, count = false, name = \"a\" }",
            "6:33: \"count\" = false beside a \"name\" to count under",
        ),
        (
            "{ ws = { ping = true }, count = true }",
            "6:33: \"count\" = true says nothing; leave it out",
        ),
        ("{ wss = { ping = true } }", "6:1: unknown key \"wss\" in a step; did you mean \"ws\"?"),
    ] {
        assert_refused(&with_steps(step), expected);
    }
    let long = format!("{{ ws = {{ close = {{ reason = \"{}\" }} }} }}", "x".repeat(124));
    let expected = "6:29: \"reason\" has 124 bytes, a close frame has room for 123";
    assert_refused(&with_steps(&long), expected);
}

#[test]
fn classes_that_make_no_sense_are_refused() {
    for (lines, expected) in [
        ("typ = \"x\"", "4:1: unknown key \"typ\" in [user.websocket]; did you mean \"type\"?"),
        (
            "names = { pushes = \"x\" }",
            "4:11: unknown key \"pushes\" in the names of a WebSocket; did you mean \"push\"?",
        ),
        (
            "echo = { json = { \"/a\" = \"${counter}\" } }",
            "4:8: \"echo\" is the same for all users: of placeholders it may have ${env.NAME} alone",
        ),
        (
            "on_message = [{ sent_at = \"/t\", correlation = \"/id\" }]",
            "4:47: a message's time is told by \"sent_at\" or by \"correlation\"",
        ),
        (
            "on_message = [{ mach = {} }]",
            "4:17: unknown key \"mach\" in a rule for messages; did you mean \"match\"?",
        ),
    ] {
        assert_refused(&with_class(lines), expected);
    }
    assert_refused(
        "[[user]]\nname = \"A\"\nwebsocket = {}\n[[user.task]]\nname = \"t\"\nsteps = [{ get = \"/\" }]\n",
        "3:1: no step of this user uses a WebSocket; { ws = { connect = \"/path\" } } does",
    );
}

#[test]
fn hosts_may_be_of_websockets() {
    let file =
        |host: &str| format!("host = \"{host}\"\n{}", with_steps("{ ws = { ping = true } }"));
    assert_eq!(scenario(&file("wss://h/x")).host.as_deref(), Some("wss://h/x"));
    assert_refused(
        &file("ftp://h"),
        "1:8: \"host\" is \"ftp://h\", which is no http://, https://, ws:// or wss:// URL",
    );
}

#[track_caller]
fn assert_refused(file: &str, expected: &str) {
    let problems = read(file).expect_err(file);
    let lines: Vec<String> = problems.all().iter().map(ToString::to_string).collect();
    assert_eq!(lines.join("\n").replace("shop.toml:", ""), expected, "{file}");
}
