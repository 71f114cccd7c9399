//! A warm WebSocket exchange allocates nothing beyond what its runtime does for any exchange: counted on the shard's thread.
//!
//! The user first makes bare HTTP exchanges on a connection of its own, then as many over WebSocket, by itself and as a
//! task would. The least of many batches counts on either side, since the shard's other tasks allocate at times.

#![cfg(not(loadr_loom))]

#[path = "support/counting.rs"]
mod counting;
#[path = "support/one_user.rs"]
mod one_user;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use loadr_engine::client::endpoint::Endpoint;
use loadr_engine::client::http::HttpConnection;
use loadr_engine::client::websocket::{
    OpenOptions, Outgoing, WebSocket, WebSocketConnection, WebSocketOptions, WebSocketSettings,
};
use loadr_engine::record::{EntryIndex, EntryKind, Exchange};
use loadr_engine::runtime::{Address, RuntimeKind};
use loadr_engine::spawn::dispatch::ClassShare;
use loadr_engine::user::{Context, ShardContext, UserClass, UserLife, Workload};
use loadr_protocols::http1::{self, Method, RequestBuilder, RequestTemplate};
use loadr_protocols::websocket::handshake::accept;
use loadr_protocols::websocket::{Limits, MessageKind, PreparedMessage, Upgrade, UpgradeBuilder};

use counting::allocations;
use one_user::found_by_one_user;

/// Exchanges in a batch, and batches on each side.
const BATCH: u64 = 50;
const BATCHES: u64 = 20;
const TIMEOUT: Duration = Duration::from_secs(20);

struct Counted {
    address: SocketAddr,
    results: mpsc::Sender<Vec<(&'static str, u64)>>,
}

struct Class {
    endpoint: Endpoint,
    request: RequestTemplate,
    upgrade: Upgrade,
    entry: EntryIndex,
    settings: Rc<WebSocketSettings>,
    results: mpsc::Sender<Vec<(&'static str, u64)>>,
}

impl Workload for Counted {
    fn classes(&self) -> Vec<ClassShare> {
        vec![ClassShare { name: "User".to_owned(), weight: 1.0, fixed_count: 0 }]
    }

    fn prepare(&self, shard: &ShardContext) -> Vec<Rc<dyn UserClass>> {
        let endpoint = || Endpoint::new(shard, "target", vec![Address::Tcp(self.address)]);
        let options = WebSocketOptions::default();
        let settings = WebSocketSettings::new(shard, endpoint(), "h", "/", options);
        let request = RequestBuilder::new(Method::Get, "/").header("Host", "h").build();
        vec![Rc::new(Class {
            endpoint: endpoint(),
            request: request.expect("a plain request"),
            upgrade: UpgradeBuilder::new("h", "/").build().expect("a plain upgrade"),
            entry: shard.entry(EntryKind::Exchange, "GET", "bare"),
            settings: settings.expect("a plain upgrade"),
            results: self.results.clone(),
        })]
    }
}

impl UserClass for Class {
    fn start(self: Rc<Self>, context: Context) -> UserLife {
        UserLife::new(async move {
            let prepared = PreparedMessage::new(MessageKind::Text, b"hello", false);
            let results = vec![
                ("bare", self.bare(&context).await),
                ("connection", self.connection(&context, Outgoing::Text("hello")).await),
                ("prepared", self.connection(&context, Outgoing::Prepared(&prepared)).await),
                ("task", self.task(&context).await),
            ];
            self.results.send(results).expect("the test waits");
        })
    }
}

/// The least that a batch of `exchange` allocates.
async fn least(mut exchange: impl AsyncFnMut()) -> u64 {
    let mut least = u64::MAX;
    for _ in 0..BATCHES {
        let before = allocations();
        for _ in 0..BATCH {
            exchange().await;
        }
        least = least.min(allocations() - before);
    }
    least
}

impl Class {
    fn record(&self, context: &Context, start_ns: u64, end_ns: u64) {
        context.record(self.entry, &Exchange { start_ns, end_ns, ..Exchange::default() });
    }

