//! What a measured operation spent in the bridge and not in itself.
//!
//! Whoever measures puts a list up while its future is polled, and each piece of work that ends in that poll writes down when
//! it waited. A shard has one thread, so the list that is up belongs to the future being polled; one inside the other hands
//! its entries on.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;

/// A span of time in nanoseconds since the run's origin.
type Span = (u64, u64);

/// The list that is up, if anybody measures.
#[derive(Default)]
pub(crate) struct Meter(RefCell<Option<Vec<Span>>>);

impl Meter {
    /// Notes that somebody waited for the bridge.
    pub(super) fn add(&self, from_ns: u64, to_ns: u64) {
        if let Some(list) = &mut *self.0.borrow_mut() {
            list.push((from_ns, to_ns));
        }
    }

    /// Runs `work`; gives the nanoseconds in which something in it waited for the bridge, each counted once.
    pub(crate) async fn measure<T>(&self, work: impl Future<Output = T>) -> (T, u64) {
        let mut spans = Vec::new();
        let mut work = pin!(work);
        let value = poll_fn(|context| {
            let _turn = Turn::begin(self, &mut spans);
            work.as_mut().poll(context)
        });
        let value = value.await;
        (value, covered_ns(spans))
    }
}

/// A poll of a measured future; the list comes down with it, also where it panics.
struct Turn<'m> {
    meter: &'m Meter,
    spans: &'m mut Vec<Span>,
    known: usize,
    outer: Option<Vec<Span>>,
}

impl<'m> Turn<'m> {
    fn begin(meter: &'m Meter, spans: &'m mut Vec<Span>) -> Self {
        let known = spans.len();
        let outer = meter.0.replace(Some(std::mem::take(spans)));
        Self { meter, spans, known, outer }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut outer = self.outer.take();
        *self.spans = self.meter.0.take().unwrap_or_default();
        if let Some(outer) = &mut outer {
            outer.extend_from_slice(&self.spans[self.known..]);
        }
        self.meter.0.replace(outer);
    }
}

/// Nanoseconds that lie in one of the spans at least.
fn covered_ns(mut spans: Vec<Span>) -> u64 {
    spans.sort_unstable();
    let (mut covered_ns, mut end_ns) = (0, 0);
    for (from_ns, to_ns) in spans {
        covered_ns += to_ns.saturating_sub(from_ns.max(end_ns));
        end_ns = end_ns.max(to_ns);
    }
    covered_ns
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use futures_lite::future::{block_on, yield_now};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nobody_keeps_a_list_while_nobody_measures() {
        let meter = Meter::default();
        meter.add(1, 2);
        assert_eq!(block_on(meter.measure(async {})), ((), 0));
        assert!(meter.0.borrow().is_none());
    }

    #[test]
    fn what_is_measured_inside_counts_outside_too() {
        let meter = Meter::default();
        let work = async {
            meter.add(0, 10);
            let inner = meter.measure(async {
                meter.add(20, 25);
                yield_now().await;
                meter.add(30, 31);
            });
            assert_eq!(inner.await, ((), 6));
            // At the same time as before.
            meter.add(22, 28);
        };
        assert_eq!(block_on(meter.measure(work)), ((), 10 + 8 + 1));
    }

    #[test]
    fn what_others_wait_between_two_polls_is_theirs() {
        let meter = Meter::default();
        let measured = meter.measure(async {
            yield_now().await;
            meter.add(5, 6);
        });
        let other = async {
            meter.add(0, 100);
            yield_now().await;
            meter.add(200, 300);
        };
        let ((_, covered_ns), ()) = block_on(futures_lite::future::zip(measured, other));
        assert_eq!(covered_ns, 1);
    }

    #[test]
    fn a_panic_takes_the_list_down() {
        let meter = Meter::default();
        let work = meter.measure(async { panic!("as the test wants it") });
        let panicked = catch_unwind(AssertUnwindSafe(|| block_on(work)));
        assert!(panicked.is_err() && meter.0.borrow().is_none());
    }

    proptest! {
        #[test]
        fn a_nanosecond_is_covered_once(spans in prop::collection::vec((0_u64..64, 0_u64..64), 0..12)) {
            let covered = |at: &u64| spans.iter().any(|(from, to)| (*from..*to).contains(at));
            let expected = (0..64).filter(covered).count() as u64;
            prop_assert_eq!(covered_ns(spans.clone()), expected);
        }
    }
}
