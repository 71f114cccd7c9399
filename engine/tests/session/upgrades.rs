//! WebSockets made from a session: where they lead, and what they know of the user.

use loadr_engine::client::websocket::WebSocketOptions;
use loadr_engine::outcome::FailureKind;

use crate::world::{response, run};

#[test]
fn a_websocket_goes_where_the_session_goes_with_its_cookies_and_credentials() {
    let ran = run(
        |user| {
            Box::pin(async move {
                let session = user.session;
                session.get("/login").send().await;
                for url in ["/ws?room=1", "ws://shop/own", "ws://other:81/"] {
                    let socket = session.websocket(url, WebSocketOptions::default());
                    let refused = socket.expect("a place").connect().await;
                    let refused = refused.expect_err("the target knows HTTP alone");
                    assert_eq!(refused.kind, FailureKind::Status);
                }
                for url in ["ws://", "ws://shop:99999/"] {
                    let failed = session.websocket(url, WebSocketOptions::default());
                    let failed = failed.expect_err("no place");
                    assert!(failed.message.contains("URL is malformed"), "{url}: {failed}");
                }
                let own = WebSocketOptions {
                    headers: vec![("Sec-WebSocket-Key".to_owned(), "x".to_owned())],
                    ..WebSocketOptions::default()
                };
                let failed = session.websocket("/", own).expect_err("the handshake's own field");
                assert!(failed.message.starts_with("header field Sec-WebSocket-Key is set by"));
            })
        },
        |_| response(400, "Set-Cookie: id=7; Path=/\r\n", b""),
    );
    let upgrades = &ran.seen[1..];
    let lines: Vec<_> = upgrades.iter().map(|seen| seen.line()).collect();
    let expected = ["GET /api/ws?room=1 HTTP/1.1", "GET /own HTTP/1.1", "GET / HTTP/1.1"];
    assert_eq!(lines, expected);
    let fields = |name| upgrades.iter().map(|seen| seen.field(name)).collect::<Vec<_>>();
    assert_eq!(fields("Host"), [Some("shop"), Some("shop"), Some("other:81")]);
    assert_eq!(fields("Cookie"), [Some("id=7"), Some("id=7"), None]);
    let basic = Some("Basic dXNlcjpwQHNz");
    assert_eq!(fields("Authorization"), [basic, basic, None]);
    assert_eq!(
        ran.entries().iter().find(|entry| entry.1 == "connect").map(|e| (e.2, e.3)),
        Some((3, 3))
    );
}
