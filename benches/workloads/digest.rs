//! A digest of what a workload did: FNV-1a, the same on every machine and with every compiler.

use loadr_engine::record::{EntryCounts, Histogram};

/// A digest under way.
pub(super) struct Digest(u64);

impl Digest {
    pub(super) fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    pub(super) fn bytes(self, bytes: &[u8]) -> Self {
        let step = |state: u64, &byte| (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Self(bytes.iter().fold(self.0, step))
    }

    pub(super) fn number(self, number: u64) -> Self {
        self.bytes(&number.to_le_bytes())
    }

    /// Sums, extremes and every bucket.
    pub(super) fn histogram(self, histogram: &Histogram) -> Self {
        let sums = self
            .number(histogram.count())
            .bytes(&histogram.sum_ns().to_le_bytes())
            .number(histogram.min_ns().unwrap_or(0))
            .number(histogram.max_ns().unwrap_or(0));
        histogram.recorded().fold(sums, |digest, (us, count)| digest.number(us).number(count))
    }

    pub(super) fn counts(self, counts: &EntryCounts) -> Self {
        self.number(counts.requests)
            .number(counts.failures)
            .number(counts.body_bytes)
            .number(counts.bytes_received)
            .number(counts.bytes_sent)
            .number(counts.first_start_ns.unwrap_or(0))
            .number(counts.last_end_ns.unwrap_or(0))
            .histogram(&counts.response_time)
    }

    pub(super) fn finish(self) -> u64 {
        self.0
    }
}
