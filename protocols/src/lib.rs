//! Sans-IO protocol codecs: bytes in, events out.
//!
//! Nothing here opens a socket, reads a clock, starts a thread, draws a random number or awaits.
//! The driver (the engine, a test, a fuzzer) owns both ends: it reads bytes into a
//! [`buffer::ReceiveBuffer`], asks a decoder for events until there are no more, and writes the
//! bytes that an encoder prepared. So every rule of a protocol can be tested without a network,
//! and the same code runs on every runtime.
//!
//! Errors are apart by whose fault they are: a *remote* error is the target's and counts as a
//! failed exchange, a *request* error is ours and is found before the first byte is sent.
//!
//! [`http1`] has HTTP/1.1, [`websocket`] has WebSocket with its compression.

#![forbid(unsafe_code)]

pub mod buffer;
#[doc(hidden)]
pub mod fuzz;
pub mod http1;
pub mod websocket;
pub mod xmlrpc;
