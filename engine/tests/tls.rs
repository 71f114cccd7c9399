//! TLS inside of a stream, in the simulation: rustls's server at the far end, links that cut records anywhere.

#![cfg(not(loadr_loom))]

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_lite::future;
use loadr_engine::client::endpoint::Endpoint;
use loadr_engine::client::session::{
    KnownHosts, Origins, Session, SessionOptions, SessionSettings,
};
use loadr_engine::coordinator::RunPlan;
use loadr_engine::outcome::{Failure, FailureKind};
use loadr_engine::record::EntryKind;
use loadr_engine::run::simulate;
use loadr_engine::runtime::sim::{LinkOptions, Peer, Simulation};
use loadr_engine::runtime::{Address, RuntimeKind};
use loadr_engine::spawn::dispatch::ClassShare;
use loadr_engine::stream::{ReadHalf, Stream, WriteHalf};
use loadr_engine::tls::{Roots, TlsClient, TlsConfig, TlsError, TlsOptions, Versions};
use loadr_engine::user::{Context, ShardContext, UserClass, UserLife, Workload};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection};

const UNIX_NS: u64 = 1_795_222_119_000_000_000;
const TIMEOUT: Duration = Duration::from_secs(5);

/// What a user does with its connections; its name in the report is the deed's.
type Deed = Rc<dyn Fn(User) -> Pin<Box<dyn Future<Output = ()>>>>;
/// What the far end does with a connection.
type Serve = Rc<dyn Fn(Peer, Arc<ServerConfig>) -> Pin<Box<dyn Future<Output = ()>>>>;

/// A user that can connect.
#[derive(Clone)]
struct User {
    context: Context,
    endpoint: Rc<Endpoint>,
    client: Rc<TlsClient>,
    session: Session,
}

impl User {
    async fn connect(&self) -> Result<(ReadHalf, WriteHalf), Failure> {
        let client = Rc::clone(&self.client);
        let opened = self.endpoint.connect(&self.context, TIMEOUT, || client).await;
        opened.map(Stream::into_split)
    }

    async fn connected(&self) -> (ReadHalf, WriteHalf) {
        self.connect().await.expect("the far end speaks TLS")
    }
}

/// A far end with a certificate for `h.example`, and clients that believe it.
#[derive(Clone)]
struct World {
    seed: u64,
    versions: Versions,
    piece_bytes: usize,
    users: u64,
    server: Arc<ServerConfig>,
    client: TlsConfig,
}

thread_local! {
    // The workload has to be `Send`, and all of this stays on one thread.
    static DEED: RefCell<Option<Deed>> = const { RefCell::new(None) };
}

struct Users(TlsConfig);

impl Workload for Users {
    fn classes(&self) -> Vec<ClassShare> {
        vec![ClassShare { name: "User".to_owned(), weight: 1.0, fixed_count: 0 }]
    }

    fn prepare(&self, shard: &ShardContext) -> Vec<Rc<dyn UserClass>> {
        let name = self.0.server_name("h.example").expect("a name");
        let endpoint = Endpoint::new(shard, "far", vec![address()]).secured(shard, "far", name);
        let options = SessionOptions { tls: self.0.clone(), ..SessionOptions::default() };
        let origins = Origins::new(shard, KnownHosts::default());
        let settings = SessionSettings::new(origins, None, options).expect("no host is wrong");
        vec![Rc::new(Class { endpoint: Rc::new(endpoint), config: self.0.clone(), settings })]
    }
}

struct Class {
    endpoint: Rc<Endpoint>,
    config: TlsConfig,
    settings: Rc<SessionSettings>,
}

impl UserClass for Class {
    fn start(self: Rc<Self>, context: Context) -> UserLife {
        let client = Rc::new(TlsClient::new(self.config.clone()));
        let session = Session::new(context.clone(), Rc::clone(&self.settings));
        let user = User { context, endpoint: Rc::clone(&self.endpoint), client, session };
        let deed = DEED.with_borrow(|deed| deed.clone().expect("a deed"));
        UserLife::new(deed(user))
    }
}

