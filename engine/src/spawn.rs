//! How many users exist at a moment, of which class and on which shard: pure functions.

pub mod dispatch;
mod sequence;
pub mod shape;
pub mod workers;
