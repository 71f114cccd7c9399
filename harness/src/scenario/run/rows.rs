//! Rows of data: which one a user draws next, and what becomes of the user when there is none.

use std::cell::Cell;
use std::sync::Arc;

use loadr_engine::task::TaskExit;

use super::code::{ActionCode, ActionRole};
use super::user::ScenarioUser;
use crate::scenario::data::{Feed, FeedOrder, FeedPer, Table, WhenOut};
use crate::scenario::template::FeedSlot;

/// A feed, as the users of one class draw from it.
pub(super) struct FeedCode {
    pub(super) table: Arc<Table>,
    pub(super) name: String,
    order: FeedOrder,
    per: FeedPer,
    when_out: WhenOut,
    /// Number of the feed among those of the run.
    lease: usize,
    /// It has been told that users stop for want of a row.
    told: Cell<bool>,
}

impl FeedCode {
    pub(super) fn new(feed: &Feed, lease: usize) -> Self {
        Self {
            table: Arc::clone(&feed.table),
            name: feed.name.to_string(),
            order: feed.order,
            per: feed.per,
            when_out: feed.when_out,
            lease,
            told: Cell::new(false),
        }
    }

    fn rows(&self) -> u64 {
        self.table.rows().get() as u64
    }
}

impl ScenarioUser {
    /// Draws the rows that `action` begins with.
    pub(super) async fn draw_rows(&self, action: &ActionCode) -> Result<(), TaskExit> {
        for &slot in &action.feeds {
            let feed = &self.class.feeds[slot.0 as usize];
            let keeps = feed.per == FeedPer::User || action.role == ActionRole::Stop;
            if keeps && self.row(slot).is_some() {
                continue;
            }
            match self.next_row(feed, slot).await {
                Some(row) => self.keep_row(slot, row),
                None => return Err(out_of_rows(feed)),
            }
        }
        Ok(())
    }

    async fn next_row(&self, feed: &FeedCode, slot: FeedSlot) -> Option<u32> {
        let rows = feed.rows();
        let row = match feed.order {
            FeedOrder::Unique | FeedOrder::Shared => {
                let row = self.context.next_row(feed.lease).await?;
                // A lease without an end goes round; one with an end is as long as the table.
                row % rows
            }
            FeedOrder::Random => self.context.random(|random| random.below(rows)),
            FeedOrder::Each => match self.row(slot).map_or(0, |row| u64::from(row) + 1) {
                next if next < rows => next,
                _ if feed.when_out == WhenOut::Cycle => 0,
                _ => return None,
            },
        };
        Some(u32::try_from(row).expect("a table has fewer rows than 2^32"))
    }

    /// The row that the user has of a feed.
    fn row(&self, slot: FeedSlot) -> Option<u32> {
        self.state.borrow().row(slot)
    }

    fn keep_row(&self, slot: FeedSlot, row: u32) {
        let rows = &mut self.state.borrow_mut().rows;
        if rows.is_empty() {
            rows.resize(self.class.feeds.len(), None);
        }
        rows[slot.0 as usize] = Some(row);
    }
}

fn out_of_rows(feed: &FeedCode) -> TaskExit {
    match feed.when_out {
        WhenOut::Stop => {
            // Fewer users than were asked for must not be a riddle; once is enough.
            if !feed.told.replace(true) {
                log::warn!("{} has no more rows: users who need one stop", feed.name);
            }
            TaskExit::StopUser
        }
        WhenOut::Fail | WhenOut::Cycle => {
            TaskExit::error(format!("{} has no more rows: all were drawn", feed.name))
        }
    }
}