fn address() -> Address {
    Address::Tcp(SocketAddr::from(([10, 0, 0, 1], 443)))
}

impl World {
    fn new(versions: Versions, piece_bytes: usize, seed: u64) -> Self {
        let names = vec!["h.example".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let certificate = made.cert.der().clone();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key);
        let mut server = server.expect("a key");
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        let client = TlsConfig::lazy(move || {
            let roots = Roots::These(vec![certificate]);
            Ok(TlsOptions { roots, versions, ..TlsOptions::default() })
        });
        Self { seed, versions, piece_bytes, users: 1, server: Arc::new(server), client }
    }

    /// Runs `deed` as every user; returns handshakes by their method, and those that failed.
    fn run<S, D, F>(&self, serve: S, deed: D) -> Vec<(String, u64, u64)>
    where
        S: Fn(Peer, Arc<ServerConfig>) -> Pin<Box<dyn Future<Output = ()>>> + 'static,
        D: Fn(User) -> F + 'static,
        F: Future<Output = ()> + 'static,
    {
        let links = LinkOptions { piece_bytes: 1..=self.piece_bytes, ..LinkOptions::default() };
        let simulation = Simulation::new(self.seed, UNIX_NS, links);
        let (serve, server): (Serve, _) = (Rc::new(serve), Arc::clone(&self.server));
        simulation.listen(address(), move |peer| serve(peer, Arc::clone(&server)));
        let ended = Rc::new(RefCell::new(0));
        let count = Rc::clone(&ended);
        let deed: Deed = Rc::new(move |user| {
            let (life, count) = (deed(user), Rc::clone(&count));
            Box::pin(async move {
                life.await;
                *count.borrow_mut() += 1;
            })
        });
        DEED.set(Some(deed));
        let plan = RunPlan {
            run_time: Some(Duration::from_secs(60)),
            ..RunPlan::new(self.users, vec![None], RuntimeKind::Sim)
        };
        let workload = Arc::new(Users(self.client.clone()));
        let outcome = simulation.run(simulate(&simulation, plan, workload));
        let errors: Vec<&str> = outcome.errors.iter().map(|error| &*error.message).collect();
        let (seed, versions, pieces) = (self.seed, self.versions, self.piece_bytes);
        let told = format!("seed {seed}, {versions:?}, pieces of {pieces}: {errors:?}");
        assert_eq!(outcome.shards[0].panicked, None, "{told}");
        assert_eq!(*ended.borrow(), self.users, "users that came to their end: {told}");
        let made = outcome.entries.iter().filter(|entry| entry.key.kind == EntryKind::Handshake);
        let row = |entry: &loadr_engine::record::MergedEntry| {
            (entry.key.method.to_string(), entry.counts.requests, entry.counts.failures)
        };
        made.map(row).filter(|row| row.1 > 0).collect()
    }
}

/// rustls's server over a simulated connection.
struct Server {
    peer: Peer,
    tls: ServerConnection,
}

impl Server {
    fn new(peer: Peer, config: Arc<ServerConfig>) -> Self {
        Self { peer, tls: ServerConnection::new(config).expect("a server") }
    }

    fn flush(&mut self) {
        let mut records = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut records).expect("memory takes all");
        }
        self.peer.send(records.into());
    }

    /// Receives until there is plaintext; empty at the end of the stream.
    async fn receive(&mut self) -> Vec<u8> {
        let mut plain = Vec::new();
        while plain.is_empty() {
            let mut received = self.peer.receive().await;
            if received.is_empty() {
                break;
            }
            let mut ended = false;
            while !received.is_empty() {
                self.tls.read_tls(&mut received).expect("room");
                self.tls.process_new_packets().expect("a client that keeps the rules");
                ended |= self.tls.reader().read_to_end(&mut plain).is_ok();
            }
            self.flush();
            if ended {
                break;
            }
        }
        plain
    }

    fn send(&mut self, mut plain: &[u8]) {
        while !plain.is_empty() {
            let count = self.tls.writer().write(plain).expect("memory takes it");
            plain = &plain[count..];
            self.flush();
        }
    }
}

