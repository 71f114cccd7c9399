//! Protocols of a test's own, against scripted targets in virtual time.

#![cfg(not(loadr_loom))]

mod datagrams;
mod framed;
mod measured;
mod pipeline;
mod world;
