//! Which connection a call is made on, and what becomes of it.

use std::time::Duration;

use loadr_engine::record::EntryKind;

use crate::world::{Reply, World, response, response_bytes, run};

fn ok() -> Reply {
    response(200, "", b"ok")
}

#[test]
fn a_connection_closed_while_idle_is_found_out_before_it_is_used() {
    let ran = run(
        |user| {
            Box::pin(async move {
                for _ in 0..3 {
                    assert_eq!(user.session.post("/").body("x").send().await.status(), 200);
                    user.context.sleep(Duration::from_secs(1)).await;
                }
            })
        },
        |_| Reply::SendAndClose(response_bytes(200, "", b"ok")),
    );
    assert_eq!(ran.connections(), [0, 1, 2]);
    assert_eq!(ran.entries(), [("POST", "/api/", 3, 0)]);
}

/// The target closes just as the next request comes.
#[test]
fn a_race_with_the_targets_close_is_run_again_where_that_does_no_harm() {
    let ran = run(
        |user| {
            Box::pin(async move {
                let session = user.session;
                assert_eq!(session.get("/1").name("n").send().await.status(), 200);
                assert_eq!(session.get("/2").name("n").send().await.status(), 200);
                let lost = session.post("/3").name("n").send().await;
                assert_eq!(
                    lost.error().map(|f| &*f.message),
                    Some("connection closed before a response")
                );
                // On a fresh connection the first close is the target's answer.
                let refused = session.get("/4").name("n").send().await;
                assert_eq!(refused.status(), 0);
            })
        },
        |seen| match seen.index {
            1 | 3 | 4 => Reply::Close,
            _ => ok(),
        },
    );
    let lines = ran.lines();
    let paths: Vec<_> = lines.iter().map(|line| line.split(' ').nth(1).unwrap_or("")).collect();
    assert_eq!(paths, ["/api/1", "/api/2", "/api/2", "/api/3", "/api/4"]);
    assert_eq!(ran.connections(), [0, 0, 1, 1, 2]);
    assert_eq!(ran.entries(), [("GET", "n", 3, 1), ("POST", "n", 1, 1)]);
}

#[test]
fn half_a_response_is_not_asked_for_again() {
    let ran = run(
        |user| {
            Box::pin(async move {
                user.session.get("/").send().await;
                assert_eq!(user.session.get("/").send().await.status(), 0);
            })
        },
        |seen| match seen.index {
            0 => ok(),
            _ => Reply::SendAndClose(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".to_vec()),
        },
    );
    assert_eq!(ran.seen.len(), 2);
    let cut = "connection closed inside a response body: 4 of 9 bytes received";
    assert_eq!(ran.failures(), [(cut, 1)]);
}

#[test]
fn an_exchange_dropped_midway_takes_its_connection_along() {
    let ran = run(
        |user| {
            Box::pin(async move {
                let (session, context) = (&user.session, &user.context);
                session.get("/first").send().await;
                let slow = async { drop(session.get("/slow").send().await) };
                let patience = context.sleep(Duration::from_millis(10));
                futures_lite::future::or(slow, patience).await;
                let response = session.get("/after").send().await;
                assert_eq!(response.text(), "ok");
            })
        },
        |seen| match seen.index {
            1 => Reply::Silence,
            _ => ok(),
        },
    );
    assert_eq!(ran.connections(), [0, 0, 1]);
    // The task gave it up, not the end of the run.
    assert_eq!(ran.outcome.cut_off, 0);
}

#[test]
fn a_timeout_is_over_the_whole_call_and_ends_the_connection() {
    let ran = run(
        |user| {
            Box::pin(async move {
                let call = user.session.get("/a").timeout(Duration::from_millis(100)).name("n");
                let response = call.send().await;
                assert_eq!(response.elapsed(), Duration::from_millis(100));
                assert_eq!(user.session.get("/b").name("n").send().await.status(), 200);
            })
        },
        |seen| match seen.index {
            0 => response(307, "Location: /b\r\n", b""),
            1 => Reply::Silence,
            _ => ok(),
        },
    );
    assert_eq!(ran.failures(), [("no complete response within 100ms", 1)]);
    assert_eq!(ran.connections(), [0, 0, 1]);
}

#[test]
fn connections_end_where_either_side_says_so() {
    let ran = run(
        |user| {
            Box::pin(async move {
                let session = user.session;
                session.get("/").keep_alive(false).send().await;
                session.get("/").send().await;
                session.get("/").send().await;
            })
        },
        |seen| match seen.index {
            0 => Reply::SendAndClose(response_bytes(200, "", b"ok")),
            1 => Reply::SendAndClose(response_bytes(200, "Connection: close\r\n", b"ok")),
            _ => ok(),
        },
    );
    assert_eq!(ran.seen[0].field("Connection"), Some("close"));
    assert_eq!(ran.seen[1].field("Connection"), None);
    assert_eq!(ran.connections(), [0, 1, 2]);
}

#[test]
fn calls_at_the_same_time_have_connections_of_their_own() {
    let ran = run(
        |user| {
            Box::pin(async move {
                let session = &user.session;
                let both =
                    || futures_lite::future::zip(session.get("/").send(), session.get("/").send());
                both().await;
                both().await;
            })
        },
        |_| ok(),
    );
    let mut connections = ran.connections();
    connections.sort_unstable();
    assert_eq!(connections, [0, 0, 1, 1]);
}

#[test]
fn a_target_that_refuses_does_not_spin_a_core() {
    let world = World {
        run_time: Duration::from_secs(10),
        listens: false,
        ends: false,
        ..World::default()
    };
    let ran = world.run(
        |user| {
            Box::pin(async move {
                loop {
                    let response = user.session.get("/").send().await;
                    assert_eq!(
                        response.elapsed(),
                        Duration::from_millis(1),
                        "the rest is no part of it"
                    );
                }
            })
        },
        |_| ok(),
    );
    let [(text, count)] = ran.failures()[..] else { panic!("{:?}", ran.failures()) };
    // Ten waits to reach a second, and then between one and two a second.
    assert_eq!(text, "connection refused");
    assert!((15..=40).contains(&count), "{count} attempts");
    let connects = ran.outcome.entries.iter().find(|entry| entry.key.kind == EntryKind::Connection);
    assert_eq!(connects.map(|entry| entry.counts.requests), Some(count));
}