fn echo(peer: Peer, config: Arc<ServerConfig>) -> Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(async move {
        let mut server = Server::new(peer, config);
        loop {
            let plain = server.receive().await;
            if plain.is_empty() {
                return;
            }
            server.send(&plain);
        }
    })
}

/// Receives `count` bytes.
async fn receive(read: &mut ReadHalf, count: usize) -> Vec<u8> {
    let mut all = Vec::new();
    while all.len() < count {
        let received = read.fill().await.expect("an open stream");
        assert!(received > 0, "ended after {} of {count} bytes", all.len());
        let unread = read.buffer().len();
        all.extend_from_slice(read.buffer().take(unread));
    }
    all
}

fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|index| (index * 31 % 251) as u8).collect()
}

const BOTH: [Versions; 2] = [Versions::Only12, Versions::Only13];

#[test]
fn bytes_come_back_as_they_were_sent_however_records_are_cut() {
    for (seed, piece_bytes) in [(1, 1), (2, 7), (3, 1_000), (4, 16_400), (5, 100_000)] {
        for versions in BOTH {
            let sizes: &'static [usize] = match piece_bytes {
                1 => &[1, 500],
                _ => &[1, 300, 16_384, 16_385, 70_000, 300_000],
            };
            let handshakes =
                World::new(versions, piece_bytes, seed).run(echo, move |user| async move {
                    let (mut read, mut write) = user.connected().await;
                    for &size in sizes {
                        let sent = pattern(size);
                        write.write_all(Bytes::from(sent.clone())).await.expect("an open stream");
                        assert!(receive(&mut read, size).await == sent, "{size} bytes");
                    }
                });
            assert_eq!(handshakes, [("TLS full".to_owned(), 1, 0)]);
        }
    }
}

#[test]
fn what_is_more_than_the_reader_has_room_for_waits() {
    const BYTES: usize = 200_000;
    let serve = |peer, config| -> Pin<Box<dyn Future<Output = ()>>> {
        Box::pin(async move {
            let mut server = Server::new(peer, config);
            server.receive().await;
            server.send(&pattern(BYTES));
            server.tls.send_close_notify();
            server.flush();
        })
    };
    World::new(Versions::Only13, 100_000, 6).run(serve, async |user| {
        let (mut read, mut write) = user.connected().await;
        write.write_all(Bytes::from_static(b"go")).await.expect("an open stream");
        let mut all = Vec::new();
        loop {
            // Leaves a little unread each time, so that there is never room for a whole record after the first.
            match read.fill().await {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => panic!("{error} after {} and {}", all.len(), read.buffer().len()),
            }
            let some = read.buffer().len().saturating_sub(60_000).max(1);
            all.extend_from_slice(read.buffer().take(some));
        }
        let rest = read.buffer().len();
        all.extend_from_slice(read.buffer().take(rest));
        assert!(all == pattern(BYTES), "{} bytes", all.len());
        assert_eq!(read.fill().await.expect("the end stays the end"), 0);
    });
}

#[test]
fn the_writer_does_not_wait_for_a_record_that_the_reader_has_half_of() {
    let serve = |peer, config| -> Pin<Box<dyn Future<Output = ()>>> {
        Box::pin(async move {
            let mut server = Server::new(peer, config);
            assert_eq!(server.receive().await, b"hello");
            let mut records = Vec::new();
            server.tls.writer().write_all(b"an answer in two parts").expect("memory takes it");
            server.tls.write_tls(&mut records).expect("memory takes it");
            let rest = records.split_off(9);
            server.peer.send(records.into());
            // Nothing more comes before the client has spoken again.
            assert_eq!(server.receive().await, b"meanwhile");
            server.peer.send(rest.into());
            server.receive().await;
        })
    };
    for versions in BOTH {
        World::new(versions, 100_000, 7).run(serve, async |user| {
            let (mut read, mut write) = user.connected().await;
            write.write_all(Bytes::from_static(b"hello")).await.expect("an open stream");
            let receiving = receive(&mut read, 22);
            let sending = async {
                user.context.sleep(Duration::from_secs(1)).await;
                write.write_all(Bytes::from_static(b"meanwhile")).await.expect("an open stream");
            };
            let (received, ()) = future::zip(receiving, sending).await;
            assert_eq!(received, b"an answer in two parts");
        });
    }
}

