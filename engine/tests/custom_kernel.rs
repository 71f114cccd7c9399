//! Streams and datagram sockets of a test's own, on every runtime of a kernel.

#![cfg(not(loadr_loom))]

use std::future::Future;
use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use futures_lite::future;
use loadr_engine::coordinator::{EndedBy, Phase, RunPlan};
use loadr_engine::outcome::FailureKind;
use loadr_engine::record::EntryKind;
use loadr_engine::run::Run;
use loadr_engine::runtime::RuntimeKind;
use loadr_engine::spawn::dispatch::ClassShare;
use loadr_engine::stream::Stream;
use loadr_engine::user::{Context, ShardContext, UserClass, UserLife, Workload};

/// Far longer than any of this takes.
const PATIENCE: Duration = Duration::from_secs(20);

type Life = Pin<Box<dyn Future<Output = ()>>>;
/// What a user does with the address that the test gives it.
type Deed = fn(Context, String) -> Life;

struct Users {
    deed: Deed,
    address: String,
    done: mpsc::Sender<()>,
}

struct Class {
    deed: Deed,
    address: String,
    done: mpsc::Sender<()>,
}

impl Workload for Users {
    fn classes(&self) -> Vec<ClassShare> {
        vec![ClassShare { name: "User".to_owned(), weight: 1.0, fixed_count: 0 }]
    }

    fn prepare(&self, _: &ShardContext) -> Vec<Rc<dyn UserClass>> {
        let (address, done) = (self.address.clone(), self.done.clone());
        vec![Rc::new(Class { deed: self.deed, address, done })]
    }
}

impl UserClass for Class {
    fn start(self: Rc<Self>, context: Context) -> UserLife {
        let life = (self.deed)(context, self.address.clone());
        UserLife::new(async move {
            life.await;
            self.done.send(()).expect("the test waits");
        })
    }
}

/// Has `users` users do `deed`, all to their ends; gives the connections counted by their names.
fn run(runtime: RuntimeKind, users: u64, address: String, deed: Deed) -> Vec<(String, u64)> {
    let (done, is_done) = mpsc::channel();
    let plan = RunPlan::new(users, vec![None], runtime);
    let mut run = Run::launch(plan, Arc::new(Users { deed, address, done })).expect("it starts");
    let mut left = users;
    while left > 0 && run.elapsed() < PATIENCE {
        run.step();
        thread::sleep(Duration::from_millis(1));
        left -= is_done.try_iter().count() as u64;
    }
    run.stop(EndedBy::Signal);
    while !matches!(run.phase(), Phase::Ended) {
        run.step();
        thread::sleep(Duration::from_millis(1));
    }
    let outcome = run.finish();
    assert_eq!(left, 0, "users that came to no end: {:?}", outcome.errors);
    assert_eq!(outcome.shards[0].panicked, None);
    let connections =
        outcome.entries.iter().filter(|entry| entry.key.kind == EntryKind::Connection);
    connections.map(|entry| (entry.key.name.to_string(), entry.counts.requests)).collect()
}

fn on_each(test: fn(RuntimeKind)) {
    for runtime in RuntimeKind::NATIVE {
        println!("{runtime}");
        test(runtime);
    }
}

fn copy(mut stream: impl Read + Write) {
    let mut piece = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut piece) {
        if stream.write_all(&piece[..count]).is_err() {
            return;
        }
    }
}

/// Serves an echo by TCP on a free port.
fn echo_tcp() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            thread::spawn(move || copy(stream));
        }
    });
    port
}

/// Serves an echo by UDP on a free port; a datagram that begins with a 0 is not answered.
fn echo_udp() -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let address = socket.local_addr().expect("an address").to_string();
    thread::spawn(move || {
        let mut datagram = vec![0; 65_536];
        while let Ok((count, from)) = socket.recv_from(&mut datagram) {
            if datagram[..count].first() != Some(&0) {
                socket.send_to(&datagram[..count], from).expect("it is sent");
            }
        }
    });
    address
}

async fn converse(stream: Stream) {
    let (mut read, mut write) = stream.into_split();
    for _ in 0..10 {
        write.write_all(Bytes::from_static(b"hello")).await.expect("it is open");
        while read.buffer().len() < 5 {
            read.fill().await.expect("it is open");
        }
        assert_eq!(read.buffer().take(5), b"hello");
    }
}

#[test]
fn tcp_streams_open_to_literals_and_to_names() {
    on_each(|runtime| {
        let port = echo_tcp();
        let by_address = run(runtime, 3, format!("127.0.0.1:{port}"), |context, address| {
            Box::pin(async move { converse(context.tcp(address).await.expect("it listens")).await })
        });
        assert_eq!(by_address, [(format!("127.0.0.1:{port}"), 3)]);
        // One look-up serves all: those that come later find what it found.
        let by_name = run(runtime, 100, format!("localhost:{port}"), |context, address| {
            Box::pin(async move { converse(context.tcp(address).await.expect("it listens")).await })
        });
        assert_eq!(by_name, [(format!("localhost:{port}"), 100)]);
    });
}

