//! The places that the sessions of a shard connect to.
//!
//! Hosts that are known before the run are resolved before it, once for all shards. A name that turns up during the run,
//! in a redirect or in a URL that a task made, is resolved when it is first met, by the resolver of this machine, **which
//! blocks the shard** for as long as that takes; what comes of it is kept, a failure for some seconds only.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::rc::Rc;

use super::location::{Location, LocationError};
use crate::client::endpoint::Endpoint;
use crate::clock::NANOS_PER_SECOND;
use crate::outcome::{Failure, FailureKind};
use crate::runtime::Address;
use crate::tls::TlsConfig;
use crate::user::ShardContext;

/// How long a name that did not resolve is left alone, in nanoseconds.
const UNRESOLVED_NS: u64 = 5 * NANOS_PER_SECOND;
/// Most places that one shard remembers: a target whose redirects lead to ever new ones is stopped here.
const ORIGINS_MAX: usize = 1_000;

/// Addresses of hosts, found before the run and shared by its shards.
#[derive(Clone, Debug, Default)]
pub struct KnownHosts(BTreeMap<String, Vec<Address>>);

/// What a place is known by, in [`KnownHosts`] and in the report: host and port, and the scheme where it is not HTTP.
fn key(location: &Location) -> Cow<'_, str> {
    match location.is_secure() {
        false => Cow::Borrowed(location.authority()),
        true => Cow::Owned(format!("https://{}", location.authority())),
    }
}

impl KnownHosts {
    /// Resolves the host of a base URL; blocks.
    ///
    /// # Errors
    /// It is not an `http://`, `https://`, `ws://` or `wss://` URL, or its name does not resolve.
    pub fn resolve(&mut self, host: &str) -> Result<(), LocationError> {
        let location = Location::of_host(host)?;
        let addresses = location.resolve()?.into_iter().map(Address::Tcp).collect();
        self.0.insert(key(&location).into_owned(), addresses);
        Ok(())
    }

    /// Whether TLS is spoken with any of them.
    pub fn are_any_secure(&self) -> bool {
        self.0.keys().any(|key| key.starts_with("https://"))
    }

    /// Whether every one of them is on this machine.
    pub fn are_local(&self) -> bool {
        let local = |address: &Address| match address {
            Address::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Address::Unix(_) => true,
        };
        self.0.values().flatten().all(local)
    }

    /// Says where the host of a base URL is, whatever a resolver thinks.
    ///
    /// # Errors
    /// It is not an `http://`, `https://`, `ws://` or `wss://` URL.
    pub fn set(&mut self, host: &str, addresses: Vec<Address>) -> Result<(), LocationError> {
        let location = Location::of_host(host)?;
        self.0.insert(key(&location).into_owned(), addresses);
        Ok(())
    }
}

/// One place, by its scheme, host and port.
pub(super) struct Origin {
    /// As far as the path.
    pub(super) base: Box<str>,
    pub(super) endpoint: Rc<Endpoint>,
}

/// Every place that the sessions of one shard have met.
pub struct Origins {
    shard: ShardContext,
    known: KnownHosts,
    /// By host and port, those with TLS apart.
    met: [RefCell<HashMap<Box<str>, Meeting>>; 2],
}

enum Meeting {
    Resolved(Rc<Origin>),
    /// Its name did not resolve, and is not tried again before this moment.
    Unresolved(LocationError, u64),
}

impl Origins {
    /// The places of `shard`; `known` says where those are that were resolved before the run.
    pub fn new(shard: &ShardContext, known: KnownHosts) -> Rc<Self> {
        Rc::new(Self { shard: shard.clone(), known, met: Default::default() })
    }

    /// The place that `location` is at, resolved now where it is not known; `tls` says how it is spoken with, if it is.
    pub(super) fn find(
        &self,
        now_ns: u64,
        location: &Location,
        tls: &TlsConfig,
    ) -> Result<Rc<Origin>, Failure> {
        match self.met(location).borrow().get(location.authority()) {
            Some(Meeting::Resolved(origin)) => return Ok(Rc::clone(origin)),
            Some(Meeting::Unresolved(error, until_ns)) if now_ns < *until_ns => {
                return Err(error.clone().into());
            }
            _ => {}
        }
        self.meet(now_ns, location, tls)
    }

    fn met(&self, location: &Location) -> &RefCell<HashMap<Box<str>, Meeting>> {
        &self.met[usize::from(location.is_secure())]
    }

    #[cold]
    fn meet(
        &self,
        now_ns: u64,
        location: &Location,
        tls: &TlsConfig,
    ) -> Result<Rc<Origin>, Failure> {
        if self.met.iter().map(|met| met.borrow().len()).sum::<usize>() >= ORIGINS_MAX {
            let message = format!("more than {ORIGINS_MAX} hosts called by one shard");
            return Err(Failure::new(FailureKind::Other, message));
        }
        let (meeting, found) = match self.origin(location, tls) {
            Ok(origin) => (Meeting::Resolved(Rc::clone(&origin)), Ok(origin)),
            Err(error) => {
                let until_ns = now_ns + UNRESOLVED_NS;
                (Meeting::Unresolved(error.clone(), until_ns), Err(error.into()))
            }
        };
        self.met(location).borrow_mut().insert(location.authority().into(), meeting);
        found
    }

    fn origin(&self, location: &Location, tls: &TlsConfig) -> Result<Rc<Origin>, LocationError> {
        let name = key(location);
        let endpoint = Endpoint::new(&self.shard, &name, self.addresses(location)?);
        let endpoint = match location.is_secure() {
            false => endpoint,
            true => endpoint.secured(&self.shard, &name, tls.server_name(&location.host())?),
        };
        let base = format!("{}://{}", location.scheme(), location.authority());
        Ok(Rc::new(Origin { base: base.into(), endpoint: Rc::new(endpoint) }))
    }

    fn addresses(&self, location: &Location) -> Result<Vec<Address>, LocationError> {
        match self.known.0.get(&*key(location)) {
            Some(addresses) if !addresses.is_empty() => Ok(addresses.clone()),
            _ => Ok(location.resolve()?.into_iter().map(Address::Tcp).collect()),
        }
    }
}

impl fmt::Debug for Origins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Origins").field("known", &self.known).finish_non_exhaustive()
    }
}
