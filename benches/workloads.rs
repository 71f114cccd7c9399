//! What the micro-benches measure: the parts of an exchange's path, each as a loop over one
//! operation.
//!
//! `micro` times these workloads, `instructions` counts them, and `tests` runs each a few times:
//! they are the same functions, with the same seeded input. A workload is set up first; its
//! measured part, [`Measured::run`], allocates only where that is its subject. What it did is then
//! condensed into a digest with a fixed value, outside the measured part and before anything is
//! measured, so that nobody speeds a workload up by changing what it does.

mod decode;
mod digest;
mod encode;
mod handover;
mod quantiles;
mod record;
mod response_times;

use std::fmt;

pub(crate) use decode::{BODY_64_KIB, CHUNKED_8, DIFFERING_HEAD, PIPELINED_16, SAME_HEAD};
pub(crate) use encode::{BUILD, REPEATED_16};
pub(crate) use handover::{MAILBOX, NAMES_1, NAMES_1000};
pub(crate) use quantiles::MERGED;
pub(crate) use record::{ENTRIES_1, ENTRIES_1000, HISTOGRAM, KNOWN_FAILURE};

/// Every workload, in the order in which they are shown.
pub(crate) static ALL: [&Workload; 15] = [
    &BUILD,
    &REPEATED_16,
    &SAME_HEAD,
    &DIFFERING_HEAD,
    &PIPELINED_16,
    &CHUNKED_8,
    &BODY_64_KIB,
    &HISTOGRAM,
    &ENTRIES_1,
    &ENTRIES_1000,
    &KNOWN_FAILURE,
    &MAILBOX,
    &NAMES_1,
    &NAMES_1000,
    &MERGED,
];

/// One measured part, by name, with what it must come to.
pub(crate) struct Workload {
    /// The part of the path: `encode`, `decode`, `record`, `handover`, `quantiles`.
    pub(crate) group: &'static str,
    /// Its name within the group.
    pub(crate) name: &'static str,
    /// Operations of a counted run, of the warm-up before it, and of the test.
    pub(crate) operations: u64,
    /// The digest after so many operations.
    pub(crate) digest: u64,
    /// Sets it up.
    pub(crate) start: fn() -> Box<dyn Measured>,
}

/// A workload that has been set up.
pub(crate) trait Measured {
    /// The measured part: so many operations in a row, going on where the last call ended.
    fn run(&mut self, operations: u64);

    /// What all operations so far came to, in 64 bits.
    fn digest(self: Box<Self>) -> u64;
}

impl Workload {
    /// The digest that the workload has now.
    pub(crate) fn actual_digest(&self) -> u64 {
        self.warm().digest()
    }

    /// The workload ready to be measured, with its caches warm and its memory touched.
    ///
    /// # Panics
    /// When its digest is not the fixed one: it would be another workload than the one on record.
    pub(crate) fn ready(&self) -> Box<dyn Measured> {
        assert_eq!(self.actual_digest(), self.digest, "{self} does not do what it did");
        self.warm()
    }

    fn warm(&self) -> Box<dyn Measured> {
        let mut measured = (self.start)();
        measured.run(self.operations);
        measured
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.group, self.name)
    }
}
