//! The WebSocket client of tasks in the simulated world: what it sends, what it is counted as, and every way a target can
//! misbehave.

#![cfg(not(loadr_loom))]

mod background;
mod closing;
mod connecting;
mod hostile;
mod messages;
mod world;
