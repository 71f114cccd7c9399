//! Data feeds: rows that users draw, one at a time.
//!
//! Rows are read and turned into the test's own type before the run, and kept once for all shards. Which row is next is a
//! number that the engine leases to shards, so that it is given out once in the whole run, whichever shard or process
//! asks.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use loadr_engine::user::Context;
use serde::de::DeserializeOwned;

/// Why a file gives no feed.
#[derive(thiserror::Error)]
pub enum FeedError {
    /// It cannot be read, or a row is not what it should be.
    #[error("the data file {path}: {cause}")]
    Csv {
        /// The file.
        path: String,
        /// What is wrong, and in which line.
        cause: csv::Error,
    },
    /// There is nothing to draw.
    #[error("the data file {path} has no rows below its header")]
    Empty {
        /// The file.
        path: String,
    },
}

/// As `main` shows it that gives it back.
impl fmt::Debug for FeedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Which row is drawn next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FeedOrder {
    Shared,
    Unique,
    Random,
}

/// Rows of `T` for the users of a test; clones are handles to the same rows.
///
/// Rows are drawn in order over all users of the run, and from the first again after the last, unless
/// [`unique`](Self::unique) or [`random`](Self::random) says otherwise. A class whose users draw from it says so with
/// [`UserClass::feed`](super::UserClass::feed).
///
/// ```no_run
/// use loadr::prelude::*;
///
/// #[derive(serde::Deserialize)]
/// struct Account {
///     name: String,
///     password: String,
/// }
///
/// fn main() -> Result<ExitCode, FeedError> {
///     let accounts: Feed<Account> = Feed::csv("accounts.csv")?.unique();
///     let drawn = accounts.clone();
///     let login = move |user: User| {
///         let accounts = drawn.clone();
///         async move {
///             // Nobody else gets this one; a user for whom none is left ends.
///             let Some(account) = user.next_row(&accounts).await else { return user.stop() };
///             let form = [("user", &account.name), ("password", &account.password)];
///             user.client.post("/login").form(form).send().await;
///             Ok(())
///         }
///     };
///     Ok(loadr::run(Test::new().user(UserClass::new("Member").feed(&accounts).on_start(login))))
/// }
/// ```
pub struct Feed<T> {
    rows: Arc<[Arc<T>]>,
    order: FeedOrder,
    /// Its number among the feeds of the run, once there is one.
    number: Arc<OnceLock<usize>>,
}

impl<T> Clone for Feed<T> {
    fn clone(&self) -> Self {
        let (rows, number) = (Arc::clone(&self.rows), Arc::clone(&self.number));
        Self { rows, order: self.order, number }
    }
}

impl<T: DeserializeOwned> Feed<T> {
    /// The rows of a CSV file, whose first line names the fields of `T`.
    ///
    /// # Errors
    /// The file cannot be read or has no rows, or a row is no `T`.
    pub fn csv(path: impl AsRef<Path>) -> Result<Self, FeedError> {
        let path = path.as_ref();
        let shown = || path.display().to_string();
        let wrong = |cause| FeedError::Csv { path: shown(), cause };
        let reader = csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_path(path);
        let rows: Result<Vec<T>, _> = reader.map_err(wrong)?.into_deserialize().collect();
        let rows = rows.map_err(wrong)?;
        if rows.is_empty() { Err(FeedError::Empty { path: shown() }) } else { Ok(Self::new(rows)) }
    }
}

impl<T> Feed<T> {
    /// A feed of these rows.
    pub fn new(rows: impl IntoIterator<Item = T>) -> Self {
        let rows = rows.into_iter().map(Arc::new).collect();
        Self { rows, order: FeedOrder::Shared, number: Arc::default() }
    }

    /// Has each row drawn once in the whole run.
    pub fn unique(mut self) -> Self {
        self.order = FeedOrder::Unique;
        self
    }

    /// Has rows drawn at random, each as likely as the next, by the random numbers of the user that draws.
    pub fn random(mut self) -> Self {
        self.order = FeedOrder::Random;
        self
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// What the run has to know of it.
    pub(super) fn lease(&self) -> FeedLease {
        let unique = self.order == FeedOrder::Unique;
        FeedLease {
            rows: unique.then_some(self.rows.len() as u64),
            number: Arc::clone(&self.number),
        }
    }

    /// The row that is next for the user of `context`; `None` where none is left.
    pub(super) async fn draw(&self, context: &Context) -> Option<Arc<T>> {
        let rows = self.rows.len() as u64;
        if rows == 0 {
            return None;
        }
        let row = match self.order {
            FeedOrder::Random => context.random(|random| random.below(rows)),
            FeedOrder::Shared | FeedOrder::Unique => {
                let Some(&number) = self.number.get() else {
                    panic!("no user class of the test has this feed: add it with UserClass::feed")
                };
                context.next_row(number).await? % rows
            }
        };
        self.rows.get(row as usize).cloned()
    }
}

/// A feed as the run sees it.
pub(super) struct FeedLease {
    rows: Option<u64>,
    number: Arc<OnceLock<usize>>,
}

impl FeedLease {
    /// Rows that may be drawn in the whole run; `None` where there is no end.
    pub(super) fn rows(&self) -> Option<u64> {
        self.rows
    }

    /// Tells the feed its number. Classes that share a feed each have one for it: that of the first class counts, and is
    /// the same on all shards, since each prepares its classes in the same order.
    pub(super) fn number(&self, number: usize) {
        self.number.get_or_init(|| number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Account {
        user: String,
        tries: u32,
    }

    fn feed(text: &str) -> Result<Feed<Account>, String> {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(text.as_bytes()).expect("a temporary file");
        let read = Feed::csv(file.path());
        read.map_err(|error| error.to_string().replace(&*file.path().to_string_lossy(), "FILE"))
    }

    #[test]
    fn rows_of_a_file_become_values() {
        let feed = feed("\u{feff}user, tries\r\n\"a,b\",1\r\nc,2\r\n").unwrap();
        let account = |user: &str, tries| Arc::new(Account { user: user.to_owned(), tries });
        assert_eq!(feed.rows[..], [account("a,b", 1), account("c", 2)]);
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_in_a_line() {
        let wrong = |text| feed(text).map(|feed| feed.len()).unwrap_err();
        assert_eq!(wrong("user,tries\n"), "the data file FILE has no rows below its header");
        assert!(
            wrong("user,tries\na,1\nb,x\n").contains("line: 3"),
            "{}",
            wrong("user,tries\na,1\nb,x\n")
        );
        assert!(wrong("user\na\n").contains("missing field `tries`"));
    }

    #[test]
    fn only_unique_rows_come_to_an_end() {
        let feed = Feed::new([1, 2, 3]);
        assert_eq!(feed.lease().rows(), None);
        assert_eq!(feed.clone().random().lease().rows(), None);
        let unique = feed.unique();
        assert_eq!((unique.lease().rows(), unique.len()), (Some(3), 3));
    }

    #[test]
    fn the_first_class_that_has_a_feed_numbers_it() {
        let feed = Feed::new([1]);
        feed.lease().number(4);
        feed.lease().number(7);
        assert_eq!(feed.number.get(), Some(&4));
    }
}
