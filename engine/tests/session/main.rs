//! The HTTP client of tasks, against scripted targets in virtual time.

#![cfg(not(loadr_loom))]

mod calls;
mod connections;
mod hostile;
mod prepared;
mod redirects;
mod upgrades;
mod world;
mod xmlrpc;
