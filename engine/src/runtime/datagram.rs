//! Datagram sockets of the runtimes: waits for readiness, and calls that never wait.
//!
//! A stream lends its buffer to the kernel, because that saves a system call for each exchange and bytes may not be
//! lost. Here the order is the other way round: wait until there is something, then take it with a call that does not
//! wait. Nothing is lent while a task waits, so a wait may be dropped at any time, a deadline leaves the socket as it
//! was, and the kernel says how long a datagram was that did not fit (`MSG_TRUNC`).

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::task::{Context, Waker};

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, socket_with};

use super::sim;

/// A runtime's datagram socket.
pub(crate) enum DatagramIo {
    Monoio { socket: ::monoio::net::udp::UdpSocket, uring: bool },
    Glommio(::glommio::net::UdpSocket),
    Sim(sim::SimDatagrams),
}

impl DatagramIo {
    /// Takes the next datagram and gives its whole length, of which no more was stored than there was room for;
    /// `WouldBlock` where there is none.
    pub(crate) fn try_recv(&self, into: &mut [u8]) -> io::Result<usize> {
        let Some(socket) = self.descriptor() else { return self.simulated().try_recv(into) };
        let flags = RecvFlags::DONTWAIT | RecvFlags::TRUNC;
        let (_, length) = rustix::net::recv(socket, into, flags)?;
        Ok(length)
    }

    /// Sends a datagram; `WouldBlock` where the socket's buffer is full.
    pub(crate) fn try_send(&self, datagram: &[u8]) -> io::Result<()> {
        let Some(socket) = self.descriptor() else { return self.simulated().send(datagram) };
        rustix::net::send(socket, datagram, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// Waits until [`Self::try_recv`] may have something, or an error, to give.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        match self {
            // `false`: ask the kernel each time, because nobody tells monoio when a datagram is taken.
            Self::Monoio { socket, .. } => socket.readable(false).await,
            // The nearest thing to a wait for readiness that glommio lets others use: it leaves the datagram there.
            Self::Glommio(socket) => {
                socket.peek(&mut [0]).await?;
                Ok(())
            }
            Self::Sim(socket) => {
                socket.readable().await;
                Ok(())
            }
        }
    }

    /// Sends a datagram once the socket's buffer has room.
    pub(crate) async fn send_later(&self, datagram: &[u8]) -> io::Result<()> {
        match self {
            Self::Monoio { socket, .. } => loop {
                socket.writable(false).await?;
                match self.try_send(datagram) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    sent => return sent,
                }
            },
            Self::Glommio(socket) => {
                socket.send(datagram).await?;
                Ok(())
            }
            Self::Sim(socket) => socket.send(datagram),
        }
    }

    /// [`Self::readable`] does not notice an error: monoio's epoll driver takes one for something that writers wait for.
    pub(crate) fn misses_errors(&self) -> bool {
        matches!(self, Self::Monoio { uring: false, .. })
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        let fd = match self {
            Self::Monoio { socket, .. } => socket.as_raw_fd(),
            Self::Glommio(socket) => socket.as_raw_fd(),
            Self::Sim(_) => return None,
        };
        // SAFETY: the socket owns the descriptor and is borrowed for as long as the result.
        Some(unsafe { BorrowedFd::borrow_raw(fd) })
    }

    fn simulated(&self) -> &sim::SimDatagrams {
        match self {
            Self::Sim(socket) => socket,
            _ => unreachable!("only a simulated socket has no descriptor"),
        }
    }
}

/// A UDP socket that sends to `address` and receives from nobody else; that takes no waiting.
///
/// It stays a blocking one, because io_uring does not wait on others; each direct call says itself that it does not.
pub(super) fn connected(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    let socket = socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    rustix::net::connect(&socket, &address)?;
    Ok(socket)
}

/// The task that waits for a socket, to be woken by its deadline.
#[derive(Default)]
pub(crate) struct Waiter(RefCell<Option<Waker>>);

impl Waiter {
    pub(crate) fn wait(&self, task: &mut Context<'_>) {
        let mut waiting = self.0.borrow_mut();
        match &mut *waiting {
            Some(waker) => waker.clone_from(task.waker()),
            None => *waiting = Some(task.waker().clone()),
        }
    }

    pub(crate) fn wake(&self) {
        let waker = self.0.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
