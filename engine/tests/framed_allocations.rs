//! Exchanges over a framed connection allocate nothing once they are warm, however many are outstanding.
//!
//! Batches are measured by an allocator that counts on the user's thread, and the best of each kind counts: what happens
//! once, such as a response time of a magnitude not seen before, may touch new memory.

#![cfg(not(loadr_loom))]

#[path = "support/counting.rs"]
mod counting;
#[path = "support/one_user.rs"]
mod one_user;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bytes::BytesMut;
use loadr_engine::client::framed::{Codec, Framed, Pipeline};
use loadr_engine::outcome::Failure;
use loadr_engine::record::EntryKind;
use loadr_engine::runtime::RuntimeKind;
use loadr_engine::spawn::dispatch::ClassShare;
use loadr_engine::user::{Context, ShardContext, UserClass, UserLife, Workload};

use counting::allocations;
use one_user::found_by_one_user;

/// Exchanges in a batch, and batches of each kind.
const BATCH: u64 = 64;
const BATCHES: u64 = 20;
const TIMEOUT: Duration = Duration::from_secs(20);

/// What each kind of exchange has allocated at least in a batch.
type Results = Vec<(&'static str, u64)>;

/// A protocol of four bytes each way.
struct Fours;

impl Codec for Fours {
    type Request<'r> = &'r [u8; 4];
    type Message<'b> = &'b [u8];
    type Error = &'static str;

    fn encode(request: &[u8; 4], into: &mut BytesMut) -> Result<(), Self::Error> {
        into.extend_from_slice(request);
        Ok(())
    }

    fn frame(&mut self, _: &[u8]) -> Result<Option<usize>, Self::Error> {
        Ok(Some(4))
    }

    fn message<'b>(&mut self, frame: &'b [u8]) -> Result<&'b [u8], Self::Error> {
        Ok(frame)
    }
}

#[derive(Clone)]
struct Counted {
    address: SocketAddr,
    results: mpsc::Sender<Results>,
}

impl Workload for Counted {
    fn classes(&self) -> Vec<ClassShare> {
        vec![ClassShare { name: "User".to_owned(), weight: 1.0, fixed_count: 0 }]
    }

    fn prepare(&self, _: &ShardContext) -> Vec<Rc<dyn UserClass>> {
        vec![Rc::new(self.clone())]
    }
}

impl UserClass for Counted {
    fn start(self: Rc<Self>, context: Context) -> UserLife {
        UserLife::new(async move {
            let results = self.measure(&context).await.expect("all goes well");
            self.results.send(results).expect("the test waits");
        })
    }
}

impl Counted {
    async fn measure(&self, context: &Context) -> Result<Results, Failure> {
        let stream = context.tcp(self.address).await?;
        let mut pipeline = Pipeline::new(Framed::new(context, stream, Fours, TIMEOUT));
        let one = least(async || one_at_a_time(context, &mut pipeline).await).await?;
        let many = least(async || all_at_once(context, &mut pipeline).await).await?;
        let mut socket = context.udp(self.address).await?;
        let datagrams = least(async || {
            for _ in 0..BATCH {
                socket.send(b"ping").await?;
                socket.recv_within(TIMEOUT).await?;
            }
            Ok(())
        });
        Ok(vec![("one at a time", one), ("pipelined", many), ("datagrams", datagrams.await?)])
    }
}

async fn one_at_a_time(context: &Context, pipeline: &mut Pipeline<Fours>) -> Result<(), Failure> {
    let entry = context.entry(EntryKind::Exchange, "FOUR", "one");
    for _ in 0..BATCH {
        assert_eq!(pipeline.exchange(entry, b"ping").await?, b"ping");
    }
    Ok(())
}

async fn all_at_once(context: &Context, pipeline: &mut Pipeline<Fours>) -> Result<(), Failure> {
    let entry = context.entry(EntryKind::Exchange, "FOUR", "many");
    let permit = context.permit_in_task(BATCH).await.expect("no bound");
    for _ in 0..permit.count {
        pipeline.begin_encoded(permit, entry, b"ping");
    }
    while pipeline.settle(|_| {}).await? > 0 {}
    Ok(())
}

/// Allocations in the best of the batches.
async fn least(mut batch: impl AsyncFnMut() -> Result<(), Failure>) -> Result<u64, Failure> {
    let mut least = u64::MAX;
    for _ in 0..BATCHES {
        let before = allocations();
        batch().await?;
        least = least.min(allocations() - before);
    }
    Ok(least)
}

fn copy(mut stream: TcpStream) {
    let mut piece = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut piece) {
        if stream.write_all(&piece[..count]).is_err() {
            return;
        }
    }
}

/// Serves an echo by TCP and by UDP on one port.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let socket = UdpSocket::bind(address).expect("the same port of UDP");
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            thread::spawn(move || copy(stream));
        }
    });
    thread::spawn(move || {
        let mut datagram = [0; 64];
        while let Ok((count, from)) = socket.recv_from(&mut datagram) {
            socket.send_to(&datagram[..count], from).expect("it is sent");
        }
    });
    address
}

fn run(runtime: RuntimeKind) {
    let results =
        found_by_one_user(runtime, TIMEOUT, |results| Counted { address: echo(), results });
    // What other tasks of the shard do meanwhile is a few in a batch, and not one for each exchange.
    for (kind, least) in &results {
        assert!(
            *least < BATCH / 8,
            "{kind}: {least} allocations in {BATCH} exchanges: {results:?}"
        );
    }
}

#[test]
fn on_io_uring_warm_exchanges_allocate_nothing() {
    run(RuntimeKind::Monoio);
}

#[test]
fn on_epoll_warm_exchanges_allocate_nothing() {
    run(RuntimeKind::MonoioEpoll);
}
