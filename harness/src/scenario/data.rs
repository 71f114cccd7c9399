//! Data feeds: rows that users draw, one at a time.
//!
//! Rows come from a CSV file, a JSON file or the scenario itself, and are stored once for all shards ([`Table`]). How
//! they are dealt out is said here and done by whoever runs the scenario.

pub(super) mod load;
mod table;

use std::fmt;
use std::sync::Arc;

pub use table::Table;

/// Index into [`Scenario::feeds`](super::Scenario::feeds).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FeedIndex(pub u32);

/// A table and how its rows are dealt out.
#[derive(Clone, Debug)]
pub struct Feed {
    /// Its name in the file, `[data.NAME]`, or the user class whose own data it is.
    pub name: FeedName,
    /// The rows.
    pub table: Arc<Table>,
    /// Which row is next.
    pub order: FeedOrder,
    /// How long a row is kept.
    pub per: FeedPer,
    /// What happens when there is no next row.
    pub when_out: WhenOut,
}

/// Whose data a feed is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedName {
    /// `[data.NAME]`: every user class may draw from it.
    Shared(String),
    /// A user class's `data = { .. }`.
    Own(String),
}

/// Which row is drawn next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedOrder {
    /// In order, over all users of the run: no row is drawn twice.
    Unique,
    /// In order, over all users of the run, and from the first again after the last.
    Shared,
    /// Any row, each as likely as the next.
    Random,
    /// In order, each user for itself.
    Each,
}

/// How long a row that was drawn is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedPer {
    /// The user draws one row and keeps it.
    User,
    /// Each task begins with a new row.
    Iteration,
}

/// What happens when all rows have been drawn, in the orders that come to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenOut {
    /// The user that wanted a row stops.
    Stop,
    /// Rows are drawn from the first again.
    Cycle,
    /// The task that wanted a row fails, and is counted.
    Fail,
}

/// A feed under its name, as it was read; without it, why it could not be has been reported, and drawing from it is no
/// second fault.
#[derive(Debug)]
pub(super) struct ReadFeed {
    pub name: FeedName,
    pub feed: Option<Feed>,
}

impl FeedName {
    /// Whether this is `[data.name]`.
    pub(super) fn is_shared_as(&self, name: &str) -> bool {
        self.shared() == Some(name)
    }

    /// The name that templates may use, if there is one.
    pub(super) fn shared(&self) -> Option<&str> {
        match self {
            Self::Shared(name) => Some(name),
            Self::Own(_) => None,
        }
    }
}

impl fmt::Display for FeedName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shared(name) => write!(formatter, "[data.{name}]"),
            Self::Own(class) => write!(formatter, "the data of {class}"),
        }
    }
}