#[test]
fn unix_streams_open() {
    on_each(|runtime| {
        let folder = std::env::temp_dir().join(format!("loadr-custom-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let path: PathBuf = folder.join(format!("{runtime}.sock"));
        let listener = UnixListener::bind(&path).expect("a socket");
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                thread::spawn(move || copy(stream));
            }
        });
        let path = path.display().to_string();
        let connections = run(runtime, 2, path.clone(), |context, path| {
            Box::pin(async move { converse(context.unix(path).await.expect("it listens")).await })
        });
        assert_eq!(connections, [(format!("unix:{path}"), 2)]);
        std::fs::remove_file(&path).expect("it is there");
        let _ = std::fs::remove_dir(&folder);
    });
}

#[test]
fn a_name_that_does_not_resolve_is_told() {
    on_each(|runtime| {
        run(runtime, 5, "nobody.invalid:80".to_owned(), |context, address| {
            Box::pin(async move {
                let failure = context.tcp(&address).await.map(drop).expect_err("no such name");
                assert_eq!(failure.kind, FailureKind::ConnectFailed);
                let said = "cannot resolve 'nobody.invalid:80': ";
                assert!(failure.message.starts_with(said), "{failure}");
            })
        });
    });
}

#[test]
fn datagrams_go_and_come_back() {
    on_each(|runtime| {
        let connections = run(runtime, 10, echo_udp(), |context, address| {
            Box::pin(async move {
                let mut socket = context.udp(&address).await.expect("a socket");
                for number in 1..=50_u8 {
                    let datagram = vec![number; usize::from(number) * 20];
                    socket.send(&datagram).await.expect("it is sent");
                    let received = socket.recv_within(PATIENCE).await.expect("it comes back");
                    assert_eq!(received, datagram);
                }
                // Several at once, which are there together.
                for number in 1..=20_u8 {
                    socket.send(&[number]).await.expect("it is sent");
                }
                context.sleep(Duration::from_millis(50)).await;
                for number in 1..=20_u8 {
                    assert_eq!(socket.recv().await.expect("it comes back"), [number]);
                }
            })
        });
        assert_eq!(connections, [], "datagrams make no connections");
    });
}

#[test]
fn a_datagram_that_never_comes_is_given_up_and_the_socket_goes_on() {
    on_each(|runtime| {
        run(runtime, 3, echo_udp(), |context, address| {
            Box::pin(async move {
                let mut socket = context.udp(&address).await.expect("a socket");
                for _ in 0..3 {
                    socket.send(&[0]).await.expect("it is sent");
                    let start_ns = context.now_ns();
                    let late = socket.recv_within(Duration::from_millis(20)).await;
                    assert_eq!(late.expect_err("no answer").kind, FailureKind::Timeout);
                    let took_ms = (context.now_ns() - start_ns) / 1_000_000;
                    assert!((20..2_000).contains(&took_ms), "{took_ms} ms");
                    socket.send(&[1, 2]).await.expect("it is sent");
                    assert_eq!(socket.recv_within(PATIENCE).await.expect("an answer"), [1, 2]);
                }
            })
        });
    });
}

#[test]
fn a_dropped_wait_leaves_the_datagram_for_the_next() {
    on_each(|runtime| {
        run(runtime, 3, echo_udp(), |context, address| {
            Box::pin(async move {
                let mut socket = context.udp(&address).await.expect("a socket");
                for _ in 0..3 {
                    let midway = async { drop(socket.recv().await) };
                    future::or(midway, context.sleep(Duration::from_millis(5))).await;
                    socket.send(&[3]).await.expect("it is sent");
                    assert_eq!(socket.recv_within(PATIENCE).await.expect("an answer"), [3]);
                }
            })
        });
    });
}

#[test]
fn a_refused_datagram_is_told_in_words() {
    on_each(|runtime| {
        // A port that was just free: nobody listens there.
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let address = socket.local_addr().expect("an address").to_string();
        drop(socket);
        run(runtime, 1, address, |context, address| {
            Box::pin(async move {
                let mut socket = context.udp(&address).await.expect("a socket");
                socket.send(b"x").await.expect("nothing is known yet");
                let failure = socket.recv_within(PATIENCE).await.expect_err("nobody is there");
                assert_eq!(failure.kind, FailureKind::ConnectRefused, "{failure}");
                assert!(failure.message.starts_with("nobody listens"), "{failure}");
            })
        });
    });
}

#[test]
fn a_datagram_without_room_and_one_that_is_no_datagram_are_told() {
    on_each(|runtime| {
        run(runtime, 1, echo_udp(), |context, address| {
            Box::pin(async move {
                let socket = context.udp(&address).await.expect("a socket");
                let mut socket = socket.with_datagram_bytes_max(1_000);
                socket.send(&[1; 1_234]).await.expect("it is sent");
                let failure = socket.recv_within(PATIENCE).await.expect_err("it is too long");
                assert_eq!(failure.message, "datagram of 1234 bytes where 1000 have room");
                let failure = socket.send(&[1; 70_000]).await.expect_err("no datagram is longer");
                assert_eq!(failure.message, "request too long for one datagram");
                socket.send(&[1; 1_000]).await.expect("it is sent");
                assert_eq!(socket.recv_within(PATIENCE).await.expect("it fits").len(), 1_000);
            })
        });
    });
}

/// A user that waits without a bound is no reason for a run not to end.
#[test]
fn waits_for_datagrams_end_with_the_run() {
    on_each(|runtime| {
        run(runtime, 2, echo_udp(), |context, address| {
            Box::pin(async move {
                let mut socket = context.udp(&address).await.expect("a socket");
                context.background(async move |_: Context| drop(socket.recv().await));
            })
        });
    });
}
