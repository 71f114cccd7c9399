//! Streams and datagram sockets for protocols of one's own.

use std::fmt::Display;
use std::future::{Future, IntoFuture};
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use super::connect_failure;
use crate::outcome::{Failure, FailureKind};
use crate::runtime::Address;
use crate::stream::{Stream, UdpSocket};
use crate::user::Context;

/// How long a connection may take unless told otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A stream that is to be opened: awaiting it connects.
///
/// Each address of the name is tried in turn while they refuse, beginning with the one that was reached last; the
/// connection, made or not, is counted as one by the name that was given.
#[must_use = "nothing is connected before it is awaited"]
pub struct Connect<'c> {
    context: &'c Context,
    to: Destination,
    timeout: Duration,
}

enum Destination {
    /// `host:port`.
    Name(String),
    Unix(PathBuf),
}

impl Connect<'_> {
    /// How long each address is given; 10 s unless told otherwise.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    async fn open(self) -> Result<Stream, Failure> {
        let Self { context, to, timeout } = self;
        let place = match to {
            Destination::Name(name) => context.places().find(context, &name).await?,
            Destination::Unix(path) => context.places().unix(Address::Unix(path)),
        };
        let plain = || unreachable!("an endpoint without TLS asks for no client of it");
        place.endpoint(&context.shard_context()).connect(context, timeout, plain).await
    }
}

impl<'c> IntoFuture for Connect<'c> {
    type Output = Result<Stream, Failure>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + 'c>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.open())
    }
}

impl Context {
    /// Opens a TCP stream to `address`: a [`SocketAddr`](std::net::SocketAddr) or `host:port` in text. A name is looked up
    /// without holding up the shard, and the answer is kept for a minute.
    ///
    /// ```
    /// # use loadr_engine::outcome::Failure;
    /// # use loadr_engine::stream::Stream;
    /// # use loadr_engine::user::Context;
    /// # use std::time::Duration;
    /// async fn open(context: &Context) -> Result<Stream, Failure> {
    ///     context.tcp("db.example:6379").timeout(Duration::from_secs(2)).await
    /// }
    /// ```
    pub fn tcp(&self, address: impl Display) -> Connect<'_> {
        let to = Destination::Name(address.to_string());
        Connect { context: self, to, timeout: CONNECT_TIMEOUT }
    }

    /// Opens a stream to the Unix domain socket at `path`.
    pub fn unix(&self, path: impl Into<PathBuf>) -> Connect<'_> {
        Connect { context: self, to: Destination::Unix(path.into()), timeout: CONNECT_TIMEOUT }
    }

    /// Opens a UDP socket that talks to `address` alone, which is given as to [`Self::tcp`]. Nothing is sent yet, so that
    /// nothing is known of the far end; of several addresses the first that this machine has a route to is taken.
    ///
    /// # Errors
    /// The name does not resolve, or no socket can be had.
    pub async fn udp(&self, address: impl Display) -> Result<UdpSocket, Failure> {
        let name = address.to_string();
        let place = self.places().find(self, &name).await?;
        let mut failed = None;
        for address in place.socket_addresses() {
            match self.connect_datagrams(address) {
                Ok(socket) => return Ok(socket),
                Err(error) => failed = Some(connect_failure(&error)),
            }
        }
        Err(failed.unwrap_or_else(|| {
            Failure::new(FailureKind::ConnectFailed, format!("'{name}' has no address"))
        }))
    }
}
