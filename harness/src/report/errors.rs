//! Exceptions of tasks told from failures of what was counted.
//!
//! The engine keeps both in one list. An exception stands under the task that it ended (`TASK`, `Shopper.browse`), of
//! which nothing was counted under that name. Where tasks have entries, the entry (`TASK`, `browse`) fails as well,
//! with the same text and kind: that one explains the failures of its row, as any other failure does, and would
//! otherwise count every exception twice. Locust keeps the two apart in the same way.

use std::collections::HashSet;

use loadr_engine::outcome::FailureKind;
use loadr_engine::record::{MergedEntry, MergedError};

/// The method of the entries of tasks.
const TASK: &str = "TASK";

/// The errors of a run, apart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Errors<'a> {
    /// Failures of entries: requests, samples and tasks.
    pub failures: Vec<&'a MergedError>,
    /// Errors that tasks did not catch.
    pub exceptions: Vec<&'a MergedError>,
}

impl<'a> Errors<'a> {
    /// Takes the errors of a run apart, by its entries; both lists keep their order.
    pub fn of(
        errors: impl IntoIterator<Item = &'a MergedError>,
        entries: impl IntoIterator<Item = &'a MergedEntry>,
    ) -> Self {
        let tasks = entries.into_iter().filter(|entry| *entry.key.method == *TASK);
        let counted: HashSet<&str> = tasks.map(|entry| &*entry.key.name).collect();
        let is_exception = |error: &&MergedError| {
            let is_of_task = match &*error.method {
                TASK => !counted.contains(&*error.name),
                // Past the bound on names.
                method => method.is_empty(),
            };
            error.kind == FailureKind::Exception && is_of_task
        };
        let (exceptions, failures) = errors.into_iter().partition(is_exception);
        Self { failures, exceptions }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use loadr_engine::record::{EntryCounts, EntryKey, EntryKind, OTHER_NAME};

    fn error(kind: FailureKind, method: &str, name: &str) -> MergedError {
        MergedError {
            method: method.into(),
            name: name.into(),
            kind,
            message: "no stock".into(),
            count: 2,
            first_seen_unix_s: 0.0,
            last_seen_unix_s: 0.0,
        }
    }

    #[test]
    fn exceptions_stand_under_tasks_that_nothing_was_counted_for() {
        use FailureKind::{Exception, Other, Status};
        let errors = [
            error(Exception, "TASK", "Shop.browse"),
            error(Exception, "TASK", "browse"),
            error(Status, "TASK", "browse"),
            error(Status, "GET", "/"),
            error(Exception, "ASYNC", "Shop.browse"),
            error(Exception, "", OTHER_NAME),
            error(Exception, "TASK", "/"),
            error(Other, "", ""),
        ];
        let entry = |kind, method, name| MergedEntry {
            key: EntryKey::new(kind, method, name),
            counts: EntryCounts::default(),
        };
        // Recorded as tasks or, where nothing else is counted, as exchanges: it makes no difference here.
        for kind in [EntryKind::Task, EntryKind::Exchange] {
            let entries = [entry(kind, "TASK", "browse"), entry(EntryKind::Exchange, "GET", "/")];
            let apart = Errors::of(&errors, &entries);
            let [of_task, of_entry, status, get, sample, unnamed, other_task, rest] = &errors;
            assert_eq!(apart.exceptions, [of_task, unnamed, other_task]);
            assert_eq!(apart.failures, [of_entry, status, get, sample, rest]);
        }
    }
}
