//! Simulated datagrams: each is lost, or arrives after a latency of its own, so that they overtake each other.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::{Handle, LocalFuture, Simulation};

pub(super) type Listener = Rc<dyn Fn(DatagramPeer) -> LocalFuture>;

impl Simulation {
    /// Serves UDP on `address`: each socket that talks to it becomes a [`DatagramPeer`] in a task of its own.
    pub fn listen_datagrams<F>(
        &self,
        address: SocketAddr,
        serve: impl Fn(DatagramPeer) -> F + 'static,
    ) where
        F: Future<Output = ()> + 'static,
    {
        let listener: Listener = Rc::new(move |peer| Box::pin(serve(peer)));
        self.world.datagram_listeners.borrow_mut().insert(address, listener);
    }
}

impl Handle {
    pub(crate) fn connect_datagrams(&self, address: SocketAddr) -> SimDatagrams {
        let listener = self.0.datagram_listeners.borrow().get(&address).cloned();
        let (incoming, outgoing) = (Rc::<RefCell<Way>>::default(), Rc::<RefCell<Way>>::default());
        outgoing.borrow_mut().leads_nowhere = listener.is_none();
        if let Some(serve) = listener {
            let (incoming, outgoing) = (Rc::clone(&outgoing), Rc::clone(&incoming));
            let there = SimDatagrams { world: self.clone(), incoming, outgoing };
            self.spawn(serve(DatagramPeer(there)));
        }
        SimDatagrams { world: self.clone(), incoming, outgoing }
    }
}

enum Arrival {
    Datagram(Bytes),
    /// The far machine says that nobody listens.
    Refusal,
}

/// One direction between two sockets.
#[derive(Default)]
struct Way {
    /// What is on its way, by the moment it arrives and the order in which it was sent.
    arrivals: BTreeMap<(u64, u64), Arrival>,
    sent: u64,
    /// The moment at which the reader will be woken.
    wakes_ns: u64,
    /// The sender was dropped.
    ended: bool,
    leads_nowhere: bool,
    reader: Option<Waker>,
}

impl Way {
    fn add(&mut self, arrives_ns: u64, arrival: Arrival) {
        self.sent += 1;
        self.arrivals.insert((arrives_ns, self.sent), arrival);
        self.wake();
    }

    fn has_ended(&self) -> bool {
        self.ended && self.arrivals.is_empty()
    }

    fn wake(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

/// One end of a simulated exchange of datagrams.
pub(crate) struct SimDatagrams {
    world: Handle,
    incoming: Rc<RefCell<Way>>,
    outgoing: Rc<RefCell<Way>>,
}

impl SimDatagrams {
    pub(crate) fn send(&self, datagram: &[u8]) -> io::Result<()> {
        let world = &self.world.0;
        let lost = world.chance(world.links.lost_per_million);
        let arrives_ns = world.now_ns.get() + world.draw(&world.links.latency_ns);
        let refused = self.outgoing.borrow().leads_nowhere;
        match (lost, refused) {
            (true, _) => {}
            (false, true) => self.incoming.borrow_mut().add(arrives_ns, Arrival::Refusal),
            (false, false) => {
                let datagram = Bytes::copy_from_slice(datagram);
                self.outgoing.borrow_mut().add(arrives_ns, Arrival::Datagram(datagram));
            }
        }
        Ok(())
    }

    pub(crate) fn try_recv(&self, into: &mut [u8]) -> io::Result<usize> {
        match self.arrived() {
            None => Err(io::ErrorKind::WouldBlock.into()),
            Some(Arrival::Refusal) => Err(io::ErrorKind::ConnectionRefused.into()),
            Some(Arrival::Datagram(datagram)) => {
                let count = datagram.len().min(into.len());
                into[..count].copy_from_slice(&datagram[..count]);
                Ok(datagram.len())
            }
        }
    }

    fn arrived(&self) -> Option<Arrival> {
        let mut way = self.incoming.borrow_mut();
        let next = way.arrivals.first_entry()?;
        (next.key().0 <= self.world.0.now_ns.get()).then(|| next.remove())
    }

    pub(crate) async fn readable(&self) {
        poll_fn(|context| self.poll_readable(context)).await;
    }

    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut way = self.incoming.borrow_mut();
        let next_ns = way.arrivals.first_key_value().map(|((arrives_ns, _), _)| *arrives_ns);
        match next_ns {
            Some(arrives_ns) if arrives_ns <= self.world.0.now_ns.get() => return Poll::Ready(()),
            // Once per moment: whoever is polled for another reason must not multiply its wake-ups.
            Some(arrives_ns) if arrives_ns != way.wakes_ns => {
                way.wakes_ns = arrives_ns;
                self.world.0.wake_at(arrives_ns, context.waker().clone());
            }
            _ => {}
        }
        way.reader = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Drop for SimDatagrams {
    fn drop(&mut self) {
        let mut way = self.outgoing.borrow_mut();
        way.ended = true;
        way.wake();
    }
}

/// The far end of a simulated UDP socket, for the test that plays the target.
pub struct DatagramPeer(SimDatagrams);

impl DatagramPeer {
    /// Waits for the next datagram; `None` once the near end is gone.
    pub async fn recv(&self) -> Option<Bytes> {
        poll_fn(|context| {
            if self.0.incoming.borrow().has_ended() {
                return Poll::Ready(None);
            }
            match (self.0.poll_readable(context), self.0.arrived()) {
                (_, Some(Arrival::Datagram(datagram))) => Poll::Ready(Some(datagram)),
                _ => Poll::Pending,
            }
        })
        .await
    }

    /// Sends a datagram back.
    pub fn send(&self, datagram: &[u8]) {
        self.0.send(datagram).expect("a simulated socket takes any datagram");
    }

    /// Waits for `delay_ns` nanoseconds of virtual time.
    pub async fn sleep(&self, delay_ns: u64) {
        self.0.world.sleep(delay_ns).await;
    }
}