    async fn bare(&self, context: &Context) -> u64 {
        let plain = || unreachable!("an endpoint without TLS asks for no client of it");
        let stream = self.endpoint.connect(context, TIMEOUT, plain).await.expect("it listens");
        let mut http = HttpConnection::new(stream, http1::Limits::default(), TIMEOUT);
        least(async || {
            let permit = context.permit(1).await.expect("no bound");
            let request = self.request.bytes().clone();
            let kind = self.request.kind();
            let response = http.exchange(context, request, kind, 1, &mut ()).await;
            self.record(context, permit.start_ns, response.expect("a response").end_ns);
        })
        .await
    }

    async fn connection(&self, context: &Context, outgoing: Outgoing<'_>) -> u64 {
        let options = OpenOptions {
            connect_timeout: TIMEOUT,
            timeout: TIMEOUT,
            limits: Limits::default(),
            head_limits: http1::Limits::default(),
        };
        let plain = || unreachable!("an endpoint without TLS asks for no client of it");
        let (endpoint, upgrade) = (&self.endpoint, &self.upgrade);
        let opened = WebSocketConnection::open(context, endpoint, plain, upgrade, &options);
        let mut connection = opened.await.expect("it listens");
        least(async || {
            let permit = context.permit(1).await.expect("no bound");
            let arrival = connection.exchange(context, outgoing, TIMEOUT, |view| {
                assert_eq!(view.text(), "hello");
                true
            });
            self.record(context, permit.start_ns, arrival.await.expect("an echo").end_ns);
        })
        .await
    }

    async fn task(&self, context: &Context) -> u64 {
        let socket = WebSocket::new(context.clone(), Rc::clone(&self.settings));
        least(async || {
            let read = socket.request("hello").name("task").read(|view| {
                assert_eq!(view.text(), "hello");
                Ok(())
            });
            read.await.expect("an echo");
        })
        .await
    }
}

/// Answers on each connection until it ends, HTTP or WebSocket as its first request says.
fn serve(listener: &TcpListener) {
    while let Ok((stream, _)) = listener.accept() {
        thread::spawn(move || answer(stream));
    }
}

fn answer(mut stream: TcpStream) {
    let mut piece = [0; 4096];
    // A request comes whole: it is small, and there is one at a time.
    while let Ok(count @ 1..) = stream.read(&mut piece) {
        let head = String::from_utf8_lossy(&piece[..count]).into_owned();
        if let Some(key) = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")) {
            return echo(stream, key);
        }
        let response = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        if stream.write_all(response).is_err() {
            return;
        }
    }
}

fn echo(mut stream: TcpStream, key: &str) {
    let accept = accept(key.as_bytes());
    let accept = std::str::from_utf8(&accept).expect("base64");
    let head = format!(
        "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    let mut sent = stream.write_all(head.as_bytes());
    let mut frame = [0; 11];
    while sent.is_ok() && stream.read_exact(&mut frame).is_ok() {
        let mut reply = [0; 7];
        reply[..2].copy_from_slice(&[0x81, 5]);
        for at in 0..5 {
            reply[2 + at] = frame[6 + at] ^ frame[2 + at % 4];
        }
        sent = stream.write_all(&reply);
    }
}

fn run(runtime: RuntimeKind) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || serve(&listener));
    let results = found_by_one_user(runtime, TIMEOUT, |results| Counted { address, results });
    let bare = results[0].1;
    for (name, least) in &results {
        assert!(
            *least <= bare,
            "{name}: {least} allocations in {BATCH} exchanges, {bare} in HTTP's"
        );
    }
}

#[test]
fn on_io_uring_a_warm_exchange_allocates_nothing() {
    run(RuntimeKind::Monoio);
}

#[test]
fn on_epoll_a_warm_exchange_allocates_nothing() {
    run(RuntimeKind::MonoioEpoll);
}
