//! Operations on a stream that are dropped in their middle, on every runtime of a kernel.
//!
//! The socket is shut down, so that the kernel lets go of what it was lent and the far end sees it; the stream is of no
//! more use, and says so; nothing panics.

#![cfg(not(loadr_loom))]

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_lite::future;
use loadr_engine::client::endpoint::Endpoint;
use loadr_engine::coordinator::{EndedBy, Phase, RunPlan};
use loadr_engine::run::Run;
use loadr_engine::runtime::{Address, RuntimeKind};
use loadr_engine::spawn::dispatch::ClassShare;
use loadr_engine::stream::{ReadHalf, Stream, WriteHalf};
use loadr_engine::user::{Context, ShardContext, UserClass, UserLife, Workload};

/// Far longer than any of this takes.
const PATIENCE: Duration = Duration::from_secs(20);
/// What no pair of socket buffers holds.
const LARGE: usize = 64 * 1024 * 1024;

/// What a user does with its stream; what it gives back lives on, so that it is the cut that the target sees.
type Deed = fn(Context, Stream) -> Done;
type Done = Pin<Box<dyn Future<Output = Option<(ReadHalf, WriteHalf)>>>>;

/// One user that connects, and then does what the test says.
struct Once {
    address: SocketAddr,
    deed: Deed,
    done: mpsc::Sender<()>,
}

struct Class {
    endpoint: Endpoint,
    deed: Deed,
    done: mpsc::Sender<()>,
}

impl Workload for Once {
    fn classes(&self) -> Vec<ClassShare> {
        vec![ClassShare { name: "User".to_owned(), weight: 1.0, fixed_count: 0 }]
    }

    fn prepare(&self, shard: &ShardContext) -> Vec<Rc<dyn UserClass>> {
        let endpoint = Endpoint::new(shard, "target", vec![Address::Tcp(self.address)]);
        vec![Rc::new(Class { endpoint, deed: self.deed, done: self.done.clone() })]
    }
}

impl UserClass for Class {
    fn start(self: Rc<Self>, context: Context) -> UserLife {
        UserLife::new(async move {
            let stream = self
                .endpoint
                .connect(&context, PATIENCE, || unreachable!("no TLS"))
                .await
                .expect("it listens");
            let kept = (self.deed)(context, stream).await;
            self.done.send(()).expect("the test waits");
            future::pending::<()>().await;
            drop(kept);
        })
    }
}

/// Runs `deed` against a target that does as `serve` says, which must end by itself.
fn run(runtime: RuntimeKind, deed: Deed, serve: fn(TcpStream)) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let server = thread::spawn(move || serve(listener.accept().expect("a connection").0));
    let (done, is_done) = mpsc::channel();
    let plan = RunPlan::new(1, vec![None], runtime);
    let mut run = Run::launch(plan, Arc::new(Once { address, deed, done })).expect("it starts");
    let start = Instant::now();
    let (mut done, mut served) = (false, false);
    while !(done && served) {
        assert!(start.elapsed() < 2 * PATIENCE, "user done: {done}, target done: {served}");
        run.step();
        thread::sleep(Duration::from_millis(1));
        done |= is_done.try_recv().is_ok();
        served = server.is_finished();
    }
    server.join().expect("the target saw what it should");
    run.stop(EndedBy::Signal);
    while !matches!(run.phase(), Phase::Ended) {
        run.step();
        thread::sleep(Duration::from_millis(1));
    }
    let outcome = run.finish();
    assert_eq!(outcome.shards[0].panicked, None);
}

async fn drop_fill(context: &Context, read: &mut ReadHalf) {
    let midway = async { drop(read.fill().await) };
    future::or(midway, context.sleep(Duration::from_millis(20))).await;
}

async fn drop_write(context: &Context, write: &mut WriteHalf) {
    let midway = async { drop(write.write_all(Bytes::from(vec![0; LARGE])).await) };
    future::or(midway, context.sleep(Duration::from_millis(20))).await;
}

async fn assert_cut(read: &mut ReadHalf, write: &mut WriteHalf) {
    let error = read.fill().await.expect_err("it was cut off");
    assert_eq!(error.kind(), io::ErrorKind::NotConnected);
    let error = write.write_all(Bytes::from_static(b"x")).await.expect_err("it was cut off");
    assert_eq!(error.kind(), io::ErrorKind::NotConnected);
}

fn a_dropped_fill(context: Context, stream: Stream) -> Done {
    Box::pin(async move {
        let (mut read, mut write) = stream.into_split();
        while read.buffer().len() < 3 {
            read.fill().await.expect("three bytes");
        }
        // With bytes unread: the buffer may lose them, but not count what it has lost.
        drop_fill(&context, &mut read).await;
        let left = read.buffer().len();
        assert_eq!(read.buffer().unread().len(), left);
        read.buffer().consume(left);
        assert_cut(&mut read, &mut write).await;
        Some((read, write))
    })
}

fn a_dropped_write(context: Context, stream: Stream) -> Done {
    Box::pin(async move {
        let (mut read, mut write) = stream.into_split();
        drop_write(&context, &mut write).await;
        assert_cut(&mut read, &mut write).await;
        Some((read, write))
    })
}

fn a_stream_dropped_midway(context: Context, stream: Stream) -> Done {
    Box::pin(async move {
        let (mut read, mut write) = stream.into_split();
        let both = future::zip(read.fill(), write.write_all(Bytes::from(vec![0; LARGE])));
        let midway = async { drop(both.await) };
        future::or(midway, context.sleep(Duration::from_millis(20))).await;
        None
    })
}

fn say_three_bytes_and_await_the_end(mut stream: TcpStream) {
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.write_all(b"abc").expect("three bytes");
    assert!(is_at_end(stream.read(&mut [0; 16])));
}

/// Reads only once the sender has been dropped, so that its write cannot have completed.
fn read_late(mut stream: TcpStream) {
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    thread::sleep(Duration::from_millis(200));
    let (mut piece, mut received) = (vec![0; 1 << 20], 0);
    loop {
        match stream.read(&mut piece) {
            Ok(count @ 1..) => received += count,
            ended => break assert!(is_at_end(ended)),
        }
    }
    assert!(received < LARGE, "the write was dropped");
}

fn is_at_end(read: io::Result<usize>) -> bool {
    match read {
        Ok(count) => count == 0,
        Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
    }
}

macro_rules! on_each_runtime {
    ($($name:ident: $deed:ident, $serve:ident;)+) => {
        mod monoio { $(#[test] fn $name() {
            super::run(super::RuntimeKind::Monoio, super::$deed, super::$serve);
        })+ }
        mod monoio_epoll { $(#[test] fn $name() {
            super::run(super::RuntimeKind::MonoioEpoll, super::$deed, super::$serve);
        })+ }
        mod glommio { $(#[test] fn $name() {
            super::run(super::RuntimeKind::Glommio, super::$deed, super::$serve);
        })+ }
    };
}

on_each_runtime! {
    a_fill_dropped_midway_cuts_the_stream_off: a_dropped_fill, say_three_bytes_and_await_the_end;
    a_write_dropped_midway_cuts_the_stream_off: a_dropped_write, read_late;
    both_halves_may_go_midway: a_stream_dropped_midway, read_late;
}
