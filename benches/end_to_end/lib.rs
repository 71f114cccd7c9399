//! The end-to-end comparison: `loadr-bench` on each runtime beside `wrk` and the bare io_uring
//! loop, against the bundled target, on one machine; and beside the generators of other protocols,
//! against the target or the server that those are made for.
//!
//! How it is kept honest:
//! - target pinned to the last CPU, every generator to the first; one generator at a time;
//! - generators interleaved over rounds in rotated order, so that a slow minute hits all alike;
//! - figures are medians over rounds, ratios are taken within a round and carry an interval;
//! - CPU time and memory come from the operating system, not from the generators;
//! - the CPU shares of both sides are shown: with the target above 95 % a row says what the *target*
//!   can do (server-bound), with both below 90 % something else had the CPU (disturbed);
//! - what is unfair about a scenario is printed above its table.
//!
//! Nothing here asserts a speed: goals are printed as reached or not reached.

#![forbid(unsafe_code)]

pub mod build;
pub mod comparison;
pub mod goals;
pub mod machine;
pub mod peers;
pub mod process;
pub mod raw_data;
pub mod scenario;
pub mod servers;
pub mod statistics;
pub mod summary;
pub mod table;