#[test]
fn keys_are_changed_under_way() {
    let serve = |peer, config| -> Pin<Box<dyn Future<Output = ()>>> {
        Box::pin(async move {
            let mut server = Server::new(peer, config);
            for _ in 0..5 {
                let plain = server.receive().await;
                server.tls.refresh_traffic_keys().expect("TLS 1.3");
                server.send(&plain);
            }
        })
    };
    World::new(Versions::Only13, 50, 8).run(serve, async |user| {
        let (mut read, mut write) = user.connected().await;
        for _ in 0..5 {
            write.write_all(Bytes::from_static(b"round")).await.expect("an open stream");
            assert_eq!(receive(&mut read, 5).await, b"round");
        }
    });
}

#[test]
fn an_end_that_is_announced_is_one_and_any_other_is_an_error() {
    for (announced, versions) in
        [(true, BOTH[0]), (true, BOTH[1]), (false, BOTH[0]), (false, BOTH[1])]
    {
        let serve = move |peer, config| -> Pin<Box<dyn Future<Output = ()>>> {
            Box::pin(async move {
                let mut server = Server::new(peer, config);
                server.receive().await;
                server.send(b"half");
                if announced {
                    server.tls.send_close_notify();
                    server.flush();
                }
            })
        };
        World::new(versions, 100, 9).run(serve, move |user| async move {
            let (mut read, mut write) = user.connected().await;
            write.write_all(Bytes::from_static(b"go")).await.expect("an open stream");
            receive(&mut read, 4).await;
            match read.fill().await {
                Ok(count) => assert!(announced && count == 0),
                Err(error) => {
                    assert!(!announced);
                    let inner = error.into_inner().expect("an error of TLS");
                    assert_eq!(inner.downcast_ref(), Some(&TlsError::Truncated));
                }
            }
        });
    }
}

#[test]
fn whoever_goes_says_so() {
    let serve = |peer, config| -> Pin<Box<dyn Future<Output = ()>>> {
        Box::pin(async move {
            let mut server = Server::new(peer, config);
            assert_eq!(server.receive().await, b"bye");
            assert_eq!(server.receive().await, b"");
            let state = server.tls.process_new_packets().expect("no error");
            assert!(state.peer_has_closed(), "close_notify came before the end");
            SAID.set(true);
        })
    };
    thread_local! {
        static SAID: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
    }
    World::new(Versions::Both, 100, 10).run(serve, async |user| {
        let (read, mut write) = user.connected().await;
        write.write_all(Bytes::from_static(b"bye")).await.expect("an open stream");
        drop((read, write));
        user.context.sleep(Duration::from_secs(1)).await;
    });
    assert!(SAID.get());
}

#[test]
fn a_user_resumes_its_own_sessions_and_nobody_elses() {
    for versions in BOTH {
        let mut world = World::new(versions, 1_000, 11);
        world.users = 3;
        let handshakes = world.run(echo, async |user| {
            for _ in 0..4 {
                let (mut read, mut write) = user.connected().await;
                write.write_all(Bytes::from_static(b"x")).await.expect("an open stream");
                receive(&mut read, 1).await;
            }
        });
        let rows = [("TLS full".to_owned(), 3, 0), ("TLS resumed".to_owned(), 9, 0)];
        assert_eq!(handshakes, rows, "{versions:?}");
    }
}

