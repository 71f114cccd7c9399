//! What a target is asked to be, and why it could not be that.
//!
//! Everything that can be refused is refused while binding and starting, before a caller is told
//! that the target serves; the errors name the address, path or CPU at fault.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use thiserror::Error;

use crate::tls::TargetTls;

/// The most server threads that one target starts.
pub const THREADS_MAX: usize = 256;

/// How to set up a [`Target`](crate::Target); the default is one unpinned thread on a free IPv4
/// loopback port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetOptions {
    /// Address to listen on; port 0 takes a free one, which
    /// [`Target::local_addr`](crate::Target::local_addr) tells.
    pub address: SocketAddr,
    /// Path of a Unix stream socket to serve as well.
    ///
    /// A socket that nobody listens on any more is replaced; the path is removed when the target
    /// ends.
    pub unix_socket: Option<PathBuf>,
    /// Server threads, 1 to [`THREADS_MAX`]; the k-th connection accepted is served by thread k
    /// modulo this number.
    pub threads: usize,
    /// CPUs to pin the threads to, taken in turn; empty leaves placement to the kernel.
    pub cpus: Vec<usize>,
    /// Serves TLS with this certificate, on every socket; `None` serves plain bytes.
    pub tls: Option<TargetTls>,
}

impl Default for TargetOptions {
    fn default() -> Self {
        Self {
            address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            unix_socket: None,
            threads: 1,
            cpus: Vec::new(),
            tls: None,
        }
    }
}

impl TargetOptions {
    /// Refuses numbers that could never work, before any socket is opened.
    pub(crate) fn check(&self) -> Result<(), TargetError> {
        if !(1..=THREADS_MAX).contains(&self.threads) {
            return Err(TargetError::Threads { threads: self.threads });
        }
        Ok(())
    }

    /// The CPU of thread `index`, if threads are to be pinned.
    pub(crate) fn cpu_of(&self, index: usize) -> Option<usize> {
        (!self.cpus.is_empty()).then(|| self.cpus[index % self.cpus.len()])
    }
}

/// Why a target could not start or go on serving.
#[derive(Debug, Error)]
pub enum TargetError {
    /// The number of threads is not usable.
    #[error("{threads} server threads asked for; 1 to {THREADS_MAX} are possible")]
    Threads {
        /// The number asked for.
        threads: usize,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the kernel answered.
        source: io::Error,
    },
    /// The Unix socket cannot be listened on.
    #[error("cannot listen on Unix socket {}: {source}", path.display())]
    BindUnix {
        /// The path asked for.
        path: PathBuf,
        /// What the kernel answered.
        source: io::Error,
    },
    /// A kernel object that every server thread needs was refused, for one of the reasons the
    /// manual pages give: most often the limit on open descriptors.
    #[error("cannot set up the server ({what}): {source}")]
    Setup {
        /// The object: "epoll", "eventfd", "timerfd" or "thread".
        what: &'static str,
        /// What the kernel answered.
        source: io::Error,
    },
    /// A file with a certificate or a key cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    TlsFile {
        /// The path asked for.
        path: PathBuf,
        /// What the kernel answered.
        source: io::Error,
    },
    /// There is no serving TLS with this certificate and key.
    #[error("cannot serve TLS ({what}): {reason}")]
    Tls {
        /// The part at fault.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A server thread may not run on the CPU asked for.
    #[error("cannot pin server thread {thread} to CPU {cpu}: {source}")]
    Pin {
        /// Index of the thread.
        thread: usize,
        /// The CPU asked for.
        cpu: usize,
        /// What the kernel answered.
        source: io::Error,
    },
    /// A server thread could not go on.
    #[error("server thread {thread} stopped: {source}")]
    Serve {
        /// Index of the thread.
        thread: usize,
        /// What the kernel answered.
        source: io::Error,
    },
    /// A server thread panicked, which is a bug in the target.
    #[error("server thread {thread} panicked")]
    Panicked {
        /// Index of the thread.
        thread: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_out_of_range_are_refused_with_the_figure() {
        for threads in [0, THREADS_MAX + 1] {
            let refused = TargetOptions { threads, ..TargetOptions::default() }.check();
            assert!(matches!(refused, Err(TargetError::Threads { threads: t }) if t == threads));
        }
        assert!(TargetOptions::default().check().is_ok());
    }

    #[test]
    fn cpus_are_taken_in_turn() {
        let options = TargetOptions { cpus: vec![4, 7], ..TargetOptions::default() };
        let taken: Vec<_> = (0..3).map(|index| options.cpu_of(index)).collect();
        assert_eq!(taken, [Some(4), Some(7), Some(4)]);
        assert_eq!(TargetOptions::default().cpu_of(0), None);
    }
}
