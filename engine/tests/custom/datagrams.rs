//! Datagrams: loss, order, lengths, refusals, deadlines, drops.

use std::time::Duration;

use futures_lite::future;
use loadr_engine::outcome::FailureKind;
use loadr_engine::runtime::sim::{DatagramPeer, LinkOptions};

use crate::world::{Life, MILLISECOND_NS, NOBODY, TARGET, TIMEOUT, World};

fn echo(peer: DatagramPeer) -> Life {
    Box::pin(async move {
        while let Some(datagram) = peer.recv().await {
            peer.send(&datagram);
        }
    })
}

#[test]
fn datagrams_come_back_whole() {
    let world = World { serve_datagrams: echo, ..World::default() };
    world.run(|context| {
        Box::pin(async move {
            let mut socket = context.udp(TARGET).await.expect("a socket");
            for length in [0, 1, 2_048] {
                let datagram = vec![7; length];
                socket.send(&datagram).await.expect("it is sent");
                assert_eq!(socket.recv().await.expect("it comes back"), datagram);
            }
        })
    });
}

#[test]
fn a_lost_datagram_is_a_timeout_and_the_socket_goes_on() {
    for seed in 0..10 {
        let links = LinkOptions { lost_per_million: 200_000, ..LinkOptions::default() };
        let world = World { seed, links, serve_datagrams: echo, ..World::default() };
        world.run(|context| {
            Box::pin(async move {
                let mut socket = context.udp(TARGET).await.expect("a socket");
                let mut lost = 0;
                for number in 0..50_u8 {
                    socket.send(&[number]).await.expect("it is sent");
                    let start_ns = context.now_ns();
                    match socket.recv_within(Duration::from_millis(10)).await {
                        Ok(datagram) => assert_eq!(datagram, [number]),
                        Err(failure) => {
                            let late = (FailureKind::Timeout, "no complete response within 10ms");
                            assert_eq!((failure.kind, &*failure.message), late);
                            assert_eq!(context.now_ns() - start_ns, 10 * MILLISECOND_NS);
                            lost += 1;
                        }
                    }
                }
                // Two ways, a fifth lost on each: 18 of 50 are expected.
                assert!((5..=35).contains(&lost), "{lost} of 50 lost");
            })
        });
    }
}

#[test]
fn datagrams_overtake_each_other() {
    let latency_ns = MILLISECOND_NS..=50 * MILLISECOND_NS;
    let links = LinkOptions { latency_ns, ..LinkOptions::default() };
    let world = World { links, serve_datagrams: echo, ..World::default() };
    world.run(|context| {
        Box::pin(async move {
            let mut socket = context.udp(TARGET).await.expect("a socket");
            for number in 0..20 {
                socket.send(&[number]).await.expect("it is sent");
            }
            let mut heard = Vec::new();
            while heard.len() < 20 {
                heard.push(socket.recv().await.expect("it comes")[0]);
            }
            assert!(!heard.is_sorted(), "{heard:?}");
            heard.sort_unstable();
            assert!(heard.into_iter().eq(0..20), "each once");
        })
    });
}

#[test]
fn a_datagram_without_room_is_told_with_both_lengths() {
    let world = World { serve_datagrams: echo, ..World::default() };
    world.run(|context| {
        Box::pin(async move {
            let socket = context.udp(TARGET).await.expect("a socket");
            let mut socket = socket.with_datagram_bytes_max(100);
            socket.send(&[0; 101]).await.expect("it is sent");
            let failure = socket.recv().await.expect_err("it is too long");
            assert_eq!(failure.kind, FailureKind::Protocol);
            assert_eq!(failure.message, "datagram of 101 bytes where 100 have room");
            socket.send(&[0; 100]).await.expect("it is sent");
            assert_eq!(socket.recv().await.expect("it has room").len(), 100);
        })
    });
}

#[test]
fn nobody_listening_is_a_refusal() {
    World::default().run(|context| {
        Box::pin(async move {
            let mut socket = context.udp(NOBODY).await.expect("a socket");
            socket.send(b"x").await.expect("nothing is known yet");
            let failure = socket.recv_within(TIMEOUT).await.expect_err("nobody is there");
            assert_eq!(failure.kind, FailureKind::ConnectRefused);
        })
    });
}

#[test]
fn a_wait_that_is_dropped_loses_nothing() {
    let world = World { serve_datagrams: echo, ..World::default() };
    world.run(|context| {
        Box::pin(async move {
            let mut socket = context.udp(TARGET).await.expect("a socket");
            socket.send(b"x").await.expect("it is sent");
            for _ in 0..10 {
                let patience = context.sleep(Duration::from_micros(100));
                future::or(async { drop(socket.recv_within(TIMEOUT).await) }, patience).await;
            }
            // The deadline of the last one passes with nobody waiting, and is not the next one's.
            context.sleep(2 * TIMEOUT).await;
            assert_eq!(socket.recv().await.expect("it is there"), b"x");
        })
    });
}

#[test]
fn the_end_of_the_run_ends_a_wait() {
    let run_time = Duration::from_secs(2);
    let world = World { run_time, ends: false, ..World::default() };
    let ran = world.run(|context| {
        Box::pin(async move {
            let mut socket = context.udp(TARGET).await.expect("a socket");
            let _ = socket.recv().await;
        })
    });
    assert_eq!(ran.failures(), []);
}
