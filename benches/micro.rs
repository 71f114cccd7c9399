//! `cargo bench --bench micro`: how long the parts of an exchange's path take.
//!
//! Times are the witness, instruction counts (`--bench instructions`) the gate: a time is compared
//! only with another taken on the same idle machine, by criterion's `--save-baseline` and
//! `--baseline`. Setting a workload up and dropping it are not timed. Under `cargo test`, or with
//! `--test`, each workload runs once.

#![forbid(unsafe_code)]

mod workloads;

use std::time::{Duration, Instant};

use criterion::Criterion;
use workloads::Workload;

/// Enough for parts that take nanoseconds, and a minute for all of them.
const WARM_UP: Duration = Duration::from_secs(1);
const MEASUREMENT: Duration = Duration::from_secs(3);

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(WARM_UP)
        .measurement_time(MEASUREMENT)
        .configure_from_args();
    for workload in workloads::ALL {
        time(&mut criterion, workload);
    }
    criterion.final_summary();
}

fn time(criterion: &mut Criterion, workload: &Workload) {
    let mut group = criterion.benchmark_group(workload.group);
    group.bench_function(workload.name, |bencher| {
        let mut measured = workload.ready();
        bencher.iter_custom(|operations| {
            let start = Instant::now();
            measured.run(operations);
            start.elapsed()
        });
    });
    group.finish();
}
