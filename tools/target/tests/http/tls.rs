//! TLS over real sockets, with rustls as the client; its own rules are rustls's to test.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;

use loadr_target::{RouteKind, Target, TargetHandle, TargetOptions, TargetTls};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};

use crate::client::{Client, PATIENCE, eventually, get};
use crate::websocket;

type Secure = StreamOwned<ClientConnection, TcpStream>;

fn start() -> (TargetHandle, TargetTls) {
    let tls = TargetTls::self_signed().unwrap();
    let options = TargetOptions { tls: Some(tls.clone()), threads: 2, ..TargetOptions::default() };
    (Target::bind(options).unwrap().spawn().unwrap(), tls)
}

/// A client that trusts this certificate and speaks one version.
fn config(tls: &TargetTls, version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(tls.certificate_pem()).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

fn connect(target: &TargetHandle, config: &Arc<ClientConfig>) -> Client<Secure> {
    let stream = TcpStream::connect(target.local_addr()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    let name = "localhost".try_into().unwrap();
    let connection = ClientConnection::new(Arc::clone(config), name).unwrap();
    Client::new(StreamOwned::new(connection, stream))
}

#[test]
fn routes_answer_as_without_tls_in_both_versions() {
    let (target, tls) = start();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut client = connect(&target, &config(&tls, version));
        for _ in 0..3 {
            assert_eq!(client.get("/").text(), "hello world\n");
            assert_eq!(client.get("/bytes/3000000").body.len(), 3_000_000);
            assert_eq!(client.get("/chunked/300001").body.len(), 300_001);
            assert_eq!(client.get("/delay/5").text(), "delayed 5.000000 ms\n");
            client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2000000\r\n\r\n");
            client.send(vec![b'x'; 2_000_000]);
            assert!(client.answer().body == vec![b'x'; 2_000_000]);
        }
        client.send(get("/").repeat(5000));
        for _ in 0..5000 {
            assert_eq!(client.answer().text(), "hello world\n");
        }
        // A close without its notice would be an error of this read.
        assert_eq!(client.get("/close").status, 200);
        client.expect_close();
    }
    let stats = target.stop().unwrap();
    assert_eq!((stats.served(RouteKind::Root), stats.handshakes_full), (10_006, 2));
    assert_eq!(stats.handshakes_failed, 0);
}

#[test]
fn sessions_are_resumed_and_counted() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let (target, tls) = start();
        let config = config(&tls, version);
        for _ in 0..5 {
            assert_eq!(connect(&target, &config).get("/").status, 200);
        }
        let stats = target.stop().unwrap();
        assert_eq!((stats.handshakes_full, stats.handshakes_resumed), (1, 4), "{version:?}");
    }
}

#[test]
fn websockets_echo_and_push_through_tls() {
    let (target, tls) = start();
    let mut client = connect(&target, &config(&tls, &rustls::version::TLS13));
    websocket::open(&mut client, "/ws/push?every=3&count=5");
    let long = vec![b'x'; 200_000];
    client.send(websocket::frame(0x82, &long));
    let frames: Vec<_> = (0..6).map(|_| websocket::read(&mut client)).collect();
    assert_eq!(frames.iter().filter(|(_, payload)| *payload == long).count(), 1);
    client.send(websocket::frame(0x88, &[]));
    assert_eq!(websocket::read(&mut client), (0x88, Vec::new()));
    client.expect_close();
}

#[test]
fn failed_handshakes_are_counted_and_answered_with_an_alert() {
    let (target, tls) = start();
    let mut plain = TcpStream::connect(target.local_addr()).unwrap();
    plain.set_read_timeout(Some(PATIENCE)).unwrap();
    plain.write_all(get("/").as_bytes()).unwrap();
    let mut alert = Vec::new();
    plain.read_to_end(&mut alert).unwrap();
    assert_eq!(alert.first(), Some(&21), "an alert: {alert:x?}");
    drop(TcpStream::connect(target.local_addr()).unwrap());
    eventually(|| target.stats().handshakes_failed == 2);
    let mut other = ClientConfig::clone(&config(&tls, &rustls::version::TLS13));
    other.alpn_protocols = vec![b"h2".to_vec()];
    let name = "localhost".try_into().unwrap();
    let mut connection = ClientConnection::new(Arc::new(other), name).unwrap();
    let mut stream = TcpStream::connect(target.local_addr()).unwrap();
    let error = connection.complete_io(&mut stream).unwrap_err();
    assert!(error.to_string().contains("NoApplicationProtocol"), "{error}");
    eventually(|| target.stats().handshakes_failed == 3 && target.stats().connections_open == 0);
}

#[test]
fn a_client_that_has_said_all_gets_all_answers() {
    let (target, tls) = start();
    let mut client = connect(&target, &config(&tls, &rustls::version::TLS13));
    client.send(get("/") + &get("/bytes/20000000") + &get("/"));
    client.stream_mut().conn.send_close_notify();
    client.stream_mut().flush().unwrap();
    assert_eq!(client.answer().text(), "hello world\n");
    assert_eq!(client.answer().body.len(), 20_000_000);
    assert_eq!(client.answer().text(), "hello world\n");
    client.expect_close();
}

#[test]
fn the_program_serves_tls_and_explains_wrong_flags() {
    let folder = tempfile::tempdir().unwrap();
    let (missing, written) = (folder.path().join("none.pem"), folder.path().join("cert.pem"));
    let (missing, written) = (missing.to_str().unwrap(), written.to_str().unwrap());
    for arguments in [
        &["--tls-cert", missing][..],
        &["--tls-cert", missing, "--tls-key", missing],
        &["--tls-write-cert", written],
        &["--tls", "--tls-write-cert", "/nonexistent/cert.pem"],
    ] {
        let program = env!("CARGO_BIN_EXE_loadr-target");
        let output = Command::new(program).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stderr.starts_with(b"loadr-target: "));
    }
}
