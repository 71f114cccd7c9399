//! Where names lead, remembered by the shard.
//!
//! An address that is written in digits is known at once. A name is looked up by the resolver of this machine, which may
//! block for seconds, so a thread of the bridge asks it: one for all users that wait for the same name. What it says is
//! kept for a minute, that there is no such name for some seconds.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::rc::Rc;
use std::task::{Poll, Waker};

use super::endpoint::Endpoint;
use crate::clock::NANOS_PER_SECOND;
use crate::outcome::{Failure, FailureKind};
use crate::runtime::Address;
use crate::user::{Context, ShardContext};

/// How long the addresses of a name are kept, in nanoseconds.
const RESOLVED_NS: u64 = 60 * NANOS_PER_SECOND;
/// How long a name that did not resolve is left alone, in nanoseconds.
const UNRESOLVED_NS: u64 = 5 * NANOS_PER_SECOND;
/// Most places that one shard remembers; the rest are looked up each time.
const PLACES_MAX: usize = 1_000;

/// A place to connect to.
pub(crate) struct Place {
    name: Box<str>,
    addresses: Vec<Address>,
    endpoint: OnceCell<Endpoint>,
}

impl Place {
    fn new(name: &str, addresses: Vec<Address>) -> Rc<Self> {
        Rc::new(Self { name: name.into(), addresses, endpoint: OnceCell::new() })
    }

    /// Its endpoint, made when the first stream is wanted: datagrams count no connections.
    pub(crate) fn endpoint(&self, shard: &ShardContext) -> &Endpoint {
        self.endpoint.get_or_init(|| Endpoint::new(shard, &self.name, self.addresses.clone()))
    }

    /// Its addresses of the internet.
    pub(crate) fn socket_addresses(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.addresses.iter().filter_map(|address| match address {
            Address::Tcp(address) => Some(*address),
            Address::Unix(_) => None,
        })
    }
}

/// Every place that the users of one shard have asked for.
#[derive(Default)]
pub(crate) struct Places(RefCell<HashMap<Box<str>, Meeting>>);

enum Meeting {
    /// Known until a moment, in nanoseconds since the run's origin.
    Known(Rc<Place>, u64),
    /// Did not resolve, and is not tried again before a moment.
    Unresolved(Failure, u64),
    /// Somebody is looking it up; these wait for that.
    Sought(Vec<Waker>),
}

impl Places {
    /// The place of a Unix socket.
    pub(crate) fn unix(&self, address: Address) -> Rc<Place> {
        let name = address.to_string();
        self.known(&name).unwrap_or_else(|| self.remember(&name, vec![address], u64::MAX))
    }

    /// The place that `host:port` is at.
    pub(crate) async fn find(&self, context: &Context, name: &str) -> Result<Rc<Place>, Failure> {
        loop {
            match self.look(name, context.now_ns()) {
                Look::Known(place) => return Ok(place),
                Look::Unresolved(failure) => return Err(failure),
                Look::Sought => self.await_end_of_search(name).await,
                Look::Unknown => break,
            }
        }
        if let Ok(address) = name.parse() {
            return Ok(self.remember(name, vec![Address::Tcp(address)], u64::MAX));
        }
        self.resolve(context, name).await
    }

    fn known(&self, name: &str) -> Option<Rc<Place>> {
        match self.0.borrow().get(name) {
            Some(Meeting::Known(place, _)) => Some(Rc::clone(place)),
            _ => None,
        }
    }

    fn look(&self, name: &str, now_ns: u64) -> Look {
        match self.0.borrow().get(name) {
            Some(Meeting::Known(place, until_ns)) if now_ns < *until_ns => {
                Look::Known(Rc::clone(place))
            }
            Some(Meeting::Unresolved(failure, until_ns)) if now_ns < *until_ns => {
                Look::Unresolved(failure.clone())
            }
            Some(Meeting::Sought(_)) => Look::Sought,
            _ => Look::Unknown,
        }
    }

    fn remember(&self, name: &str, addresses: Vec<Address>, until_ns: u64) -> Rc<Place> {
        let place = Place::new(name, addresses);
        self.note(name, Meeting::Known(Rc::clone(&place), until_ns));
        place
    }

    fn note(&self, name: &str, meeting: Meeting) {
        let mut met = self.0.borrow_mut();
        if met.len() < PLACES_MAX || met.contains_key(name) {
            met.insert(name.into(), meeting);
        }
    }

    async fn resolve(&self, context: &Context, name: &str) -> Result<Rc<Place>, Failure> {
        let port = name.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        if port.is_none() {
            let message = format!("'{name}' has no port: an address is host:port");
            return Err(Failure::new(FailureKind::Other, message));
        }
        self.note(name, Meeting::Sought(Vec::new()));
        let search = Search { places: self, name };
        let asked = name.to_owned();
        let found = context.blocking(move || asked.to_socket_addrs().map(Iterator::collect)).await;
        let found = found.and_then(|found: Vec<SocketAddr>| match found.is_empty() {
            true => Err(io::Error::other("it has no address")),
            false => Ok(found),
        });
        let now_ns = context.now_ns();
        drop(search);
        match found {
            Ok(found) => {
                let addresses = found.into_iter().map(Address::Tcp).collect();
                Ok(self.remember(name, addresses, now_ns.saturating_add(RESOLVED_NS)))
            }
            Err(error) => {
                let message = format!("cannot resolve '{name}': {error}");
                let failure = Failure::new(FailureKind::ConnectFailed, message);
                let until_ns = now_ns.saturating_add(UNRESOLVED_NS);
                self.note(name, Meeting::Unresolved(failure.clone(), until_ns));
                Err(failure)
            }
        }
    }

    async fn await_end_of_search(&self, name: &str) {
        let mut registered = false;
        poll_fn(|task| match self.0.borrow_mut().get_mut(name) {
            Some(Meeting::Sought(waiting)) => {
                if !std::mem::replace(&mut registered, true) {
                    waiting.push(task.waker().clone());
                }
                Poll::Pending
            }
            _ => Poll::Ready(()),
        })
        .await;
    }
}

enum Look {
    Known(Rc<Place>),
    Unresolved(Failure),
    Sought,
    Unknown,
}

/// A name that is being looked up. When that ends, or is given up because its user was stopped, who waits looks again.
struct Search<'p> {
    places: &'p Places,
    name: &'p str,
}

impl Drop for Search<'_> {
    fn drop(&mut self) {
        let meeting = self.places.0.borrow_mut().remove(self.name);
        if let Some(Meeting::Sought(waiting)) = meeting {
            waiting.into_iter().for_each(Waker::wake);
        }
    }
}
