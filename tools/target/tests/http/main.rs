//! The target over real sockets: every route, the rules of connections, faults, and the way it starts and stops.
//!
//! Clients are plain blocking sockets of the standard library, so that nothing here shares code with the server. All
//! reads time out, so a failure is an error and never a hang.

#![forbid(unsafe_code)]
// clippy.toml allows these in tests; the helpers of tests count as well.
#![allow(clippy::unwrap_used)]

mod client;
mod connections;
mod delays;
mod faults;
mod lifecycle;
mod routes;
mod shop;
mod tls;
mod websocket;
mod xmlrpc;
