//! Running scenarios: a class of users on one shard, and what each of its users does.
//!
//! Everything that can be done once for a shard is: requests are laid out with slots, entries interned, constants kept
//! with the class and not with each user. What is left for a task is to fill slots in, in a buffer that all users of the
//! class share, and to look at what comes back where it lies.
//!
//! - `code`: steps made ready for a shard. `calls`: requests among them, and `pieces`, what their slots are.
//! - `user`: one user's state, and the walk through its steps. `rows`: the data that it draws.
//! - `send`: requests sent and judged. `poll`: operations waited for. `command`: programs, run off the shard by `child`.
//! - `websocket`: what is done with WebSockets. `driver`: programs that answer calls. `groups`: how programs of either kind come to their ends.

mod calls;
mod child;
mod code;
mod command;
mod driver;
mod groups;
mod pieces;
mod poll;
mod rows;
mod send;
#[cfg(test)]
mod tests;
mod user;
mod websocket;

pub(super) use code::Actors;
pub(crate) use groups::{end_all as end_programs, kill_all as kill_programs};
