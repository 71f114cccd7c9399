//! Why the floor could not be measured, each with the figure or the connection involved.

use std::io;
use std::net::SocketAddr;

use thiserror::Error;

#[derive(Debug, Error)]
pub(crate) enum FloorError {
    #[error("CPU {cpu} is not one this process may run on")]
    Pin { cpu: usize },
    #[error("cannot open connection {index} of {count} to {address}: {source}")]
    Connect { index: u32, count: u32, address: SocketAddr, source: io::Error },
    #[error(
        "io_uring {call} failed: {source} (Linux 6.0 or later is needed, and leave to use io_uring)"
    )]
    Ring { call: &'static str, source: io::Error },
    #[error("{call} failed: {source}")]
    System { call: &'static str, source: io::Error },
    #[error("the target's first answer is of no use: {reason}")]
    FirstAnswer { reason: String },
    #[error("the target closed connection {index} after {requests} requests over all")]
    Closed { index: u32, requests: u64 },
    #[error("receive on connection {index} failed: {source}")]
    Receive { index: u32, source: io::Error },
    #[error("send on connection {index} failed: {source}")]
    Send { index: u32, source: io::Error },
    #[error("send on connection {index} stopped at {sent} of {wanted} bytes")]
    ShortSend { index: u32, sent: u32, wanted: usize },
    #[error(
        "connection {index} received {excess} bytes more than it asked for: answers must all be \
         {answer_bytes} bytes long, like the first"
    )]
    AnswerLength { index: u32, excess: u64, answer_bytes: u32 },
}
