//! Starting and stopping.

use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use loadr_target::{RouteKind, Target, TargetError, TargetOptions};

use crate::client::{Client, PATIENCE, eventually, get, start};

#[test]
fn clients_that_connect_before_it_serves_wait() {
    let target = Target::bind(TargetOptions::default()).unwrap();
    let mut client = Client::connect(target.local_addr());
    client.send(get("/"));
    let target = target.spawn().unwrap();
    assert_eq!(client.answer().status, 200);
    assert!(target.is_serving());
}

#[test]
fn stopping_is_prompt_whatever_connections_do() {
    let options = TargetOptions { threads: 2, ..TargetOptions::default() };
    let target = Target::bind(options).unwrap().spawn().unwrap();
    let address = target.local_addr();
    let (mut waiting, mut unread) = (Client::connect(address), Client::connect(address));
    waiting.send(get("/delay/60m"));
    unread.send(get("/bytes/1073741824"));
    let readers = [(); 2].map(|()| std::thread::spawn(move || read_a_lot(address)));
    eventually(|| target.stats().served(RouteKind::Bytes) == 3);
    let start = Instant::now();
    let stats = target.stop().unwrap();
    assert!(start.elapsed() < PATIENCE);
    assert_eq!((stats.connections_accepted, stats.connections_open), (4, 0));
    for reader in readers {
        assert!(reader.join().unwrap() < 1 << 30, "the answer was cut off");
    }
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
}

/// Reads a gigabyte as long as it comes, and tells how much did.
fn read_a_lot(address: std::net::SocketAddr) -> u64 {
    let mut client = Client::connect(address);
    client.send(get("/bytes/1073741824"));
    let (mut total, mut buffer) = (0, vec![0; 1024]);
    loop {
        match (&mut client.socket()).read(&mut buffer) {
            Ok(0) | Err(_) => return total,
            Ok(count) => total += count as u64,
        }
    }
}

#[test]
fn dropping_the_handle_stops_the_target() {
    let target = start();
    let address = target.local_addr();
    let mut client = Client::connect(address);
    assert_eq!(client.get("/").status, 200);
    drop(target);
    client.expect_close();
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn run_ends_when_it_is_told() {
    let target = Target::bind(TargetOptions::default()).unwrap();
    let (address, stop) = (target.local_addr(), AtomicBool::new(false));
    let stats = std::thread::scope(|scope| {
        let running = scope.spawn(|| target.run(&stop));
        assert_eq!(Client::connect(address).get("/").status, 200);
        stop.store(true, Ordering::Release);
        running.join().unwrap().unwrap()
    });
    assert_eq!(stats.requests(), 1);
}

#[test]
fn threads_get_connections_in_turn_and_may_be_pinned() {
    let cpu = rustix::thread::sched_getcpu();
    let options = TargetOptions { threads: 3, cpus: vec![cpu], ..TargetOptions::default() };
    let target = Target::bind(options).unwrap().spawn().unwrap();
    let mut clients: Vec<_> = (0..7).map(|_| Client::connect(target.local_addr())).collect();
    clients.iter_mut().for_each(|client| assert_eq!(client.get("/").status, 200));
    assert_eq!(target.stop().unwrap().requests(), 7);
}

#[test]
fn what_cannot_be_is_refused_with_its_reason() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let error = Target::bind(TargetOptions { address, ..TargetOptions::default() }).unwrap_err();
    assert!(matches!(error, TargetError::Bind { .. }));
    assert!(error.to_string().starts_with(&format!("cannot listen on {address}: ")));

    let error = Target::bind(TargetOptions { threads: 0, ..TargetOptions::default() }).unwrap_err();
    assert_eq!(error.to_string(), "0 server threads asked for; 1 to 256 are possible");

    for cpu in [1023, 1_000_000] {
        let options = TargetOptions { threads: 2, cpus: vec![cpu], ..TargetOptions::default() };
        let error = Target::bind(options).unwrap().spawn().unwrap_err();
        assert!(matches!(error, TargetError::Pin { cpu: c, .. } if c == cpu), "{error}");
    }
}

#[test]
fn unix_paths_are_replaced_only_when_abandoned() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("target.sock");
    let bind = || {
        Target::bind(TargetOptions { unix_socket: Some(path.clone()), ..TargetOptions::default() })
    };
    let listening = UnixListener::bind(&path).unwrap();
    assert!(matches!(bind(), Err(TargetError::BindUnix { .. })), "somebody listens");
    drop(listening);
    drop(bind().unwrap());
    assert!(!path.exists(), "it goes with the target");
    std::fs::write(&path, "a file").unwrap();
    assert!(matches!(bind(), Err(TargetError::BindUnix { .. })));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "a file");
}

#[test]
fn the_program_explains_wrong_flags() {
    for arguments in [&["--port", "http"][..], &["--port"], &["--what", "1"], &["--threads", "0"]] {
        let output =
            Command::new(env!("CARGO_BIN_EXE_loadr-target")).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stderr.starts_with(b"loadr-target: "));
    }
}
