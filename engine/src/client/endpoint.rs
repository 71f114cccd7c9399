//! Where a URL's connections go: the addresses of a name, and the one that answered last.

use std::cell::Cell;
use std::time::Duration;

use crate::outcome::{Failure, FailureKind};
use crate::record::{EntryIndex, EntryKind, Exchange};
use crate::runtime::Address;
use crate::stream::Stream;
use crate::user::{Context, ShardContext};

/// A place to connect to, on one shard.
#[derive(Debug)]
pub struct Endpoint {
    addresses: Vec<Address>,
    /// Index of the address that was reached last: `localhost` often has two and serves one.
    preferred: Cell<usize>,
    /// The entry that its connections are counted under.
    entry: EntryIndex,
}

impl Endpoint {
    /// An endpoint of these addresses, whose connections are counted under `name`.
    ///
    /// # Panics
    /// When there is no address.
    pub fn new(shard: &ShardContext, name: &str, addresses: Vec<Address>) -> Self {
        assert!(!addresses.is_empty(), "an endpoint has an address");
        let entry = shard.entry(EntryKind::Connection, "CONNECT", name);
        Self { addresses, preferred: Cell::new(0), entry }
    }

    /// Opens a stream and counts the connection; tries the other addresses where one refuses.
    ///
    /// # Errors
    /// That of the last address tried.
    pub async fn connect(&self, context: &Context, timeout: Duration) -> Result<Stream, Failure> {
        let start_ns = context.now_ns();
        let opened = self.try_addresses(context, timeout).await;
        let failed = opened.is_err();
        let end_ns = context.now_ns();
        context.record_aside(
            self.entry,
            &Exchange { start_ns, end_ns, failed, ..Exchange::default() },
        );
        opened
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

/// Another address may do better where this one is the reason; a limit of this machine is the same for all.
fn is_worth_another(failure: &Failure) -> bool {
    matches!(
        failure.kind,
        FailureKind::ConnectRefused | FailureKind::ConnectTimeout | FailureKind::ConnectFailed
    )
}
