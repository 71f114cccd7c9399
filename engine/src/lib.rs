//! The engine of loadr: shards, runtimes, users, clocks and histograms. It knows no command line, files or web.
//!
//! ```text
//!  Run ── Coordinator            one state machine, stepped with `now`
//!           |  ^                 one lock-free mailbox pair a shard; nothing else is shared
//!           v  |
//!         Shard 0..N-1           one pinned thread each: runtime, users, connections, timers, recorder
//!           |                    async, !Send, no locks
//!         Client ── codec        bytes in, events out (`loadr-protocols`)
//!           |
//!         Stream                 monoio | glommio | sim
//! ```
//!
//! Deciding is apart from doing: schedules, budgets, placement and the coordinator are functions of what they are given;
//! the shard's tasks wait and move bytes. The path of an exchange neither allocates nor locks nor logs once it is warm.

pub mod bridge;
pub mod client;
pub mod clock;
pub mod coordinator;
pub mod lease;
pub mod limits;
pub mod mailbox;
pub mod outcome;
pub mod random;
pub mod record;
pub mod run;
pub mod runtime;
pub mod shard;
pub mod spawn;
pub mod stream;
pub mod task;
mod timer;
pub mod tls;
pub mod user;
