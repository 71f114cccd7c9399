//! Exchanges to be recorded: seeded, from 50 us to 4 ms, most of them short, as a target's are.

use loadr_engine::random::SplitMix64;
use loadr_engine::record::Exchange;

/// How many response times there are before they repeat; a power of two, so that a mask finds them.
pub(super) const PERIOD: usize = 1024;

/// Nanoseconds from one start to the next.
const START_EVERY_NS: u64 = 1_500;

/// An endless round of exchanges, drawn before anything is measured.
pub(super) struct ResponseTimes {
    ns: Box<[u64; PERIOD]>,
    given: u64,
}

impl ResponseTimes {
    pub(super) fn new() -> Self {
        let mut random = SplitMix64::new(0x5EED);
        let mut ns = Box::new([0; PERIOD]);
        ns.fill_with(|| {
            let magnitude = 15 + random.below(8);
            50_000 + random.below(1 << magnitude)
        });
        Self { ns, given: 0 }
    }

    /// Starts over with the first.
    pub(super) fn rewind(&mut self) {
        self.given = 0;
    }

    /// The next response time, in nanoseconds.
    #[inline]
    pub(super) fn next_ns(&mut self) -> u64 {
        let ns = self.ns[self.given as usize % PERIOD];
        self.given += 1;
        ns
    }

    /// The next exchange: a small request and its small response.
    #[inline]
    pub(super) fn next_exchange(&mut self) -> Exchange {
        let start_ns = self.given * START_EVERY_NS;
        let end_ns = start_ns + self.next_ns();
        Exchange {
            start_ns,
            end_ns,
            body_bytes: 14,
            bytes_received: 162,
            bytes_sent: 80,
            failed: false,
        }
    }
}
