//! A server that speaks TLS properly, and does with it what a test says.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

use loadr_tests::certificates::{Certificates, Pair};
use loadr_tests::scripted::ScriptedServer;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A connection whose handshake is done by the first read or write.
pub(super) struct Secure(StreamOwned<ServerConnection, TcpStream>);

impl Secure {
    /// Waits for the head of a request.
    pub(super) fn await_request(&mut self) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            match self.0.read(&mut byte) {
                Ok(1) => head.extend(byte),
                _ => return,
            }
        }
    }

    /// Sends `bytes` as records.
    pub(super) fn send(&mut self, bytes: &[u8]) {
        // A peer that is gone takes none.
        let _ = self.0.write_all(bytes).and_then(|()| self.0.flush());
    }

    /// Sends `bytes` as they are.
    pub(super) fn send_bare(&mut self, bytes: &[u8]) {
        let _ = self.0.sock.write_all(bytes);
    }

    /// Says that all has been sent.
    pub(super) fn close_notify(&mut self) {
        self.0.conn.send_close_notify();
        let _ = self.0.flush();
    }

    /// Ends the connection without a word, once the peer has read what was sent.
    pub(super) fn end(mut self) {
        let _ = self.0.sock.shutdown(Shutdown::Write);
        let mut piece = [0; 4096];
        while let Ok(1..) = self.0.sock.read(&mut piece) {}
    }
}

/// A server with the certificate of `pair`, each connection of which runs `script`.
pub(super) fn start(
    pair: &Pair,
    script: impl Fn(&mut Secure) + Send + Sync + 'static,
) -> ScriptedServer {
    let certificate = CertificateDer::from_pem_file(&pair.certificate).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(&pair.key).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the versions are known")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key);
    let config = Arc::new(config.expect("certificate and key go together"));
    ScriptedServer::start(move |connection| {
        let tls = ServerConnection::new(Arc::clone(&config)).expect("the settings are usable");
        let mut secure = Secure(StreamOwned::new(tls, connection.into_stream()));
        script(&mut secure);
        secure.end();
    })
}

/// An authority, and a server with a certificate of its that answers each request with `answer` and then does `ending`.
pub(super) fn answering(
    answer: &'static [u8],
    ending: fn(&mut Secure),
) -> (Certificates, ScriptedServer) {
    let certificates = Certificates::new();
    let server = start(&certificates.good(), move |secure| {
        secure.await_request();
        secure.send(answer);
        ending(secure);
    });
    (certificates, server)
}
