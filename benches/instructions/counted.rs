//! The workloads as gungraun takes them: one function a group, whose instructions callgrind counts.
//!
//! What is counted is a function's body: one [`run`](Measured::run) of a workload that was made
//! ready before. It is handed back, so that dropping it is not counted either.

use gungraun::{library_benchmark, library_benchmark_group};

use crate::workloads::{self, Measured, Workload};

/// A workload that is ready, and how many operations of it are counted.
struct Ready {
    measured: Box<dyn Measured>,
    operations: u64,
}

impl Ready {
    fn run(mut self) -> Self {
        self.measured.run(self.operations);
        self
    }
}

fn ready(workload: &Workload) -> Ready {
    Ready { measured: workload.ready(), operations: workload.operations }
}

#[library_benchmark(setup = ready)]
#[bench::build(&workloads::BUILD)]
#[bench::repeated_16(&workloads::REPEATED_16)]
fn encode(ready: Ready) -> Ready {
    ready.run()
}

#[library_benchmark(setup = ready)]
#[bench::same_head(&workloads::SAME_HEAD)]
#[bench::differing_head(&workloads::DIFFERING_HEAD)]
#[bench::pipelined_16(&workloads::PIPELINED_16)]
#[bench::chunked_8(&workloads::CHUNKED_8)]
#[bench::body_64_kib(&workloads::BODY_64_KIB)]
fn decode(ready: Ready) -> Ready {
    ready.run()
}

#[library_benchmark(setup = ready)]
#[bench::histogram(&workloads::HISTOGRAM)]
#[bench::entries_1(&workloads::ENTRIES_1)]
#[bench::entries_1000(&workloads::ENTRIES_1000)]
#[bench::known_failure(&workloads::KNOWN_FAILURE)]
fn record(ready: Ready) -> Ready {
    ready.run()
}

#[library_benchmark(setup = ready)]
#[bench::mailbox(&workloads::MAILBOX)]
#[bench::names_1(&workloads::NAMES_1)]
#[bench::names_1000(&workloads::NAMES_1000)]
fn handover(ready: Ready) -> Ready {
    ready.run()
}

#[library_benchmark(setup = ready)]
#[bench::merged(&workloads::MERGED)]
fn quantiles(ready: Ready) -> Ready {
    ready.run()
}

library_benchmark_group!(
    name = workload,
    benchmarks = [encode, decode, record, handover, quantiles]
);

gungraun::main!(library_benchmark_groups = workload);

/// What gungraun's own `main` does: counts one workload where its runner asks for it, otherwise
/// starts the runner, which prints and does not return where it fails.
pub(crate) fn enter() {
    main();
}
