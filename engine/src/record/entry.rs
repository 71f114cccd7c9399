//! Entries: what exchanges are counted by, and the counts themselves.
//!
//! An entry is one row of the report: a method and a name, such as `GET` and `/shop/[id]`. On its shard it is an
//! index, so that recording never touches the strings; between shards it is known by its key. Counts add: merging
//! is the addition of every field, and the order does not matter.

use super::Histogram;

/// What an entry counts, and so whether it belongs to the Aggregated row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryKind {
    /// Requests with their replies: the rows that the Aggregated row sums.
    Exchange,
    /// Connections made: shown beside the exchanges, and never summed with them.
    Connection,
    /// TLS handshakes and WebSocket upgrades, which follow upon connections: shown beside the exchanges, and never summed
    /// with them.
    Handshake,
    /// Tasks executed: shown beside the exchanges that they make, and never summed with them.
    Task,
    /// Pieces of work off the shard, and what they waited for their turn: never summed with anything.
    Bridge,
}

/// What an entry is known by in reports and between shards.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryKey {
    /// What the entry counts.
    pub kind: EntryKind,
    /// The request's method, or what stands in its place in another protocol.
    pub method: Box<str>,
    /// The request's name: its path unless the test gave another.
    pub name: Box<str>,
}

impl EntryKey {
    /// A key that owns copies of `method` and `name`.
    pub fn new(kind: EntryKind, method: &str, name: &str) -> Self {
        EntryKey { kind, method: method.into(), name: name.into() }
    }
}

/// The index of an entry on the shard that interned it; it means nothing on another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryIndex(pub(super) u32);

impl EntryIndex {
    /// The position of the entry's key among the keys that its shard has handed over.
    #[inline]
    pub fn as_usize(self) -> usize {
        self.0 as usize
    }
}

/// One finished exchange, as its client saw it. Times are nanoseconds since the run's origin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exchange {
    /// Where its response time begins.
    pub start_ns: u64,
    /// When the last byte of the reply, or the failure, was there.
    pub end_ns: u64,
    /// Bytes of the decoded body.
    pub body_bytes: u64,
    /// Bytes read from the connection.
    pub bytes_received: u64,
    /// Bytes written to the connection.
    pub bytes_sent: u64,
    /// Whether it counts as a failure.
    pub failed: bool,
}

/// What finished within one wall second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecondCount {
    /// The second, since the Unix epoch.
    pub unix_second: u64,
    /// Exchanges that finished in it, the failed ones included.
    pub requests: u64,
    /// Those of them that failed.
    pub failures: u64,
}

/// Everything counted for one entry, or for several added up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntryCounts {
    /// Finished exchanges, the failed ones included.
    pub requests: u64,
    /// Those of them that failed.
    pub failures: u64,
    /// Bytes of decoded bodies.
    pub body_bytes: u64,
    /// Bytes read from connections.
    pub bytes_received: u64,
    /// Bytes written to connections.
    pub bytes_sent: u64,
    /// Response times of all requests, the failed ones included.
    pub response_time: Histogram,
    /// The earliest start, in nanoseconds since the run's origin.
    pub first_start_ns: Option<u64>,
    /// The latest end, in nanoseconds since the run's origin.
    pub last_end_ns: Option<u64>,
    /// Requests by the wall second they finished in, ascending; a second without any has no row.
    pub per_second: Vec<SecondCount>,
}

impl EntryCounts {
    /// Counts one exchange; allocates only where its response time touches a new page of the histogram.
    #[inline]
    pub fn record(&mut self, exchange: &Exchange) {
        self.requests += 1;
        self.failures += u64::from(exchange.failed);
        self.body_bytes += exchange.body_bytes;
        self.bytes_received += exchange.bytes_received;
        self.bytes_sent += exchange.bytes_sent;
        self.response_time.record_ns(exchange.end_ns.saturating_sub(exchange.start_ns));
        let (start, end) = (exchange.start_ns, exchange.end_ns);
        self.first_start_ns = Some(self.first_start_ns.map_or(start, |first| first.min(start)));
        self.last_end_ns = Some(self.last_end_ns.map_or(end, |last| last.max(end)));
    }

    /// Attributes everything that no second has yet to `unix_second`.
    pub fn close_second(&mut self, unix_second: u64) {
        let (mut requests, mut failures) = (self.requests, self.failures);
        for row in &self.per_second {
            requests -= row.requests;
            failures -= row.failures;
        }
        if requests > 0 {
            self.add_second(SecondCount { unix_second, requests, failures });
        }
    }

    /// Adds everything that `other` counted.
    pub fn add(&mut self, other: &EntryCounts) {
        self.requests += other.requests;
        self.failures += other.failures;
        self.body_bytes += other.body_bytes;
        self.bytes_received += other.bytes_received;
        self.bytes_sent += other.bytes_sent;
        self.response_time.add(&other.response_time);
        self.first_start_ns = earlier(self.first_start_ns, other.first_start_ns);
        // `None` is less than any `Some`, which is right for the latest.
        self.last_end_ns = self.last_end_ns.max(other.last_end_ns);
        other.per_second.iter().for_each(|row| self.add_second(*row));
    }

    /// Forgets the seconds before the newest `rows`; what they counted stays in every other figure.
    pub fn keep_seconds(&mut self, rows: usize) {
        let old = self.per_second.len().saturating_sub(rows);
        self.per_second.drain(..old);
    }

    /// Whether nothing was counted.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.requests == 0
    }

    /// Forgets every count and keeps the memory.
    pub fn clear(&mut self) {
        let mut response_time = std::mem::take(&mut self.response_time);
        let mut per_second = std::mem::take(&mut self.per_second);
        response_time.clear();
        per_second.clear();
        *self = EntryCounts { response_time, per_second, ..EntryCounts::default() };
    }

    /// Adds a row to the second it belongs to; quick where that is among the latest, as it nearly always is.
    fn add_second(&mut self, row: SecondCount) {
        let later = self.per_second.iter().rev().take_while(|r| r.unix_second > row.unix_second);
        let position = self.per_second.len() - later.count();
        match self.per_second[..position].last_mut() {
            Some(same) if same.unix_second == row.unix_second => {
                same.requests += row.requests;
                same.failures += row.failures;
            }
            _ => self.per_second.insert(position, row),
        }
    }
}

fn earlier(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
