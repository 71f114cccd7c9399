//! Quantiles of a report row, from what several shards recorded.

use std::hint::black_box;

use loadr_engine::record::Histogram;

use super::digest::Digest;
use super::response_times::{PERIOD, ResponseTimes};
use super::{Measured, Workload};

/// The quantiles that a saved run has for each entry.
const QUANTILES: [f64; 7] = [0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999];
const SHARDS: usize = 4;

/// Seven quantiles of a histogram merged from four: the flat copy is made and dropped each time.
pub(crate) static MERGED: Workload = Workload {
    group: "quantiles",
    name: "merged",
    operations: 10,
    digest: 0x4bb6_6280_78b4_4637,
    start: || Box::new(Merged { merged: merged(), quantiles_us: [0; QUANTILES.len()] }),
};

/// Four shards' histograms added up, each of a part of the response times.
fn merged() -> Histogram {
    let mut times = ResponseTimes::new();
    let mut merged = Histogram::default();
    for _ in 0..SHARDS {
        let mut shard = Histogram::default();
        (0..PERIOD / SHARDS).for_each(|_| shard.record_ns(times.next_ns()));
        merged.add(&shard);
    }
    merged
}

struct Merged {
    merged: Histogram,
    quantiles_us: [u64; QUANTILES.len()],
}

impl Measured for Merged {
    fn run(&mut self, operations: u64) {
        for _ in 0..operations {
            let flat = black_box(&self.merged).to_hdr();
            self.quantiles_us = QUANTILES.map(|quantile| flat.value_at_quantile(quantile));
        }
    }

    fn digest(self: Box<Self>) -> u64 {
        self.quantiles_us.into_iter().fold(Digest::new(), Digest::number).finish()
    }
}
