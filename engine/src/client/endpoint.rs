//! Where a URL's connections go: the addresses of a name, and the one that answered last.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use rustls::pki_types::ServerName;

use super::stream_failure;
use crate::clock::nanos;
use crate::outcome::{Failure, FailureKind};
use crate::record::{EntryIndex, EntryKind, Exchange};
use crate::runtime::Address;
use crate::stream::{Handshake, Stream};
use crate::tls::TlsClient;
use crate::user::{Context, ShardContext};

/// What stands in the place of a method where a handshake is counted, for a full one and for one that resumed a session.
const HANDSHAKE_METHODS: [&str; 2] = ["TLS full", "TLS resumed"];

/// A place to connect to, on one shard.
#[derive(Debug)]
pub struct Endpoint {
    addresses: Vec<Address>,
    /// Index of the address that was reached last: `localhost` often has two and serves one.
    preferred: Cell<usize>,
    /// The entry that its connections are counted under.
    entry: EntryIndex,
    tls: Option<Secured>,
}

/// What is known of a far end that speaks TLS.
#[derive(Debug)]
pub(crate) struct Secured {
    name: ServerName<'static>,
    /// Protocols offered for inside of it, where they are not those of the user's settings.
    protocols: Option<Vec<Vec<u8>>>,
    /// The entries of full handshakes and of others, as in [`HANDSHAKE_METHODS`].
    entries: [EntryIndex; 2],
}

impl Endpoint {
    /// An endpoint of these addresses, whose connections are counted under `name`.
    ///
    /// # Panics
    /// When there is no address.
    pub fn new(shard: &ShardContext, name: &str, addresses: Vec<Address>) -> Self {
        assert!(!addresses.is_empty(), "an endpoint has an address");
        let entry = shard.entry(EntryKind::Connection, "CONNECT", name);
        Self { addresses, preferred: Cell::new(0), entry, tls: None }
    }

    /// The same place where it speaks TLS and calls itself `server`; handshakes are counted under `name`.
    pub fn secured(
        mut self,
        shard: &ShardContext,
        name: &str,
        server: ServerName<'static>,
    ) -> Self {
        self.tls = Some(Secured::new(shard, name, server));
        self
    }

    /// Opens a stream and counts the connection; tries the other addresses where one refuses. Where the endpoint speaks
    /// TLS, the handshake is done as the user that `client` gives and counted apart; both together have `timeout`.
    ///
    /// # Errors
    /// That of the last address tried, or of the handshake.
    pub async fn connect(
        &self,
        context: &Context,
        timeout: Duration,
        client: impl FnOnce() -> Rc<TlsClient>,
    ) -> Result<Stream, Failure> {
        let start_ns = context.now_ns();
        let opened = self.try_addresses(context, timeout).await;
        let failed = opened.is_err();
        let end_ns = context.now_ns();
        context.record_aside(
            self.entry,
            &Exchange { start_ns, end_ns, failed, ..Exchange::default() },
        );
        let mut stream = opened?;
        if let Some(tls) = &self.tls {
            stream.set_deadline(Some(start_ns.saturating_add(nanos(timeout))));
            let client = client();
            // Boxed: a handshake is rare, and every connection of a plain one would hold room for it.
            Box::pin(tls.shake_hands(context, &mut stream, &client, end_ns, timeout)).await?;
            stream.set_deadline(None);
        }
        Ok(stream)
    }

    async fn try_addresses(&self, context: &Context, timeout: Duration) -> Result<Stream, Failure> {
        let mut tried = 0;
        loop {
            let index = (self.preferred.get() + tried) % self.addresses.len();
            let opened = context.connect(&self.addresses[index], timeout).await;
            tried += 1;
            match opened {
                Ok(stream) => {
                    self.preferred.set(index);
                    return Ok(stream);
                }
                Err(failure) if tried == self.addresses.len() || !is_worth_another(&failure) => {
                    return Err(failure);
                }
                Err(_) => {}
            }
        }
    }
}

impl Secured {
    /// A far end that calls itself `server`; handshakes are counted under `name`.
    pub(crate) fn new(shard: &ShardContext, name: &str, server: ServerName<'static>) -> Self {
        let entries =
            HANDSHAKE_METHODS.map(|method| shard.entry(EntryKind::Handshake, method, name));
        Self { name: server, protocols: None, entries }
    }

    /// Offers these protocols instead of those of the user's settings.
    pub(crate) fn offering(mut self, protocols: &[&str]) -> Self {
        self.protocols = Some(protocols.iter().map(|name| name.as_bytes().to_vec()).collect());
        self
    }

    /// Makes `stream` an encrypted one and counts the handshake, which began at `start_ns`.
    pub(crate) async fn shake_hands(
        &self,
        context: &Context,
        stream: &mut Stream,
        client: &TlsClient,
        start_ns: u64,
        timeout: Duration,
    ) -> Result<Handshake, Failure> {
        let done = stream.secure(client, self.name.clone(), self.protocols.clone()).await;
        let end_ns = context.now_ns();
        let failed = done.is_err();
        let resumed = done.as_ref().is_ok_and(|handshake| handshake.resumed);
        context.record_aside(
            self.entries[usize::from(resumed)],
            &Exchange { start_ns, end_ns, failed, ..Exchange::default() },
        );
        done.map_err(|error| match stream_failure(&error, timeout) {
            Failure { kind: FailureKind::Timeout, .. } => Failure::new(
                FailureKind::ConnectTimeout,
                format!("TLS handshake not done within {timeout:?}"),
            ),
            Failure { kind: kind @ (FailureKind::Reset | FailureKind::Closed), message } => {
                Failure::new(kind, format!("{message}, in the TLS handshake"))
            }
            other => other,
        })
    }
}

/// Another address may do better where this one is the reason; a limit of this machine is the same for all.
fn is_worth_another(failure: &Failure) -> bool {
    matches!(
        failure.kind,
        FailureKind::ConnectRefused | FailureKind::ConnectTimeout | FailureKind::ConnectFailed
    )
}
