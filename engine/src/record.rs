//! What a run measured: recorded on shards without sharing, handed over by the second, merged by addition.
//!
//! ```text
//! shard        Recorder --fills--> Snapshot --ring up--> Merger     coordinator
//!                       <--swaps-- Snapshot <-ring down- clear()
//! ```
//!
//! A [`Recorder`] belongs to one shard. It interns names as they appear, counts exchanges into the [`Snapshot`]
//! that it is filling, and hands that over at each interval where a cleared one has come back. The [`Merger`]
//! adds snapshots by content. Every count, sum and bucket is exact, so shards merged equal one recorder fed the
//! same exchanges, and percentiles are taken only from what is merged.

mod entry;
mod histogram;
mod merge;
mod names;
mod recorder;
mod series;
mod snapshot;

pub use entry::{EntryCounts, EntryIndex, EntryKey, EntryKind, Exchange, SecondCount};
pub use histogram::Histogram;
pub use merge::{MergedEntry, MergedError, Merger};
pub use recorder::{OTHER_ERRORS, OTHER_NAME, Recorder, RecorderOptions};
pub use series::{Series, SeriesRow};
pub use snapshot::{ErrorCounts, ErrorKey, ShardFigures, Snapshot};
