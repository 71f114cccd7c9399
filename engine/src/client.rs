//! Clients: a codec driven over a stream, with every way it can fail put into words.

pub mod backoff;
pub mod connect;
pub mod endpoint;
pub mod framed;
pub mod http;
pub(crate) mod names;
mod sending;
pub mod session;
pub mod status;
pub mod websocket;
pub mod xmlrpc;

use std::io;
use std::time::Duration;

use crate::limits;
use crate::outcome::{Failure, FailureKind};
use crate::tls::TlsError;

pub(crate) fn connect_timed_out(timeout: Duration) -> Failure {
    Failure::new(FailureKind::ConnectTimeout, format!("connection not made within {timeout:?}"))
}

/// Puts an error of a connection attempt into words, with the figures of the limit it ran into.
pub(crate) fn connect_failure(error: &io::Error) -> Failure {
    match error.raw_os_error() {
        Some(libc::ECONNREFUSED) => Failure::new(FailureKind::ConnectRefused, "connection refused"),
        Some(libc::ENOENT) => Failure::new(FailureKind::ConnectRefused, "no such Unix socket"),
        Some(libc::ETIMEDOUT) => {
            Failure::new(FailureKind::ConnectTimeout, "connection timed out in the kernel")
        }
        Some(libc::EADDRNOTAVAIL) => no_local_port(),
        Some(libc::EMFILE | libc::ENFILE) => descriptor_limit(),
        _ if error.kind() == io::ErrorKind::ConnectionRefused => {
            Failure::new(FailureKind::ConnectRefused, "connection refused")
        }
        _ => Failure::new(FailureKind::ConnectFailed, format!("connection failed: {error}")),
    }
}

fn no_local_port() -> Failure {
    let range = match limits::ephemeral_ports() {
        Some(ports) => format!("all {ports} ports of net.ipv4.ip_local_port_range"),
        None => "all local ports".to_owned(),
    };
    let message =
        format!("no local port left: {range} are in use or in TIME_WAIT towards this address");
    Failure::new(FailureKind::NoLocalPort, message)
}

fn descriptor_limit() -> Failure {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let limit = limit.map_or("the system's".to_owned(), |limit| limit.to_string());
    let message = format!("no descriptor left: the limit is {limit}; raise it with ulimit -n");
    Failure::new(FailureKind::DescriptorLimit, message)
}

/// Puts an error of a stream that was connected into words; `timeout` is the one its exchange had.
pub(crate) fn stream_failure(error: &io::Error, timeout: Duration) -> Failure {
    match error.raw_os_error() {
        Some(libc::ECONNRESET) => reset(),
        Some(libc::EPIPE) => closed_while_sending(),
        // Of the kernel, not of a deadline of ours: nothing was acknowledged for too long.
        Some(libc::ETIMEDOUT) => {
            Failure::new(FailureKind::Timeout, "connection timed out in the kernel")
        }
        Some(_) => Failure::new(FailureKind::Other, error.to_string()),
        None => cut_failure(error, timeout),
    }
}

/// An error that no kernel gave: the engine cut the stream off, or it is a simulated one.
fn cut_failure(error: &io::Error, timeout: Duration) -> Failure {
    if let Some(error) = TlsError::of(error) {
        return error.failure();
    }
    match error.kind() {
        io::ErrorKind::TimedOut => timed_out(timeout),
        io::ErrorKind::ConnectionAborted => cut_off(),
        io::ErrorKind::NotConnected => {
            Failure::new(FailureKind::Other, "connection used after an exchange on it was given up")
        }
        io::ErrorKind::OutOfMemory => {
            Failure::new(FailureKind::Protocol, format!("response too large: {error}"))
        }
        io::ErrorKind::ConnectionReset => reset(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::WriteZero => closed_while_sending(),
        _ => Failure::new(FailureKind::Other, error.to_string()),
    }
}

pub(crate) fn timed_out(timeout: Duration) -> Failure {
    Failure::new(FailureKind::Timeout, format!("no complete response within {timeout:?}"))
}

pub(crate) fn cut_off() -> Failure {
    Failure::new(FailureKind::Cancelled, "cut off at the end of the run")
}

fn reset() -> Failure {
    Failure::new(FailureKind::Reset, "connection reset by the target")
}

fn closed_while_sending() -> Failure {
    Failure::new(FailureKind::Closed, "connection closed by the target while sending")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_errors_have_their_kinds() {
        let kind = |errno| connect_failure(&io::Error::from_raw_os_error(errno)).kind;
        assert_eq!(kind(libc::ECONNREFUSED), FailureKind::ConnectRefused);
        assert_eq!(kind(libc::ETIMEDOUT), FailureKind::ConnectTimeout);
        assert_eq!(kind(libc::EADDRNOTAVAIL), FailureKind::NoLocalPort);
        assert_eq!(kind(libc::EMFILE), FailureKind::DescriptorLimit);
        assert_eq!(kind(libc::ENETUNREACH), FailureKind::ConnectFailed);
    }

    #[test]
    fn only_the_engine_cuts_off() {
        let kind = |error: io::Error| stream_failure(&error, Duration::from_secs(1)).kind;
        assert_eq!(kind(io::ErrorKind::ConnectionAborted.into()), FailureKind::Cancelled);
        assert_eq!(kind(io::Error::from_raw_os_error(libc::ECONNABORTED)), FailureKind::Other);
        assert_eq!(kind(io::Error::from_raw_os_error(libc::ECONNRESET)), FailureKind::Reset);
    }

    #[test]
    fn exhausted_limits_come_with_their_figures() {
        assert!(no_local_port().message.contains("ports"));
        assert!(descriptor_limit().message.contains("ulimit -n"));
    }
}
