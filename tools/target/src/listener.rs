//! Listening sockets.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::net::{SocketFlags, accept_with, sockopt};

use crate::options::TargetError;

/// Connections that may wait to be accepted; the kernel cuts this to its own limit
/// (`net.core.somaxconn`).
///
/// The standard library's 128 overflows when thousands of users start at once, and each SYN dropped
/// costs a second.
const BACKLOG: i32 = 65_535;

/// A non-blocking listening socket, TCP or Unix.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) socket: OwnedFd,
    is_tcp: bool,
    /// Removes the path of a Unix socket when the listener goes.
    _path: Option<SocketPath>,
}

#[derive(Debug)]
struct SocketPath(PathBuf);

impl Drop for SocketPath {
    fn drop(&mut self) {
        // There is nobody to tell, and the next start replaces a socket left behind.
        let _removed = std::fs::remove_file(&self.0);
    }
}

impl Listener {
    /// Listens on a TCP address; also tells the one it got.
    pub(crate) fn tcp(address: SocketAddr) -> Result<(Self, SocketAddr), TargetError> {
        let bound = || {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            rustix::net::listen(&listener, BACKLOG)?;
            let local = listener.local_addr()?;
            Ok((Self { socket: listener.into(), is_tcp: true, _path: None }, local))
        };
        bound().map_err(|source| TargetError::Bind { address, source })
    }

    /// Listens on a Unix socket, replacing one that nobody listens on any more.
    pub(crate) fn unix(path: &Path) -> Result<Self, TargetError> {
        let bound = || {
            let listener = bind_unix(path)?;
            let removal = SocketPath(path.to_owned());
            listener.set_nonblocking(true)?;
            rustix::net::listen(&listener, BACKLOG)?;
            Ok(Self { socket: listener.into(), is_tcp: false, _path: Some(removal) })
        };
        bound().map_err(|source| TargetError::BindUnix { path: path.to_owned(), source })
    }

    /// Accepts one connection, non-blocking and, over TCP, without Nagle's delay.
    pub(crate) fn accept(&self) -> rustix::io::Result<OwnedFd> {
        let socket = accept_with(&self.socket, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC)?;
        if self.is_tcp {
            sockopt::set_tcp_nodelay(&socket, true)?;
        }
        Ok(socket)
    }
}

fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_abandoned(path) => {
            std::fs::remove_file(path)?;
            UnixListener::bind(path)
        }
        bound => bound,
    }
}

/// Whether `path` is a socket that refuses connections; files of other kinds are never touched.
fn is_abandoned(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    let is_socket = path.symlink_metadata().is_ok_and(|data| data.file_type().is_socket());
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    is_socket && UnixStream::connect(path).is_err_and(refused)
}
