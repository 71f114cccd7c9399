//! The examples with WebSockets, against the bundled target, whose own counts must be ours.

use loadr_target::{RouteKind, TargetStats};
use loadr_tests::program::{Finished, Invocation, example};
use loadr_tests::saved::Saved;
use loadr_tests::{start_target, workspace_root};

/// Runs an example with `flags` against a target of its own.
#[track_caller]
fn travel(file: &str, scheme: &str, flags: &str) -> (Finished, Saved, TargetStats) {
    let target = start_target();
    let path = workspace_root().join("harness/examples").join(file);
    let host = format!("{scheme}://{}", target.local_addr());
    let invocation = Invocation::new(["-f".as_ref(), path.as_os_str()]).and(["-H", &host]);
    let (finished, saved) =
        invocation.and(flags.split_whitespace()).and(["--only-summary"]).run_saved();
    finished.expect_code(0);
    saved.expect_consistent();
    assert_eq!((saved.failures(), saved.cut_off()), (0, 0), "{finished}");
    (finished, saved, target.stop().expect("it served"))
}

/// Requests counted under a type and a name.
fn count(saved: &Saved, kind: &str, name: &str) -> u64 {
    let entries = saved["entries"].as_array().expect("a list");
    let mut entries =
        entries.iter().filter(|entry| entry["method"] == kind && entry["name"] == name);
    entries.next().map_or(0, |entry| entry["requests"].as_u64().expect("a count"))
}

#[test]
fn a_chat_with_pushes_and_keep_alives() {
    let (finished, saved, stats) = travel("websocket.toml", "http", "-u 12 -r 100 -i 60");
    let ours = |name| count(&saved, "WS", name);
    let connected = ours("connect");
    let (chats, idle) =
        (stats.served(RouteKind::WebSocket), stats.served(RouteKind::WebSocketKeepalive));
    let listens = stats.served(RouteKind::WebSocketPush);
    assert_eq!((connected, ours("subscribe")), (chats + idle, listens), "{finished}");
    assert_eq!(chats + idle + listens, 60, "{finished}");
    assert!(chats > 0 && idle > 0 && listens > 0, "{finished}");
    assert_eq!(ours("say") + ours("send"), stats.messages(RouteKind::WebSocket), "{finished}");
    assert_eq!((ours("say"), ours("hear"), ours("ping")), (chats, chats, chats), "{finished}");
    assert_eq!(ours("news"), stats.pushes(RouteKind::WebSocketPush), "{finished}");
    assert_eq!(ours("news"), 10 * listens, "{finished}");
    assert_eq!(ours("kept alive"), stats.messages(RouteKind::WebSocketKeepalive), "{finished}");
    assert_eq!((ours("kept alive"), ours("push")), (idle, 0), "{finished}");
    assert_eq!(count(&saved, "POST", "/login"), 4, "{finished}");
}

#[test]
fn the_classic_example() {
    let (finished, saved, stats) = travel("websocket_keepalive.toml", "ws", "-t 6s");
    assert_eq!((count(&saved, "websockt", "urlweb"), saved.requests()), (10, 10), "{finished}");
    assert_eq!(stats.served(RouteKind::WebSocketKeepalive), 10, "{finished}");
    let answered = stats.messages(RouteKind::WebSocketKeepalive);
    let pushed = stats.pushes(RouteKind::WebSocketKeepalive);
    // Each was sent back, but for one that was under way at the end.
    assert!(answered >= 30 && (answered..=answered + 10).contains(&pushed), "{answered} {pushed}");
    let table = finished.stdout.lines().find(|line| line.contains("websockt"));
    assert!(table.is_some_and(|line| line.contains("urlweb")), "{finished}");
}

#[test]
fn the_user_in_rust() {
    let target = start_target();
    let host = format!("ws://{}", target.local_addr());
    let flags = ["-u", "5", "-r", "100", "-i", "60", "-s", "5s", "--only-summary"];
    let invocation = Invocation::of(example("websocket"), ["-H", &host]).and(flags);
    let (finished, saved) = invocation.run_saved();
    finished.expect_code(0);
    saved.expect_consistent();
    let stats = target.stop().expect("it served");
    let ours = |name| count(&saved, "WS", name);
    assert_eq!((ours("connect"), ours("ask") + ours("ping")), (5, 60), "{finished}");
    assert_eq!(stats.served(RouteKind::WebSocketPush), 5, "{finished}");
    assert_eq!(ours("ask"), stats.messages(RouteKind::WebSocketPush), "{finished}");
    let (news, pushed) = (ours("news"), stats.pushes(RouteKind::WebSocketPush));
    // What was under way when a user said goodbye is counted by nobody here.
    assert!(news > 0 && (news..=news + 5).contains(&pushed), "{news} of {pushed}\n{finished}");
}