#[test]
fn a_stream_of_ones_own_is_secured_with_what_its_protocol_offers() {
    for (offered, agreed) in [(&["line", "http/1.1"][..], Some("http/1.1")), (&[], None)] {
        let serve = move |peer, config| -> Pin<Box<dyn Future<Output = ()>>> {
            Box::pin(async move {
                let mut server = Server::new(peer, config);
                let plain = server.receive().await;
                assert_eq!(server.tls.alpn_protocol(), agreed.map(str::as_bytes));
                server.send(&plain);
            })
        };
        let handshakes = World::new(Versions::Both, 300, 14).run(serve, move |user| async move {
            let stream = user.context.tcp("10.0.0.1:443").await.expect("somebody listens");
            let stream = user.session.secure(stream, "h.example", offered).await;
            let (mut read, mut write) = stream.expect("the far end speaks TLS").into_split();
            write.write_all(Bytes::from_static(b"PING\r\n")).await.expect("an open stream");
            assert_eq!(receive(&mut read, 6).await, b"PING\r\n");
        });
        assert_eq!(handshakes, [("TLS full".to_owned(), 1, 0)]);
    }
}

/// What a connection to a far end that does as `serve` says fails with.
fn failure(serve: fn(Peer) -> Pin<Box<dyn Future<Output = ()>>>) -> Failure {
    thread_local! {
        static FAILURE: RefCell<Option<Failure>> = const { RefCell::new(None) };
    }
    let world = World::new(Versions::Both, 100, 12);
    let handshakes = world.run(
        move |peer, _| serve(peer),
        async |user| {
            FAILURE.set(user.connect().await.err());
        },
    );
    assert_eq!(handshakes, [("TLS full".to_owned(), 1, 1)]);
    FAILURE.take().expect("it failed")
}

#[test]
fn handshakes_that_come_to_nothing_are_told_apart() {
    let plain = failure(|mut peer| {
        Box::pin(async move {
            peer.receive().await;
            peer.send(Bytes::from_static(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
        })
    });
    assert_eq!(
        (plain.kind, &*plain.message),
        (
            FailureKind::Tls,
            "the target does not speak TLS on this port: what it sent is no TLS record"
        )
    );
    let closed = failure(|mut peer| {
        Box::pin(async move {
            peer.receive().await;
        })
    });
    assert_eq!(
        (closed.kind, &*closed.message),
        (FailureKind::Tls, "connection closed by the target in the TLS handshake")
    );
    let silent = failure(|peer| Box::pin(async move { peer.sleep(30_000_000_000).await }));
    assert_eq!(
        (silent.kind, &*silent.message),
        (FailureKind::ConnectTimeout, "TLS handshake not done within 5s")
    );
    let alert = failure(|mut peer| {
        Box::pin(async move {
            peer.receive().await;
            // Fatal, handshake_failure.
            peer.send(Bytes::from_static(&[21, 3, 3, 0, 2, 2, 40]));
            peer.sleep(1_000_000_000).await;
        })
    });
    assert_eq!(alert.kind, FailureKind::Tls);
    assert!(alert.message.contains("(alert handshake_failure)"), "{}", alert.message);
}

#[test]
fn a_certificate_nobody_knows_is_refused() {
    let mut world = World::new(Versions::Both, 1_000, 13);
    world.client = World::new(Versions::Both, 1_000, 13).client;
    let serve = |peer, config| -> Pin<Box<dyn Future<Output = ()>>> {
        Box::pin(async move {
            let mut server = Server::new(peer, config);
            let mut alert = None;
            while alert.is_none() {
                let mut received = server.peer.receive().await;
                if received.is_empty() {
                    break;
                }
                server.tls.read_tls(&mut received).expect("room");
                alert = server.tls.process_new_packets().err();
                server.flush();
            }
            let alert = alert.expect("the client says why it goes");
            assert!(matches!(alert, rustls::Error::AlertReceived(_)), "{alert}");
        })
    };
    let handshakes = world.run(serve, async |user| {
        let failure = user.connect().await.err().expect("it fails");
        // Another of the same name is known.
        let message =
            "TLS handshake failed: the target's certificate is not signed by the authority that it names";
        assert_eq!(failure.message, message);
        user.context.sleep(Duration::from_secs(1)).await;
    });
    assert_eq!(handshakes, [("TLS full".to_owned(), 1, 1)]);
}
